"""A small rotation network that predicts each image without having seen it."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 32
"""Pixels of each side of what the network sees: larger images are averaged down, for it looks at
content and not at detail."""
STEPS, VIEWS_PER_STEP = 240, 256
_PEAK_RATE = 4e-3

Progress = Callable[[int, int], None]


def shrink(images: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Images of at most `side` pixels a side, by a resize that commutes with quarter turns.

    Args:
        images: uint8 (n, S, S, 3).
        side: pixels; smaller images stay as they are.

    Returns:
        uint8 (n, min(S, side), min(S, side), 3).
    """
    from PIL import Image

    from rotkeras.images import fit

    if images.shape[1] <= side:
        return images
    return np.stack([fit(Image.fromarray(image), side) for image in images])


def build(side: int, seed: int) -> Any:
    """Three strided convolutions and a dense layer that knows where things are: uint8 (B, side,
    side, 3) -> logits (B, 4).

    Half a million multiplications a view less than the smallest `backbones.nin`: an audit has
    seconds where training has hours.
    """
    import keras

    def start(number: int) -> Any:
        return keras.initializers.HeNormal(seed=1000 * seed + number)

    inputs = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = keras.layers.Rescaling(1 / 64, offset=-2.0, name="normalization")(inputs)
    for number, (filters, size, stride) in enumerate(
        ((32, 5, 2), (64, 3, 2), (96, 3, 2 if side > 16 else 1)), start=1
    ):
        # Centred windows: at an even side "same" would pad one edge only, and mark it.
        x = keras.layers.ZeroPadding2D(size // 2, name=f"pad{number}")(x)
        x = keras.layers.Conv2D(
            filters,
            size,
            strides=stride,
            use_bias=False,
            kernel_initializer=start(number),
            name=f"conv{number}",
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = keras.layers.ReLU(name=f"relu{number}")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dropout(0.3, seed=seed, name="dropout")(x)
    return keras.Model(
        inputs, keras.layers.Dense(4, kernel_initializer=start(9), name="rotation")(x), name="audit"
    )


def quarter_turns(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The quadruple of each image, turned counter-clockwise: uint8 (n, S, S, 3) -> (n, 4, S, S,
    3)."""
    return np.stack([np.rot90(images, turns, (1, 2)) for turns in range(4)], axis=1)


def predict_unseen(
    images: NDArray[np.uint8],
    seed: int = 0,
    progress: Progress | None = None,
    steps: int | None = None,
) -> NDArray[np.float32]:
    """How a small network takes the four views of each image; the network was trained on the other
    half of the images.

    Args:
        images: uint8 (n, S, S, 3), n at least 8; S as `shrink` leaves it.
        seed: of the halves, the weights and the order of the views.
        progress: called with (steps done, steps in all) of both trainings.
        steps: of each training, of 256 views each; None is 240.

    Returns:
        float32 (n, 4, 4): for each image and each view 0 … 3 the probabilities of the four angles.
    """
    steps = steps or STEPS

    def report(before: int, done: int) -> None:
        if progress:
            progress(before + done, 2 * steps)

    found = np.empty((len(images), 4, 4), np.float32)
    halves = np.array_split(np.random.default_rng(seed).permutation(len(images)), 2)
    for number, (fitted, held_out) in enumerate((halves, halves[::-1])):
        model = _trained(images[fitted], seed * 2 + number, steps, partial(report, number * steps))
        views = quarter_turns(images[held_out])
        logits = model.predict(views.reshape(-1, *images.shape[1:]), batch_size=1024, verbose=0)
        found[held_out] = _softmax(logits).reshape(-1, 4, 4)
    return found


def _trained(images: NDArray[np.uint8], seed: int, steps: int, report: Callable[[int], Any]) -> Any:
    import keras

    model = build(images.shape[1], seed)
    model.compile(
        keras.optimizers.AdamW(_PEAK_RATE, weight_decay=1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # Else its state is made inside the first step, and TensorFlow traces every step twice.
    model.optimizer.build(model.trainable_variables)
    random = np.random.default_rng([seed, 1])
    per_step = min(VIEWS_PER_STEP // 4, len(images))
    labels = np.tile(np.arange(4), per_step)
    order = np.empty(0, np.int64)
    for step in range(steps):
        if len(order) < per_step:
            order = np.concatenate([order, random.permutation(len(images))])
        some, order = images[order[:per_step]], order[per_step:]
        some = np.where(random.random(per_step)[:, None, None, None] < 0.5, some[:, :, ::-1], some)
        model.optimizer.learning_rate = (
            _PEAK_RATE * min(1.0, (step + 1) / 30) * (1 + math.cos(math.pi * step / steps)) / 2
        )
        model.train_on_batch(quarter_turns(some).reshape(-1, *images.shape[1:]), labels)
        report(step + 1)
    return model


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
