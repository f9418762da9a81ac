"""Name the files that could not be decoded while training, once each."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

from rotkeras.arguments.checked import checked
from rotkeras.data.encoded import EncodedImages
from rotkeras.data.source import BadImage, Source


class ReplacedImages(keras.callbacks.Callback):
    """Say, at the end of an epoch and of training, which encoded images could not be decoded and
    were replaced by others (see `rotkeras.data.encoded.EncodedImages`).

    Args:
        source: what is trained and validated on; without encoded images nothing is said.
        tell: called with a line for each file.
    """

    @checked
    def __init__(self, source: Source, tell: Callable[[str], None] = print) -> None:
        super().__init__()
        self.arrays = encoded_arrays(source)
        self.tell = tell
        self._told = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Name those that are new."""
        self._say()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Name those that are new."""
        self._say()

    def _say(self) -> None:
        found = replaced(self.arrays)
        for bad in found[self._told :]:
            self.tell(f"{bad.path} could not be read ({bad.reason}); replaced by another image")
        self._told = len(found)


@contextlib.contextmanager
def own_mistakes(arrays: Sequence[EncodedImages]) -> Iterator[None]:
    """Raise the `UserError` of images that could not be read: inside tf.data it becomes one of
    TensorFlow's."""
    try:
        yield
    except Exception as error:
        if mistake := next((each.error for each in arrays if each.error), None):
            raise mistake from error
        raise


def encoded_arrays(source: Source) -> list[EncodedImages]:
    """The stores of encoded images of a source's parts, each once; the test set is not read."""
    arrays: list[EncodedImages] = []
    for part in (source.train, source.validation):
        array: Any = None if part is None else part.array
        if isinstance(array, EncodedImages) and all(array is not each for each in arrays):
            arrays.append(array)
    return arrays


def replaced(arrays: Sequence[EncodedImages]) -> list[BadImage]:
    """The files that could not be decoded so far."""
    return [bad for array in arrays for bad in array.replaced]
