"""Which tap to export: the one whose pooled vectors give a linear probe the best accuracy on
validation images."""

import keras
import numpy as np

from rotkeras import taps
from rotkeras.data.source import Source
from rotkeras.export.parts import Parts
from rotkeras.probes.choice import choose
from rotkeras.probes.features import extract
from rotkeras.probes.linear import ridge

MOST_IMAGES = 5000


def choose_tap(
    parts: Parts, network: keras.Model, source: Source, seed: int = 0
) -> tuple[str, dict[str, float]]:
    """The tap whose exported vectors are best, and how good each is.

    The probes of a run read a grid of each map, a thousand numbers; a vector of averages is another
    thing, and another tap may be best for it.

    Args:
        parts: of `parts_of`, with any tap: its pooling is what counts.
        network: whose taps they are.
        source: labelled images of the files' input size, with a validation part.
        seed: of the draw of at most 5,000 images of each part.

    Returns:
        (tap, {tap: accuracy of ridge regression on validation images}). The second tap, as in table
        1 of Gidaris et al., ICLR 2018, where all taps are within the 95 % interval of the best, and
        without labels or validation (then with an empty mapping).
    """
    train, validation = source.train, source.validation
    if (
        validation is None
        or train.labels is None
        or validation.labels is None
        or len(np.unique(train.labels)) < 2
    ):
        return taps.default(network), {}
    train, validation = train.draw(MOST_IMAGES, seed), validation.draw(MOST_IMAGES, seed)
    layer = (
        keras.layers.GlobalAveragePooling2D
        if parts.pooling == "average"
        else keras.layers.GlobalMaxPooling2D
    )
    pooled = {
        tap: layer(name=f"{tap}_pooled", dtype="float32")(maps)
        for tap, maps in parts.taps.output.items()
    }
    model = keras.Model(parts.taps.inputs[0], pooled)
    features, held_out = extract(model, train), extract(model, validation)
    scores = {}
    for tap, values in features.items():
        assert train.labels is not None
        scores[tap] = float(
            np.mean(ridge(values, train.labels).predict(held_out[tap]) == validation.labels)
        )
    return choose(scores, len(validation), taps.default(network)).tap, scores
