"""Images with the boxes of the objects in them.

Boxes are float32 (left, top, right, bottom) in pixels of the upright photograph: 0-based edges,
right and bottom exclusive.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.data import keyed
from rotkeras.errors import must
from rotkeras.files import as_text


@dataclass(frozen=True, eq=False)
class Boxes:
    """The objects in an image.

    Attributes:
        corners: float32 (n, 4).
        classes: int64 (n,), positions in the names of the classes.
        difficult: bool (n,), whether it is neither learned nor scored: VOC's difficult, COCO's
            crowd.
    """

    corners: NDArray[np.float32]
    classes: NDArray[np.int64]
    difficult: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.classes)

    @classmethod
    def none(cls) -> "Boxes":
        """Those of an image without objects."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool))

    def learned(self) -> "Boxes":
        """Those that are not difficult."""
        kept = ~self.difficult
        return Boxes(self.corners[kept], self.classes[kept], self.difficult[kept])


@dataclass(frozen=True, eq=False)
class BoxedImages:
    """Image files with the boxes of their objects.

    Attributes:
        paths: N files.
        shapes: int32 (N, 3): height, width and EXIF orientation, as `rotkeras.images.read_size`
            gives them.
        boxes: of each image.
        class_names: which the classes are positions in.
    """

    paths: tuple[Path, ...]
    shapes: NDArray[np.int32]
    boxes: tuple[Boxes, ...]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the files, without folders, as text."""
        return tuple(as_text(path.name) for path in self.paths)

    def part(self, positions: Sequence[int] | NDArray[np.integer]) -> "BoxedImages":
        """The images at the given positions, in that order."""
        rows = np.asarray(positions, np.int64)
        return BoxedImages(
            tuple(self.paths[row] for row in rows),
            self.shapes[rows],
            tuple(self.boxes[row] for row in rows),
            self.class_names,
        )

    def digest(self) -> str:
        """What tells these files and boxes from others."""
        made = hashlib.sha256("\n".join(self.names).encode())
        for each in self.boxes:
            made.update(each.corners.tobytes() + each.classes.tobytes() + each.difficult.tobytes())
        return made.hexdigest()[:16]

    def draw(self, count: int, seed: int) -> "BoxedImages":
        """Some images at random, in the order in which they stand here. More of the same seed
        contain fewer.

        Args:
            count: how many.
            seed: which; the same on every machine.

        Raises:
            UserError: for fewer than one, and more than there are.
        """
        if not 1 <= count <= len(self):
            raise must("the number of drawn images", f"be from 1 to {len(self):,}", count)
        drawn = keyed.permute(np.arange(count), seed, 0, len(self))
        return self.part(np.sort(drawn))
