"""What an audit shows its simple predictors of a task: views, and what the task asks of them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError

ROTATION = "rotation"
"""What the rotation task asks; the limits of an audit for it are the oldest."""

POSITIONS = (
    *("above left", "above", "above right", "left"),
    *("right", "below left", "below", "below right"),
)
"""Where a tile lies beside that in the middle of a 3 × 3 grid, from left to right and from top to
bottom."""

Kind = Literal["classes", "parameters", "pairs"]


@dataclass(frozen=True, eq=False)
class ShortcutViews:
    """Views of a task, and its question.

    A row is one question: V views with one answer. Rows of an image stand side by side, as many
    for each image, so that an image is never fitted and evaluated at once. A question has classes,
    or parameters, or neither: then it is which views are of one image, and V is at least 2.

    Attributes:
        asks: what is asked, in words, after "which" or "what": "rotation", "position of the second
            tile".
        views: uint8 (n, V, h, w, 3).
        labels: int64 (n,), the answers, for classes.
        class_names: of the labels.
        parameters: float64 (n, d), the answers, for numbers.
        parameter_names: of the d columns.
        beside: for two views, whether the second may lie beside the first in the image, so that
            its class is where: the class names are then `POSITIONS`.

    Raises:
        UserError: for arrays that do not belong together.
    """

    asks: str
    views: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    parameters: NDArray[np.float64] | None = None
    parameter_names: tuple[str, ...] = ()
    beside: bool = False

    def __post_init__(self) -> None:
        views = self.views
        if views.dtype != np.uint8 or views.ndim != 5 or views.shape[4] != 3:
            raise UserError(
                "ShortcutViews.views must be uint8 (n, V, h, w, 3), got"
                f" {views.dtype} {views.shape}."
            )
        if self.labels is not None and self.parameters is not None:
            raise UserError("ShortcutViews must have labels or parameters, got both; keep one.")
        for name, answers in (("labels", self.labels), ("parameters", self.parameters)):
            if answers is not None and len(answers) != len(views):
                raise UserError(
                    f"ShortcutViews.{name} must have one row for each of {len(views)} rows of"
                    f" views, got {len(answers)}."
                )
        if self.labels is not None and len(self.labels) and not self._named():
            raise UserError(
                f"ShortcutViews.labels must be from 0 to {len(self.class_names) - 1}, the places of"
                f" its class_names, got {self.labels.min()} to {self.labels.max()}."
            )
        if self.kind == "pairs" and views.shape[1] < 2:
            raise UserError(
                "ShortcutViews.views must be at least 2 of an image where neither labels nor"
                f" parameters are given, got {views.shape[1]}."
            )
        if self.beside and (
            self.labels is None or views.shape[1] != 2 or self.class_names != POSITIONS
        ):
            raise UserError(
                "ShortcutViews.beside needs labels, two views and the class_names above left …"
                f" below right, got {'no labels' if self.labels is None else 'labels'},"
                f" {views.shape[1]} views and {len(self.class_names)} names."
            )

    def _named(self) -> bool:
        assert self.labels is not None
        return bool(self.labels.min() >= 0 and self.labels.max() < len(self.class_names))

    @property
    def kind(self) -> Kind:
        """Whether classes, parameters, or pairs are asked for."""
        if self.labels is not None:
            return "classes"
        return "pairs" if self.parameters is None else "parameters"


def tile_pairs(tiles: NDArray[np.uint8]) -> tuple[ShortcutViews, ...]:
    """What a task of a 3 × 3 grid of tiles must not be told: where each tile around the middle one
    lies. That finds both what two tiles tell of each other, as edges that run on, and what one
    tells by itself, as chromatic aberration.

    Args:
        tiles: uint8 (B, 9, h, w, 3), from left to right and from top to bottom.
    """
    batch, count = len(tiles), len(POSITIONS)
    middle = np.repeat(tiles[:, 4:5], count, axis=1)
    others = np.delete(tiles, 4, axis=1)
    pairs = np.stack([middle, others], axis=2).reshape(-1, 2, *tiles.shape[2:])
    labels = np.tile(np.arange(count, dtype=np.int64), batch)
    asks = "position of the second tile"
    return (ShortcutViews(asks, pairs, labels, POSITIONS, beside=True),)
