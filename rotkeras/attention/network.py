"""The network to look into: of a run, or of a `.keras` file."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rotkeras.errors import UserError, brief
from rotkeras.files import check_regular, expanded
from rotkeras.run.folder import Run

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Network:
    """A network to look into.

    Attributes:
        model: a flat functional model with taps, and a head for class activation maps.
        name: where it comes from, in few words.
        answers: the name of each of its answers, such as "0°"; empty when they are not known.
        output: of a model with several named outputs, the one to ask.
    """

    model: "keras.Model"
    name: str
    answers: tuple[str, ...] = ()
    output: str | None = None

    @property
    def size(self) -> int:
        """Pixels of each side of its images."""
        side: int = self.model.input.shape[1]
        return side

    def target(self, text: str | None) -> int | None:
        """The number of an answer from its name or number; None for the one the network gives
        itself."""
        if text is None or text == "predicted":
            return None
        named = {answer.rstrip("°"): number for number, answer in enumerate(self.answers)}
        bare = text.strip().removesuffix("°").removesuffix("deg")
        if bare in named:
            return named[bare]
        outputs = self.model.output[self.output] if self.output else self.model.outputs[0]
        if not self.answers and bare.isdigit() and int(bare) < (outputs.shape[-1] or 0):
            return int(bare)
        what = (
            f"one of {', '.join(self.answers)}"
            if self.answers
            else f"a number from 0 to {outputs.shape[-1] - 1}"
        )
        raise UserError(
            f"--target must be predicted or {what}, a class of {self.name}, got {text}."
        )


def find_network(path: str | os.PathLike[str]) -> Path:
    """The model file that a path means, found without starting Keras: that of a run which has
    ended, or a `.keras` file."""
    given = expanded(path)
    check_regular(given)
    if given.suffix.lower() == ".keras":
        if not given.is_file():
            raise UserError(
                f"The network {str(given)!r} does not exist. Give a run folder or a .keras file."
            )
        return given
    if given.exists() and not given.is_dir():
        raise UserError(f"The network {str(given)!r} must be a run folder or a .keras file.")
    run = Run(given)
    run.check_ended()
    return run.model


def load_network(path: str | os.PathLike[str], tap: str | None = None) -> Network:
    """Load the network of a run, or any flat classifier or backbone with taps from a `.keras` file.

    Args:
        path: a run folder, or a `.keras` file: of a run, of `evaluation/`, or a user's own.
        tap: of a file with an output for each tap, the one to ask; None for the last.

    Raises:
        UserError: for a run that has not ended, a file that Keras cannot load, and inputs that are
            not square RGB images.
    """
    import keras

    file = find_network(path)
    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:
        raise UserError(
            f"Keras could not load {str(file)!r}: {brief(error)}. It must be a model of stock"
            " layers."
        ) from error
    shape = tuple(model.inputs[0].shape) if len(getattr(model, "inputs", None) or ()) == 1 else ()
    if len(shape) != 4 or shape[3] != 3 or shape[1] is None or shape[1] != shape[2]:
        raise UserError(
            f"The network {str(file)!r} must have one input of square RGB images (B, S, S, 3), got"
            f" {shape}."
        )
    outputs = list(model.output) if isinstance(model.output, dict) else []
    output = (tap if tap in outputs else outputs[-1]) if outputs else None
    run = Run(file.parent)
    if file != run.model or not run.recipe.exists():
        return Network(model, file.stem, (), output)
    names = run.task_facts().class_names or ()
    return Network(model, file.parent.resolve().name, tuple(names), output)
