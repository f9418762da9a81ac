"""What a segmenter is trained on: boxes of photographs and the same boxes of their masks."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import ShareRange
from rotkeras.arguments.checked import checked
from rotkeras.data.encoded import whole_pixels
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import RandomResizedCrop
from rotkeras.transfer.crops import read_view, threads
from rotkeras.transfer.segment.masks import MaskedImages

_LEAST_RATIO, _GREATEST_RATIO = 3 / 4, 4 / 3
"""Aspect ratio of a box over that of the view: how much a view is stretched."""

Box = tuple[int, int, int, int]
"""Top, left, height and width in pixels of the upright photograph."""


@checked
class MaskViews:
    """Views of photographs and of their masks, of one size.

    A training view is a box of random area and aspect ratio, cut from the photograph itself and
    resized (bilinear, anti-aliased), mirrored for half of them; the box is a function of (seed,
    epoch, index). The mask is cut by the same box and takes the class of the pixel in which the
    centre of each of its pixels lies. Without a key the whole photograph is stretched to the size.

    Args:
        images: photographs and masks.
        size: (H, W) of the views.
        scale: least and greatest area of a box, as a share of the photograph.
        flip: whether half of the training views are mirrored.

    Example:
        views = MaskViews(images, (320, 320))
        key = Key(0, 0, np.array([4, 7]))
        crops, masks = views(np.array([4, 7]), key)  # uint8 (2, 320, 320, 3), (2, 320, 320)
    """

    def __init__(
        self,
        images: MaskedImages,
        size: tuple[int, int],
        scale: ShareRange = (0.25, 1.0),
        flip: bool = True,
    ) -> None:
        self.images = images
        self.size = size
        # The ratio is that of the view, which may be no square.
        wide = size[1] / size[0]
        ratio = _LEAST_RATIO * wide, _GREATEST_RATIO * wide
        # The largest box of an allowed ratio would still cut a wide photograph.
        self._whole = scale[0] == 1
        self._crop = RandomResizedCrop(None, scale, ratio, flip)

    def __call__(
        self, positions: NDArray[np.integer], key: Key | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(uint8 (n, H, W, 3), uint8 (n, H, W) with void 255) of some photographs.

        Args:
            positions: (n,), of the photographs.
            key: of NumPy values, its index (n,), for training views; None for whole photographs.

        Raises:
            UserError: for a file that cannot be read any more.
        """
        rows = np.asarray(positions, np.int64)
        sides = self.images.shapes[rows, :2]
        if key is None:
            shares = np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (len(rows), 1))
            flips = np.zeros(len(rows), bool)
        else:
            shares, flips = self._crop.boxes(key, sides)
            if self._whole:
                shares = np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (len(rows), 1))
        boxes = whole_pixels(shares, sides)
        views = np.empty((len(rows), *self.size, 3), np.uint8)
        masks = np.empty((len(rows), *self.size), np.uint8)

        def one(at: int) -> None:
            top, left, height, width = boxes[at].tolist()
            box = top, left, height, width
            views[at] = read_view(
                self.images.paths[rows[at]],
                box,
                self.size,
                self.images.shapes[rows[at]],
                bool(flips[at]),
            )
            cut = cut_mask(self.images.mask(int(rows[at])), box, self.size)
            masks[at] = cut[:, ::-1] if flips[at] else cut

        for _ in threads().map(one, range(len(rows))):
            pass
        return views, masks


def cut_mask(mask: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A box of a mask, resized to (H, W) by the nearest pixel: that in which the centre of each
    pixel of the result lies.

    Args:
        mask: uint8 (h, w).
        box: within the mask.
        size: (H, W).
    """
    top, left, height, width = box
    # Whole numbers: a centre in floats could fall on the other side of an edge.
    rows = top + (2 * np.arange(size[0]) + 1) * height // (2 * size[0])
    columns = left + (2 * np.arange(size[1]) + 1) * width // (2 * size[1])
    return mask[rows[:, None], columns]
