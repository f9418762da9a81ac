"""Everything that is needed to go on after a kill, after every epoch."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.errors import UserError
from rotkeras.files import check_writable, write_json, write_whole

STATE = "state.json"


class RunCheckpoint(keras.callbacks.Callback):
    """Save weights, optimizer and state after every epoch; `restore` brings them back, bit for bit.

    `state.json` is replaced last and names the weights file it goes with, so a kill at any moment
    leaves a whole checkpoint.

    Args:
        folder: where checkpoints are kept.
        state: called after each epoch for what else a resumed run needs (plain JSON).

    Put it after the callbacks whose state it saves.

    Raises:
        UserError: at the beginning of training, for a folder that cannot be written.
    """

    @checked
    def __init__(self, folder: AnyPath, state: Callable[[], dict[str, Any]] = dict) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.state = state

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the folder."""
        check_writable(self.folder, "RunCheckpoint: folder", folder=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save."""
        name = f"epoch-{epoch + 1:04d}.weights.h5"
        write_whole(self.folder / name, _learned(self.model).save_weights)
        write_json(self.folder / STATE, {"epoch": epoch + 1, "weights": name, **self.state()})
        for old in self.folder.glob("epoch-*.weights.h5"):
            if old.name != name:
                old.unlink()


def _learned(model: Any) -> Any:
    """The model whose files hold what was learned: of one that only makes views and hands them to
    another, the other.

    So a training whose views were made inside the step can go on with views that are made on the
    host.
    """
    if not any(getattr(layer, "makes_views", False) for layer in model.layers):
        return model
    inner = taps.flat(model)
    whole = keras.Model(inner.inputs, inner.outputs)
    whole.optimizer = model.optimizer
    return whole


def restore(folder: Path, model: keras.Model) -> dict[str, Any] | None:
    """Put the saved weights and optimizer state into a compiled model.

    Returns:
        The saved state with `epoch`, the number of epochs done; None when nothing was saved yet.

    Raises:
        UserError: when the checkpoint does not fit the model or is damaged.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        # Under MirroredStrategy the optimizer's state is made in the scope that the model was made
        # in.
        strategy = getattr(model, "distribute_strategy", None)
        with strategy.scope() if strategy else nullcontext():
            if (
                not model.optimizer.built
            ):  # built again, one that scales the loss has its scale twice, and restores neither
                model.optimizer.build(model.trainable_variables)
            _learned(model).load_weights(folder / state["weights"])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"The checkpoint in {folder} could not be read ({' '.join(str(error).split())[:160]})."
            " Start again with --overwrite."
        ) from None
    return state
