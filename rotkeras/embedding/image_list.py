"""Images in a fixed order, decoded on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.source import BadImage
from rotkeras.images import Size


@dataclass(frozen=True, eq=False)
class ImageList:
    """Images with names and optional classes, decoded one by one.

    Attributes:
        names: (N,) file names relative to the folder, or row numbers of arrays.
        item: position -> what `read` takes; `str` of it names the image in full.
        read: (item, size) -> uint8 RGB. Files become (H, W, 3); arrays come as they are.
        labels: int64 (N,) or None without classes.
        class_names: the name of each label, empty without labels.
        skipped: what could not be read; it grows while the images are read.
        notes: one line for each thing that was left out, with the reason.
    """

    names: Sequence[str]
    item: Callable[[int], Any]
    read: Callable[[Any, Size], NDArray[np.uint8]]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    skipped: list[BadImage] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def class_of(self, position: int) -> str:
        """The name of an image's class, empty without classes."""
        return "" if self.labels is None else self.class_names[self.labels[position]]

    def short_name(self, position: int) -> str:
        """The name without the class folder, for where the class is shown beside it."""
        return self.names[position].removeprefix(f"{self.class_of(position)}/")
