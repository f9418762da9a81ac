"""What a detector's raw numbers mean: anchors, boxes, and which of them are objects; with NumPy
alone.

Boxes are float32 (left, top, right, bottom) in pixels, right and bottom exclusive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import must

VARIANCE = (0.1, 0.1, 0.2, 0.2)
"""By which raw numbers are multiplied: of the centre's row and column, of height and width."""

_GREATEST = 10.0
"""Of the logarithm of a side in sides of its anchor: e^10 is beyond every image, and not yet
infinite."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects found in an image.

    Attributes:
        corners: float32 (n, 4).
        classes: int64 (n,), positions in the names of the classes.
        scores: float32 (n,), 0 … 1, the greatest first where `detections` made them.
    """

    corners: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> "Detections":
        """Those of an image in which nothing is found."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Anchors:
    """The boxes from which a detector measures: of each scale and aspect ratio, around the centre
    of each cell of each level.

    Attributes:
        strides: pixels between neighbouring centres, for each level.
        sizes: pixels of the side of a square of scale 1, for each level.
        scales: by which a side is multiplied.
        aspect_ratios: width to height; the area stays.

    Raises:
        UserError: for another number of sizes than of strides, for values that are not positive,
            and where one has none.

    Reference:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, section 4, whose values are
        the default; the order is that of keras-cv 0.9's AnchorGenerator.
    """

    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    sizes: tuple[float, ...] = (32.0, 64.0, 128.0, 256.0, 512.0)
    scales: tuple[float, ...] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
    aspect_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        for name in ("strides", "sizes", "scales", "aspect_ratios"):
            values = getattr(self, name)
            if not values or min(values) <= 0:
                raise must(f"{name} of anchors", "be positive numbers, at least one", values)
        if len(self.sizes) != len(self.strides):
            expected = f"be as many as the {len(self.strides)} strides, one for each level"
            raise must("sizes of anchors", expected, self.sizes)

    @property
    def per_cell(self) -> int:
        """How many lie around one centre."""
        return len(self.scales) * len(self.aspect_ratios)

    def __call__(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """All anchors of an image, cut to it: float32 (A, 4), by level, row, column, scale and
        aspect ratio.

        Args:
            size: (H, W) of what the network sees.
        """
        levels = [self._level(size, *each) for each in zip(self.strides, self.sizes, strict=True)]
        return np.concatenate(levels)

    def _level(self, size: tuple[int, int], stride: int, side: float) -> NDArray[np.float32]:
        ratios = np.sqrt(np.asarray(self.aspect_ratios, np.float32))
        sides = np.float32(side) * np.asarray(self.scales, np.float32)[:, None]
        halves = 0.5 * np.stack([sides * ratios, sides / ratios], axis=-1).reshape(-1, 2)
        # Cells that the image fills in part count: ceil(H / stride) rows of them.
        rows, columns = (
            (np.arange(-(-length // stride), dtype=np.float32) + np.float32(0.5)) * stride
            for length in size
        )
        centres = np.stack(np.meshgrid(columns, rows), axis=-1)[:, :, None]
        corners = np.concatenate([centres - halves, centres + halves], axis=-1).reshape(-1, 4)
        return _cut(corners.astype(np.float32), size)


def decode(
    raw: NDArray[np.floating],
    anchors: NDArray[np.float32],
    variance: tuple[float, float, float, float] = VARIANCE,
) -> NDArray[np.float32]:
    """The boxes that raw numbers stand for: float32 (A, 4), as keras-cv 0.9 decodes them; they may
    reach out of the image.

    Args:
        raw: (A, 4): how far the centre lies from that of the anchor, rows before columns, in
            heights and widths of the anchor; and the logarithms of height and width in those of the
            anchor; each divided by its variance.
        anchors: (A, 4).
        variance: of the four.
    """
    steps = np.asarray(raw, np.float32) * np.asarray(variance, np.float32)
    sides = anchors[:, 2:] - anchors[:, :2]
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    centres = steps[:, 1::-1] * sides + centres
    halves = np.exp(np.minimum(steps[:, :1:-1], np.float32(_GREATEST))) * sides / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def detections(
    raw: NDArray[np.floating],
    scores: NDArray[np.floating],
    anchors: NDArray[np.float32],
    size: tuple[int, int],
    shape: tuple[int, int],
    *,
    logits: bool = False,
    least_score: float = 0.05,
    iou: float = 0.5,
    most: int = 100,
    candidates: int = 1000,
) -> Detections:
    """The objects in a photograph that was stretched to what the network sees.

    Of each class the boxes that overlap a better one are left out; then the best of all classes
    are kept, cut to the photograph.

    Args:
        raw: (A, 4), see `decode`.
        scores: (A, C), of each class.
        anchors: (A, 4).
        size: (H, W) of what the network sees.
        shape: (height, width) of the photograph, in whose pixels boxes are given back.
        logits: whether the scores are logits rather than probabilities.
        least_score: boxes must have a greater one.
        iou: boxes that overlap a better one of their class by more are left out.
        most: objects in an image.
        candidates: boxes of a class among which overlaps are looked for, the best ones: untrained
            networks give thousands.

    Raises:
        UserError: for raw numbers or scores of another shape.
    """
    count = len(anchors)
    if np.shape(raw) != (count, 4):
        raise must("raw boxes", f"be of shape {(count, 4)}, one for each anchor", raw)
    if np.ndim(scores) != 2 or len(scores) != count:
        raise must("scores", f"be of shape ({count}, classes), one row for each anchor", scores)
    values = np.asarray(scores, np.float32)
    if logits:
        values = _sigmoid(values)
    corners = decode(raw, anchors)
    kept: list[NDArray[np.int64]] = []
    for column in range(values.shape[1]):
        rows = np.flatnonzero(values[:, column] > least_score)
        rows = rows[np.argsort(-values[rows, column], kind="stable")[:candidates]]
        kept.append(rows[suppress(corners[rows], iou, most)])
    classes = np.repeat(np.arange(values.shape[1]), [len(each) for each in kept])
    rows = np.concatenate([np.zeros(0, np.int64), *kept])
    best = np.argsort(-values[rows, classes], kind="stable")[:most]
    rows, classes = rows[best], classes[best]
    scale = np.array([shape[1] / size[1], shape[0] / size[0]] * 2, np.float32)
    found = _cut(corners[rows] * scale, shape)
    left = ((found[:, 2:] - found[:, :2]) > 0).all(axis=1)
    return Detections(found[left], classes[left], values[rows, classes][left])


def suppress(corners: NDArray[np.floating], iou: float, most: int) -> NDArray[np.int64]:
    """Which boxes are kept by greedy non-maximum suppression: int64 positions, in order.

    Args:
        corners: (n, 4), the best first.
        iou: boxes that overlap a kept one by more are left out.
        most: boxes that are kept.
    """
    open_ = np.arange(len(corners))
    kept: list[int] = []
    while len(open_) and len(kept) < most:
        first, rest = open_[0], open_[1:]
        kept.append(int(first))
        open_ = rest[overlaps(corners[[first]], corners[rest])[0] <= iou]
    return np.array(kept, np.int64)


def overlaps(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of each box with each other one: (n, m); 0 where both are empty.

    Args:
        one: (n, 4).
        other: (m, 4).
    """
    first, second = np.asarray(one, np.float64)[:, None], np.asarray(other, np.float64)[None]
    lengths = np.minimum(first[..., 2:], second[..., 2:])
    lengths = lengths - np.maximum(first[..., :2], second[..., :2])
    shared = np.maximum(lengths, 0).prod(axis=-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (first, second)]
    union = areas[0] + areas[1] - shared
    made: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=made, where=union > 0)
    return made


def _cut(corners: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    limits = np.array([size[1], size[0]] * 2, np.float32)
    return np.clip(corners, np.float32(0), limits)


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """By tanh, which does not overflow."""
    half = np.float32(0.5)
    made: NDArray[np.float32] = half * (np.tanh(half * values) + 1)
    return made
