"""Pictures that a task draws of what its model answers, for the report of a run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """One picture of what a trained model answers: pixels, or a table of counts.

    Attributes:
        name: short, of lower-case words joined by "-"; the name of its file.
        caption: one sentence for people: what is shown, and what a good answer looks like.
        pixels: uint8 (H, W, 3); None for a table.
        counts: int64 (K, K), rows the true class, columns the answer; None for pixels.
        class_names: of the K classes of `counts`.
    """

    name: str
    caption: str
    pixels: NDArray[np.uint8] | None = None
    counts: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
