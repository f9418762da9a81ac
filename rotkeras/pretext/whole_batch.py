"""Losses of the statistics of a batch, as Keras objects that see the images of all devices."""

from typing import Any

import keras

from rotkeras.pretext.losses.barlow_twins import barlow_twins
from rotkeras.pretext.losses.vicreg import vicreg
from rotkeras.pretext.over_devices import OverDevices

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class BarlowTwinsLoss(OverDevices):
    """`rotkeras.pretext.losses.barlow_twins` of predictions (2B, d), or (B, 2, d) of views made
    inside the step, times a number; the labels are not used.

    Args:
        off_diagonal: of the loss.
        scale: the number.
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, off_diagonal: float = 0.005, scale: float = 1.0, **arguments: Any) -> None:
        super().__init__(**{"name": "barlow_twins", **arguments})
        self.off_diagonal, self.scale = off_diagonal, scale

    def of_rows(self, rows: Tensor, everything: Tensor, offset: Any) -> Tensor:
        """The one loss of all rows."""
        return self.scale * barlow_twins(everything, self.off_diagonal)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "off_diagonal": self.off_diagonal, "scale": self.scale}


@keras.saving.register_keras_serializable(package="rotkeras")
class VICRegLoss(OverDevices):
    """`rotkeras.pretext.losses.vicreg` of predictions (2B, d), or (B, 2, d) of views made inside
    the step; the labels are not used.

    Args:
        invariance, variance, covariance: of the loss.
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(
        self,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        **arguments: Any,
    ) -> None:
        super().__init__(**{"name": "vicreg", **arguments})
        self.weights = {"invariance": invariance, "variance": variance, "covariance": covariance}

    def of_rows(self, rows: Tensor, everything: Tensor, offset: Any) -> Tensor:
        """The one loss of all rows."""
        return vicreg(everything, **self.weights)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), **self.weights}
