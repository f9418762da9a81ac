"""The encoder that is fine-tuned: of a run, of a `.keras` file, or newly drawn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from rotkeras import backbones
from rotkeras.backbones import taps
from rotkeras.backbones.any_model import from_model
from rotkeras.errors import UserError, brief
from rotkeras.evaluate.evaluation import load_network
from rotkeras.files import expanded
from rotkeras.images import Size, as_size, sides_of
from rotkeras.run.folder import Run
from rotkeras.transfer.folder import is_fine_tuning

NONE = "none"


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoder to fine-tune.

    Attributes:
        network: a flat model with taps.
        name: as the recipe has it.
        words: where its weights come from, in a sentence's end: "pre-trained by rotation".
        tap: the tap whose features its run found best; None where nobody knows.
        seconds: that its pre-training took; None where nobody knows.
    """

    network: keras.Model
    name: str
    words: str
    tap: str | None = None
    seconds: float | None = None

    @property
    def size(self) -> Size:
        """The image size of its own input."""
        height, width = self.network.input_shape[1:3]
        return as_size(height, width)

    def untrained(self, seed: int) -> "Encoder":
        """The same network with newly drawn weights."""
        network = taps.untrained_copy(self.network, seed)
        return Encoder(network, self.name, "from scratch", self.tap)


def load_encoder(name: str, backbone: Any, size: Size | None, seed: int) -> Encoder:
    """The encoder that a name stands for.

    Args:
        name: a run folder, a `.keras` file, or "none".
        backbone: section `backbone` of a recipe, for "none".
        size: of the images, for "none".
        seed: of the weights, for "none".

    Raises:
        UserError: for a name that is none of these, a file without taps, a run that has not ended,
            and "none" without a size.
    """
    if name == NONE:
        if size is None:
            raise UserError(
                "data.image_size must be set where the encoder is none, got null; set the pixels of"
                " each side: --set data.image_size=128."
            )
        keras.utils.set_random_seed(seed)
        made = backbones.NAMES[backbone.name](
            input_shape=(*sides_of(size), 3), **backbone.model_dump(exclude={"name"})
        )
        kept = backbones.has_weights(backbone)
        network = made if kept else taps.untrained_copy(made, seed)
        return Encoder(network, name, "with the weights of its file" if kept else "from scratch")
    path = expanded(name)
    if path.suffix == ".keras":
        return _of_file(path, name)
    if not path.is_dir():
        raise UserError(
            f"{name}: no such run or .keras file. Give a run folder, an encoder.keras, or none to"
            " train from scratch."
        )
    run = Run(path)
    if not run.model.is_file() and (path / "encoder.keras").is_file():
        found = _of_file(path / "encoder.keras", name)
        last = taps.names(found.network)[-1]
        words = f"{found.words} (the folder has no model.keras, and this one ends at tap {last})"
        return Encoder(found.network, name, words)
    if is_fine_tuning(path):
        found = _of_file(run.model, name)
        return Encoder(found.network, name, f"fine-tuned before ({path.name})")
    network = taps.flat(load_network(run))
    summary = run.load_summary() or {}
    facts = run.task_facts()
    tap = (summary.get("encoder") or {}).get("tap")
    known = tap if tap in taps.names(network) else None
    return Encoder(network, name, f"pre-trained by {facts.name}", known, summary.get("seconds"))


def _of_file(path: Path, name: str) -> Encoder:
    if not path.is_file():
        raise UserError(f"{name}: no such .keras file. Give an encoder.keras or a run folder.")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:
        raise UserError(
            f"Keras could not load {name} ({brief(error)}). It must be a model of stock layers."
        ) from error
    has_taps = any(isinstance(each, keras.layers.Identity) for each in taps.flat(model).layers)
    network = taps.flat(model) if has_taps else from_model(model)
    return Encoder(network, name, f"with the weights of {path.name}")
