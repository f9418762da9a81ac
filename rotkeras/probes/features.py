"""Features of every tap, read in one pass over the images."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Positive
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.data.source import Images

Features = dict[str, NDArray[np.float32]]

_CHUNK = 4096


@checked
def extract(extractor: keras.Model, images: Images, images_per_batch: Positive = 128) -> Features:
    """Run a model of several outputs over images.

    Args:
        extractor: a model of `rotkeras.backbones.taps.extractor` or `.maps`: uint8 (B, H, W, 3) ->
            {tap: (B, …)}. Batch norm uses its moving statistics; nothing of the model changes. Made
            outside the scope of a strategy, whose replicas would each run it.
        images: the images, in memory or in a cache.
        images_per_batch: images in one forward pass.

    Returns:
        {tap: float32 (N, …)}, in the order of the images.
    """
    found: Features = {}
    for start in range(0, len(images), _CHUNK):
        chunk = images.take(slice(start, start + _CHUNK))
        # Whole batches only: a last batch of another size would be traced, and on some backends
        # compiled, anew.
        missing = -len(chunk) % images_per_batch
        padded = np.concatenate([chunk, np.zeros((missing, *chunk.shape[1:]), np.uint8)])
        for at in range(0, len(padded), images_per_batch):
            # `predict` would make a pipeline for these few batches, which takes as long again.
            part = extractor.predict_on_batch(padded[at : at + images_per_batch])
            first = start + at
            for tap, values in part.items():
                if (
                    tap not in found
                ):  # filled batch by batch: whole maps of all taps must not lie in memory twice
                    found[tap] = np.empty((len(images), *values.shape[1:]), np.float32)
                into = found[tap][first : first + images_per_batch]
                into[:] = values[: len(into)]
    return found


class PooledFeatures:
    """The pooled features of a network's taps, computed once for each part of the images.

    Args:
        network: a model with taps. Its weights must not change as long as this object is used.
        only: the taps wanted; None for all.
        features: most numbers per tap and image; 1 gives the average of each channel.
    """

    @checked
    def __init__(
        self, network: keras.Model, only: list[str] | None = None, features: Positive = 1024
    ) -> None:
        self.features = features
        model = taps.extractor(network, features)
        self._extractor = model if only is None else _keep(model, only)
        self._found: dict[int, tuple[Images, Features]] = {}

    def __call__(self, images: Images) -> Features:
        """{tap: float32 (N, d)} of the images, see `rotkeras.backbones.taps.extractor`."""
        # The images are kept beside the features: an id is theirs only as long as they live.
        if id(images) not in self._found:
            self._found[id(images)] = images, extract(self._extractor, images)
        return self._found[id(images)][1]


def _keep(model: Any, only: list[str]) -> Any:
    outputs = (
        dict(zip(model.output_names, model.outputs, strict=True))
        if not isinstance(model.output, dict)
        else model.output
    )
    return keras.Model(model.input, {tap: outputs[tap] for tap in only})
