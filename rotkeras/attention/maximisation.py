"""Activation maximisation: the image that an answer, or a channel of a tap, responds to most."""

import warnings

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Numbers, Positive, Seed, Text
from rotkeras.arguments.checked import checked
from rotkeras.attention.class_activation import import_vis
from rotkeras.attention.differentiable import differentiable, traced
from rotkeras.backbones import taps
from rotkeras.errors import UserError


@checked
def maximise(
    model: keras.Model,
    units: Numbers,
    tap: Text | None = None,
    output: Text | None = None,
    steps: Positive = 200,
    seed: Seed = 0,
) -> NDArray[np.uint8]:
    """Images made from noise so that units respond as strongly as they can.

    Args:
        model: a classifier, as for `class_activation_maps`.
        units: without a tap, class numbers; with one, numbers of its
            channels, whose mean over all places is raised.
        tap: a tap, or None for the classes.
        output: of a model with several named outputs, the one to look at.
        steps: of the optimiser; 200 take a few seconds for a small network.
        seed: of the noise and of the jitter.

    Returns:
        uint8 (units, H, W, 3), values 0 … 255.

    Raises:
        UserError: for a unit or tap that is not there, and as `class_activation_maps`.

    Reference:
        Erhan et al., Visualizing Higher-Layer Features of a Deep Network, 2009, by tf-keras-vis
        with total variation and jitter.
    """
    import_vis("tf_keras_vis")
    whole = differentiable(model, output)
    if tap is not None:
        taps.check(whole, tap)
        pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(whole.get_layer(tap).output)
        whole = keras.Model(whole.input, pooled)
    there = whole.output.shape[1]
    if not units or (wrong := [unit for unit in units if not 0 <= unit < there]):
        what = "classes" if tap is None else f"channels of {tap}"
        raise UserError(
            f"units must be {what} from 0 to {there - 1}, got"
            f" {list(units) if not units else wrong[0]}."
        )
    maximiser = import_vis("tf_keras_vis.activation_maximization").ActivationMaximization(
        traced(whole), clone=False
    )
    modifiers = import_vis("tf_keras_vis.activation_maximization.input_modifiers")
    regularizers = import_vis("tf_keras_vis.activation_maximization.regularizers")
    score = import_vis("tf_keras_vis.utils.scores").CategoricalScore(list(units))
    generator = np.random.default_rng(seed)
    noise = generator.normal(127.5, 20, (len(units), *whole.input.shape[1:])).astype(np.float32)
    state = np.random.get_state()
    np.random.seed(seed % 2**32)  # the jitter draws from NumPy's global generator
    keras.utils.set_random_seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = maximiser(
                score,
                seed_input=noise,
                input_range=(0.0, 255.0),
                input_modifiers=[modifiers.Jitter(jitter=2)],
                regularizers=[regularizers.TotalVariation2D(weight=0.05 if tap is None else 0.002)],
                optimizer=keras.optimizers.RMSprop(4.0, 0.95),
                steps=steps,
            )
    finally:
        np.random.set_state(state)
    return np.clip(np.round(np.asarray(made)), 0, 255).astype(np.uint8)
