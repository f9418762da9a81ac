"""Gaussian blur, by NumPy on the host and by `keras.ops` inside the step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Probability, Range, Share
from rotkeras.arguments.checked import checked
from rotkeras.data import draws
from rotkeras.data.color import UNIT, Pixelwise, Planes
from rotkeras.data.keyed import Key

Tensor = Any

_APPLY, _SIGMA = 30, 31
"""Streams of randomness."""


class GaussianBlur(Pixelwise):
    """See `gaussian_blur`."""

    undrawn = (UNIT, 0)

    def __init__(self, sigma: tuple[float, float], kernel: float, probability: float) -> None:
        self.sigma = (float(sigma[0]), float(sigma[1]))
        self.kernel = kernel
        self.probability = probability

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"sigma": self.sigma, "kernel": self.kernel, "probability": self.probability}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GaussianBlur":
        """The augmentation of a config."""
        return cls(tuple(config["sigma"]), config["kernel"], config["probability"])

    def draw(self, key: Key) -> Any:
        """(whether, sigma) of each image: int32 (B, 2)."""
        return draws.draw(key, (_APPLY, UNIT), (_SIGMA, UNIT))

    def changed(self, drawn: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which images are blurred."""
        return np.asarray(drawn[:, 0] < self.probability * UNIT)

    def change(self, planes: Planes, drawn: Tensor, library: Any) -> Planes:
        """The blurred planes."""
        height, width = planes[0].shape[1:3]
        reach = max(1, round(self.kernel * max(height, width) / 2))
        reach = min(reach, height - 1, width - 1)
        cast = (
            (lambda each: each.astype(np.float32))
            if library is np
            else (lambda each: library.cast(each, "float32"))
        )
        low, high = self.sigma
        sigma = np.float32(low) + cast(drawn[:, 1]) * np.float32((high - low) / UNIT)
        taps = library.arange(-reach, reach + 1, dtype="float32")
        kernel = library.exp(-np.float32(0.5) * (taps[None] / sigma[:, None]) ** 2)
        kernel = kernel / library.sum(kernel, axis=1, keepdims=True)
        whether = cast(drawn[:, 0])[:, None, None] < np.float32(self.probability * UNIT)
        made = []
        for plane in planes:
            blurred = plane
            for axis in (1, 2):
                padding = [(0, 0), (0, 0), (0, 0)]
                padding[axis] = (reach, reach)
                padded = library.pad(blurred, padding, mode="reflect")
                side = blurred.shape[axis]
                parts = [
                    kernel[:, tap, None, None]
                    * (padded[:, tap : tap + side] if axis == 1 else padded[:, :, tap : tap + side])
                    for tap in range(2 * reach + 1)
                ]
                blurred = sum(parts[1:], start=parts[0])
            made.append(library.where(whether, blurred, plane))
        return made[0], made[1], made[2]


@checked
def gaussian_blur(
    sigma: Range = (0.1, 2.0), kernel: Share = 0.1, probability: Probability = 0.5
) -> GaussianBlur:
    """Blur some images by a Gaussian of random width; sides are reflected.

    Args:
        sigma: least and greatest standard deviation in pixels.
        kernel: length of the kernel, as a share of the longer side of the image.
        probability: share of the images that are blurred.

    Reference:
        Chen et al., ICML 2020, appendix A: for photographs, not for images of 32 pixels.
    """
    return GaussianBlur(sigma, kernel, probability)
