"""Recognise the local features of another view of the image (AMDIM)."""

from collections.abc import Sequence
from typing import Any

from rotkeras.arguments.accepted import (
    NotNegativeNumber,
    Positive,
    PositiveNumber,
    Probability,
    ShareRange,
    Strength,
    TapNames,
)
from rotkeras.arguments.checked import checked
from rotkeras.data import draws
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import WHOLE
from rotkeras.errors import UserError, must
from rotkeras.pretext.augmented_views import beside, library_of
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.two_views import TwoViews

Tensor = Any

_MOST_LOCATIONS = 7
"""Locations along each side of a map. The loss compares all locations of a batch: of photographs'
28 × 28 it would need gigabytes."""
_STREAMS = (9_500, 9_501)
"""Of the draws of a location in each view, far from those of augmentations."""


class AMDIM(TwoViews):
    """The AMDIM task: the global features of a view recognise the local features of the other view
    of its image, at several taps, among those of all other images of the batch. Global features
    are the pooled output of the network, local features those of one location of a map.

    Args:
        clip: scores are bounded by this, smoothly.
        regularisation: of the mean of the squared scores.
        hidden_units: units of the hidden layer of each head.
        projection_units: length of the vectors that the loss compares.
        local_taps: taps whose local features are compared, the deepest last; None for the last two
            with a map larger than 1×1, or the one there is.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.

    Raises:
        UserError: for settings out of range.

    Example:
        task = AMDIM()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Bachman, Hjelm, Buchwalter, Learning Representations by Maximizing Mutual Information Across
        Views, NeurIPS 2019, section 3. There the maps are 5×5 and 7×7 of a network whose local
        features see a part of the image alone; here they are taps of any backbone, averaged to one
        grid of at most 7×7.
    """

    method = (
        "recognising the local features of another view (AMDIM: Bachman, Hjelm, Buchwalter,"
        " NeurIPS 2019)"
    )
    monitor = Monitor("accuracy", "local-global accuracy", "local-global")

    @checked
    def __init__(
        self,
        clip: PositiveNumber = 20.0,
        regularisation: NotNegativeNumber = 0.04,
        hidden_units: Positive = 256,
        projection_units: Positive = 128,
        local_taps: TapNames | None = None,
        crop_scale: ShareRange = (0.3, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.25,
        blur: Probability = 0.0,
    ) -> None:
        self.clip = clip
        self.regularisation = regularisation
        self.hidden_units = hidden_units
        self.projection_units = projection_units
        self.local_taps = None if local_taps is None else tuple(local_taps)
        self.make_views(crop_scale, color_strength, grayscale, blur)

    def chance(self, images_per_batch: int) -> float:
        """The local-global accuracy of a network that guesses: one of the images of a batch."""
        return 1 / images_per_batch

    def _made(self, views: list[Tensor], key: Key) -> tuple[Any, Any]:
        library = library_of(views[0])
        labels = self.labels(self._locations(key))
        return self.arranged(views, library), library.reshape(labels, (-1,))

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, D); last a location in each view."""
        return beside([self.augmented.draw(key), self._locations(key)])

    def labels(self, drawn: Any) -> Any:
        """y of the views that `apply` makes, on the host: int32 (B, 2), the location of each view
        whose local features recognise those of the other, in 1/65,536 of all."""
        return drawn[:, -2:]

    def apply(self, images: Tensor, drawn: Tensor) -> Any:
        """The views as `views` makes them, inside the step by `keras.ops`, within one grey level:
        uint8 (B, H, W, 3) -> x."""
        return super().apply(images, drawn[:, :-2])

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, and a head of two layers for its pooled output and for each local tap.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output, and taps.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (2B, H, W, 3) -> float32 (2B, T, 1 + L, projection_units):
            for each of T taps the global features and the local features of L locations.

        Raises:
            UserError: for taps that are not there, and a backbone without a map.
        """
        self.check_backbone(backbone)
        import keras

        from rotkeras.backbones import taps
        from rotkeras.pretext.heads import mlp, pool

        maps = [taps.output(backbone, each) for each in self._taps(backbone)]
        side = min(_MOST_LOCATIONS, *(min(each.shape[1:3]) for each in maps))
        hidden, units = [self.hidden_units], self.projection_units
        of_view = mlp(pool(backbone), hidden, units, "projection", backbone)
        of_view = keras.layers.Reshape((1, 1, units), name="global")(of_view)
        groups = []
        for number, each in enumerate(maps, 1):
            if each.shape[1:3] != (side, side):
                each = taps.grid_layer(side, f"local{number}_grid", dtype=None)(each)
            # Dense layers on the last axis: convolutions of 1×1.
            local = mlp(each, hidden, units, f"local{number}", backbone)
            local = keras.layers.Reshape((1, side * side, units), name=f"locations{number}")(local)
            groups.append(keras.layers.Concatenate(axis=2, name=f"group{number}")([of_view, local]))
        packed = (
            keras.layers.Concatenate(axis=1, name="groups")(groups) if groups[1:] else groups[0]
        )
        return keras.Model(backbone.input, packed, name="amdim")

    def criterion(self) -> Any:
        """InfoNCE between global and local features, and between local features (section 3.5)."""
        from rotkeras.pretext.local_losses import LocalGlobal

        return LocalGlobal(self.clip, self.regularisation)

    def metrics(self) -> list[Any]:
        """Local-global accuracy: the share of views whose global features are most similar to the
        local features of the other view of its image."""
        from rotkeras.pretext.local_losses import LocalGlobalAccuracy

        return [LocalGlobalAccuracy(name="accuracy")]

    def _taps(self, backbone: Any) -> Sequence[str]:
        """The local taps of a backbone."""
        from rotkeras.backbones import taps

        there = taps.names(backbone)
        for number, each in enumerate(self.local_taps or ()):
            if each not in there:
                names = ", ".join(map(repr, there))
                raise must(f"local_taps.{number}", f"be one of {names}", each)
        if self.local_taps is not None:
            return self.local_taps
        large = [each for each in there if min(taps.output(backbone, each).shape[1:3]) > 1]
        if not large:
            raise UserError(
                "The backbone must have a tap with a map larger than 1×1 for AMDIM, and has none;"
                " use larger images, or a network with a map."
            )
        return large[-2:]

    def _locations(self, key: Key) -> Any:
        """A location in each view: int32 (B, 2)."""
        return draws.draw(key, *((stream, WHOLE) for stream in _STREAMS))
