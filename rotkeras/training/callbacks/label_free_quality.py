"""Measures of every tap without labels, while the network trains."""

import time
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import NotNegative, Positive, Seed, SeveralViews
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.data import keyed
from rotkeras.data.augmentation import NAMES, Augmentation, chain
from rotkeras.data.keyed import Key
from rotkeras.data.source import Images
from rotkeras.errors import must
from rotkeras.probes.features import extract
from rotkeras.quality.measures import Measured, measure_quality

Result = dict[str, Measured]
"""{tap: {measure: value, or None}}."""

_FIRST_VIEW = 9_000
"""Views have seeds of their own, and none that a task's views have."""

_CHUNK = 256
"""Images whose views are made together."""


class LabelFreeQuality(keras.callbacks.Callback):
    """Measure the features of every tap without labels: RankMe, the exponent of α-ReQ, LiDAR,
    uniformity and alignment (`rotkeras.quality`).

    Features are the average of each channel. RankMe, α-ReQ and uniformity are of `count` images as
    they are; LiDAR and alignment of `views` views of a `views`-th of them (two images at least), so
    that one look is two passes over as many images.

    The views are SimCLR's crops and colours at their defaults, whatever task is trained. They are a
    function of (seed, index of the image), are made once, and stay in memory: of `count` images at
    32 pixels 3 KiB each, at 224 pixels 147 KiB. So numbers of epochs, taps, tasks and runs on the
    same images can be compared. Images that stay encoded are decoded as centred squares, so that
    `data.storage` changes nothing.

    An untrained copy of the network is measured once, for comparison.

    Args:
        images: a part of a source, such as `source.validation`; two images at least.
        every_epochs: measure after every so many epochs, and after the last; 0 for the last alone.
        count: most images, by a seeded draw. Use several times as many as a tap has channels.
        views: of each image.
        seed: of the draw and of the views. Leave it where runs are to be compared.
        untrained_seed: of the weights of the untrained copy.

    Adds to the logs of an epoch that is due: `quality/<tap>/<measure>`, of `rankme`, `alpha_req`,
    `lidar`, `uniformity` and `alignment` (not there where it has no value), and
    `quality/seconds`. Put it before the callbacks that should see these.

    Attributes:
        untrained: {tap: {measure: value}} of the untrained copy; set at the beginning of training
            unless it is set already.
        results: {epoch, counted from 1: the same}.
        images: the images that are measured, N.

    Raises:
        UserError: for fewer than two images.
    """

    @checked
    def __init__(
        self,
        images: Images,
        every_epochs: NotNegative = 10,
        count: Positive = 512,
        views: SeveralViews = 4,
        seed: Seed = 0,
        untrained_seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.images = images.draw(count, seed)
        if len(self.images) < 2:
            raise must("images", "be at least two", len(self.images))
        self.every_epochs = every_epochs
        self.views = views
        self.seed = seed
        self.untrained_seed = untrained_seed
        self.untrained: Result | None = None
        self.results: dict[int, Result] = {}
        self._epoch = 0
        self._views: Images | None = None
        self._extractor: tuple[keras.Model, keras.Model] | None = None

    def measure(self, network: keras.Model) -> Result:
        """Measure every tap of a network now; it is left as it is."""
        if self._extractor is None or self._extractor[0] is not network:
            # It is traced once, not at every epoch.
            self._extractor = network, taps.extractor(network, 1)
        if self._views is None:
            self._views = Images.of(self._make_views())
        plain = extract(self._extractor[1], self.images)
        viewed = extract(self._extractor[1], self._views)
        return {
            tap: measure_quality(plain[tap], each.reshape(-1, self.views, each.shape[-1]))
            for tap, each in viewed.items()
        }

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measure an untrained copy of the network."""
        if self.untrained is None:
            self.untrained = self.measure(taps.untrained_copy(self.model, self.untrained_seed))
        self._epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure when it is due."""
        self._epoch = epoch + 1
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not last and (self.every_epochs == 0 or (epoch + 1) % self.every_epochs):
            return
        start = time.perf_counter()
        result = self.results[epoch + 1] = self.measure(self.model)
        if logs is not None:
            for tap, measured in result.items():
                for name, value in measured.items():
                    if value is not None:
                        logs[f"quality/{tap}/{name}"] = value
            logs["quality/seconds"] = time.perf_counter() - start

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Measure once more when training stopped before its last epoch; the logs are closed by
        then, `results` has it."""
        if self._epoch and self._epoch not in self.results:
            self.results[self._epoch] = self.measure(self.model)

    def _make_views(self) -> NDArray[np.uint8]:
        """uint8 (n·q, H, W, 3), the views of an image side by side."""
        augment = chain(standard_views())
        several = self.images.draw(max(2, len(self.images) // self.views), self.seed)
        made = np.empty((len(several), self.views, *several.image_shape), np.uint8)
        for start in range(0, len(several), _CHUNK):
            rows = slice(start, start + _CHUNK)
            pixels, index = several.take(rows), several.rows[rows]
            for view in range(self.views):
                seed = keyed.mix(self.seed, _FIRST_VIEW + view).astype(np.int64)
                made[rows, view] = augment(pixels, Key(seed, np.int64(0), index))
        return made.reshape(-1, *several.image_shape)


def standard_views() -> list[Augmentation]:
    """The augmentations of the views: those of `rotkeras.pretext.SimCLR` at its defaults."""
    named: dict[str, Any] = NAMES
    return [
        named["random_resized_crop"](scale=(0.08, 1.0)),
        named["color_jitter"](0.4, 0.4, 0.4, 0.1),
        named["random_grayscale"](0.2),
    ]
