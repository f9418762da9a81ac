"""Which tap to export: the one whose pooled vectors give a linear probe the highest accuracy on
validation images."""

from typing import Any

import keras
import numpy as np

from rotkeras.backbones import taps
from rotkeras.data.source import Source
from rotkeras.export.parts import Parts
from rotkeras.probes.choice import choose
from rotkeras.probes.features import extract
from rotkeras.probes.linear import ridge
from rotkeras.probes.measurable import measurable

MOST_IMAGES = 5000


def choose_tap(
    parts: Parts, network: keras.Model, source: Source, seed: int = 0
) -> tuple[str, dict[str, float], dict[str, Any] | None]:
    """The tap whose exported vectors are best, and the accuracy of each.

    The probes of a run read a grid of each map, a thousand numbers; for vectors of averages another
    tap may be best.

    Args:
        parts: of `parts_of`, with any tap: only its pooling matters.
        network: whose taps they are.
        source: labelled images of the files' input size, with a validation set.
        seed: of the draw of at most 5,000 images of each part.

    Returns:
        (tap, {tap: accuracy of ridge regression on validation images}, what
        `rotkeras.probes.choice.Choice.record` gives). The second tap, as in table 1 of Gidaris et
        al., ICLR 2018, where it does not differ significantly from the best, and without two
        labelled classes in training and validation (then with an empty mapping, and None).
    """
    train, validation = source.train, source.validation
    if (
        validation is None
        or train.labels is None
        or validation.labels is None
        or len(np.intersect1d(train.labels, validation.labels)) < 2
    ):
        return taps.default(network), {}, None
    train = train.draw(MOST_IMAGES, seed, "stratified")
    validation = measurable(train, validation)[0].draw(MOST_IMAGES, seed, "stratified")
    assert train.labels is not None
    assert validation.labels is not None
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
    correct = {
        tap: ridge(values, train.labels).predict(held_out[tap]) == validation.labels
        for tap, values in features.items()
    }
    scores = {tap: float(np.mean(each)) for tap, each in correct.items()}
    found = choose(scores, None, taps.default(network), correct)
    return found.tap, scores, found.record()
