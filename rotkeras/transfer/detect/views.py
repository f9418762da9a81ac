"""What a detector is trained and measured on: views of photographs, and the boxes in them."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.encoded import whole_pixels
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import RandomResizedCrop
from rotkeras.transfer.crops import read_view, threads
from rotkeras.transfer.detect.boxes import BoxedImages, Boxes

_RATIO = (3 / 4, 4 / 3)
_Box = tuple[int, int, int, int]


class BoxViews:
    """Views of photographs with the boxes of the objects to be learned, which difficult ones are
    not.

    A training view is a crop of random area and aspect ratio, resized and perhaps mirrored, as
    `rotkeras.data.resized_crop` draws it: a function of (seed, epoch, index). An object stays in it
    if its centre lies in it, cut to it. Where none of the objects of a photograph would stay, the
    view is the whole photograph. Without a key every view is the whole photograph. The ratio of the
    sides is not kept: both are stretched to those of the network.

    Args:
        images: with their boxes.
        size: (H, W) of the views.
        scale: least and greatest area of the crop, as a share of the photograph.
        flip: whether half of the training views are mirrored.

    Attributes:
        most: the greatest number of objects in a photograph, 1 at least.

    Example:
        views = BoxViews(parts["train"], (256, 256))
        pixels, corners, classes = views(positions, Key(seed, epoch, positions))
    """

    def __init__(
        self,
        images: BoxedImages,
        size: tuple[int, int],
        scale: tuple[float, float] = (0.3, 1.0),
        flip: bool = True,
    ) -> None:
        self.images, self.size = images, size
        self.targets = tuple(boxes.learned() for boxes in images.boxes)
        self.most = max([1, *map(len, self.targets)])
        # The largest box of an allowed ratio would still cut a wide photograph.
        self._whole = scale[0] == 1
        self._crop = RandomResizedCrop(None, scale, _RATIO, flip)

    def __call__(
        self, positions: NDArray[np.integer], key: Key | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """Views of images.

        Args:
            positions: (n,).
            key: of NumPy values, the index (n,); None for whole photographs, not mirrored.

        Returns:
            (uint8 (n, H, W, 3); float32 (n, most, 4), left, top, right and bottom in pixels of the
            view, -1 where there is no further object; float32 (n, most), its classes, or -1).

        Raises:
            UserError: for a file that cannot be read, or has changed since its size was read.
        """
        rows = np.asarray(positions, np.int64)
        sides = self.images.shapes[rows, :2]
        whole = [(0, 0, height, width) for height, width in sides.tolist()]
        if key is None:
            boxes, flips = whole, np.zeros(len(rows), bool)
        else:
            shares, flips = self._crop.boxes(key, sides)
            if self._whole:
                shares = np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (len(rows), 1))
            drawn: list[_Box] = [
                (top, left, height, width)
                for top, left, height, width in whole_pixels(shares, sides).tolist()
            ]
            boxes = [
                everything if len(target) and not _centred(target, crop).any() else crop
                for target, crop, everything in zip(
                    [self.targets[row] for row in rows], drawn, whole, strict=True
                )
            ]
        pixels = np.empty((len(rows), *self.size, 3), np.uint8)

        def read(at: int) -> None:
            pixels[at] = read_view(
                self.images.paths[rows[at]],
                boxes[at],
                self.size,
                self.images.shapes[rows[at]],
                bool(flips[at]),
            )

        for _ in threads().map(read, range(len(rows))):
            pass
        corners = np.full((len(rows), self.most, 4), -1, np.float32)
        classes = np.full((len(rows), self.most), -1, np.float32)
        for at, row in enumerate(rows):
            target = self.targets[row]
            kept = _centred(target, boxes[at])
            corners[at, : kept.sum()] = self._moved(target.corners[kept], boxes[at], flips[at])
            classes[at, : kept.sum()] = target.classes[kept]
        return pixels, corners, classes

    def _moved(self, corners: NDArray[np.float32], box: _Box, flip: bool) -> NDArray[np.float32]:
        """Boxes of a photograph in pixels of its view: cut, scaled and mirrored."""
        top, left, height, width = box
        high, wide = self.size
        limits = np.array([width, height] * 2, np.float32)
        cut = np.clip(corners - np.array([left, top] * 2, np.float32), 0, limits)
        # In this order an edge of the crop comes exactly to the edge of the view.
        moved = cut * np.array([wide, high] * 2, np.float32) / limits
        if flip:
            moved[:, [0, 2]] = wide - moved[:, [2, 0]]
        return moved.astype(np.float32)


def _centred(boxes: Boxes, crop: _Box) -> NDArray[np.bool_]:
    """Which boxes have their centre in a crop (top, left, height, width): (n,)."""
    top, left, height, width = crop
    begin = np.array([left, top], np.float32)
    centres = (boxes.corners[:, :2] + boxes.corners[:, 2:]) / 2 - begin
    inside = (centres >= 0) & (centres < np.array([width, height]))
    return np.asarray(inside.all(axis=1))
