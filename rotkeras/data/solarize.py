"""Solarization, by NumPy on the host and by `keras.ops` inside the step."""

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rotkeras.arguments.accepted import Probability
from rotkeras.arguments.checked import checked
from rotkeras.data import draws
from rotkeras.data.color import UNIT, Pixelwise, Planes
from rotkeras.data.keyed import Key

Tensor = Any
GreyLevel = Annotated[int, Field(ge=0, le=256)]

_APPLY = 40
"""Stream of randomness."""


class RandomSolarize(Pixelwise):
    """See `random_solarize`."""

    undrawn = (UNIT,)

    def __init__(self, probability: float, threshold: int) -> None:
        self.probability = probability
        self.threshold = threshold

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"probability": self.probability, "threshold": self.threshold}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RandomSolarize":
        """The augmentation of a config."""
        return cls(**config)

    def draw(self, key: Key) -> Any:
        """Whether each image is solarized: int32 (B, 1)."""
        return draws.draw(key, (_APPLY, UNIT))

    def changed(self, drawn: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which images are solarized."""
        return np.asarray(drawn[:, 0] < self.probability * UNIT)

    def change(self, planes: Planes, drawn: Tensor, library: Any) -> Planes:
        """Bright values inverted."""
        whether = (drawn[:, 0] < math.ceil(self.probability * UNIT))[:, None, None]
        red, green, blue = (
            library.where(
                library.logical_and(whether, plane >= self.threshold),
                np.float32(255.0) - plane,
                plane,
            )
            for plane in planes
        )
        return red, green, blue


@checked
def random_solarize(probability: Probability = 0.2, threshold: GreyLevel = 128) -> RandomSolarize:
    """Invert the bright values of some images: v from the threshold on becomes 255 − v.

    Args:
        probability: share of the images that are changed.
        threshold: the least value, from 0 to 255, that is inverted; 256 inverts none.

    Reference:
        Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, appendix B; `ImageOps.solarize` of
        Pillow.
    """
    return RandomSolarize(probability, threshold)
