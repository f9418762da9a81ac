"""Class activation maps and saliency through tf-keras-vis: what in the image speaks for an
answer."""

import functools
import importlib
import os
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import (
    CamMethod,
    ImageBatch,
    NotNegative,
    NotNegativeNumber,
    Numbers,
    Seed,
    Text,
)
from rotkeras.arguments.checked import checked
from rotkeras.attention.activation import check_images
from rotkeras.attention.differentiable import differentiable, traced
from rotkeras.errors import UserError, nearest

_CLASSES = {
    "gradcam": ("tf_keras_vis.gradcam", "Gradcam"),
    "gradcam++": ("tf_keras_vis.gradcam_plus_plus", "GradcamPlusPlus"),
    "layercam": ("tf_keras_vis.layercam", "Layercam"),
    "scorecam": ("tf_keras_vis.scorecam", "Scorecam"),
    "saliency": ("tf_keras_vis.saliency", "Saliency"),
}
METHODS = tuple(_CLASSES)
"""The methods by name."""

IMAGES_PER_PASS = 32
_SCORECAM_BYTES = (
    256 * 2**20
)  # of the copies of the images, one masked by each channel, that Score-CAM holds at once
_WORTH_A_TRACE = 10


@checked
def class_activation_maps(
    model: keras.Model,
    images: ImageBatch,
    method: CamMethod = "gradcam",
    tap: Text | None = None,
    target: NotNegative | Numbers | None = None,
    output: Text | None = None,
    smooth_samples: NotNegative = 20,
    smooth_noise: NotNegativeNumber = 0.2,
    seed: Seed = 0,
) -> NDArray[np.float32]:
    """Where an image speaks for a rotation, or for a class.

    Args:
        model: a classifier, uint8 or float (B, H, W, 3) values 0 … 255 -> (B, classes): the
            `model.keras` of a run, or any flat functional model of other inputs and classes.
            Mixed-precision models are computed in float32.
        images: uint8 (N, H, W, 3), values 0 … 255.
        method: "gradcam", "gradcam++", "layercam", "scorecam", or "saliency".
        tap: a tap, or any layer with a feature map; None for the last. Saliency has none.
        target: the class to explain: its number, one number per image, or None for the answer
            that the model gives. For the rotation task number k is the k-th angle (0, 90, 180,
            270).
        output: of a model with several named outputs, the one to look at.
        smooth_samples: of saliency: noisy copies per image (SmoothGrad); 0 for the plain gradient.
        smooth_noise: of saliency: standard deviation of the noise, as a share of the image's range
            of values.
        seed: of that noise.

    Returns:
        float32 (N, H, W), each image's map scaled to 0 … 1. A map of zeros means that nothing spoke
        for the answer.

    Raises:
        UserError: for a method, tap, target or output that is not there, images that do not fit,
            nested models, and a tf-keras-vis that is missing or does not work with the installed
            Keras.

    Reference:
        Selvaraju et al., Grad-CAM, ICCV 2017; Chattopadhyay et al., Grad-CAM++, WACV 2018; Jiang et
        al., LayerCAM, TIP 2021; Wang et al., Score-CAM, CVPRW 2020; Smilkov et al., SmoothGrad,
        2017.
    """
    if method not in _CLASSES:
        raise UserError(f"There is no method {method!r}; {nearest(method, METHODS)}")
    scores = differentiable(model, output)
    check_images(scores, images)
    layer = None if method == "saliency" else _place(scores, tap)
    visualise = visualisation(
        method,
        traced(scores) if method == "saliency" and smooth_samples >= _WORTH_A_TRACE else scores,
    )
    found = []
    count = IMAGES_PER_PASS
    if method == "scorecam":
        assert layer is not None  # only saliency has none
        count = max(
            1,
            min(
                count,
                _SCORECAM_BYTES
                // (4 * int(np.prod(images.shape[1:])) * int(layer.output.shape[-1])),
            ),
        )
    for start in range(0, len(images), count):
        batch = images[start : start + count].astype(np.float32)
        answers = _targets(scores, batch, target, start, len(images))
        options: dict[str, Any]
        if method == "saliency":
            options = {"smooth_samples": smooth_samples, "smooth_noise": smooth_noise}
        else:
            options = {"penultimate_layer": layer, "seek_penultimate_conv_layer": False}
        found.append(
            np.asarray(_call(visualise, answers, batch, seed + start, options), np.float32)
        )
    return np.nan_to_num(np.concatenate(found))


def visualisation(method: str, model: keras.Model) -> Any:
    """The tf-keras-vis object of a method; its dependency is imported here and not before."""
    home, name = _CLASSES[method]
    made = getattr(import_vis(home), name)(model, clone=False)
    if method == "scorecam":  # its `predict` would draw a progress bar into the user's terminal
        model.predict = functools.partial(model.predict, verbose=0)
    return made


def import_vis(module: str) -> Any:
    """A module of tf-keras-vis; a `UserError` when it is missing or does not fit what is
    installed."""
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "tf-keras-vis needs the TensorFlow backend of Keras, received"
            f" {keras.backend.backend()}: set KERAS_BACKEND=tensorflow, or take activation maps,"
            " which need none."
        )
    # It reads tensorflow.keras, which must be the Keras that made the model.
    if os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() not in ("", "0", "false"):
        raise UserError(
            "tf-keras-vis sees Keras 2 while TF_USE_LEGACY_KERAS is set: unset it, for the model is"
            " of Keras 3."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = "tf-keras-vis" if (error.name or "").startswith("tf_keras_vis") else error.name
        raise UserError(
            f"Class activation maps need {missing}, which is missing: pip install"
            " 'tf-keras-vis>=0.8.7'."
        ) from None
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"The installed tf-keras-vis does not fit the other packages ({error}): pip install"
            " 'tf-keras-vis>=0.8.7'."
        ) from None


def score_of(answers: Sequence[int]) -> Any:
    """The score that tf-keras-vis raises: of one answer per image."""
    return import_vis("tf_keras_vis.utils.scores").CategoricalScore(list(answers))


def _call(
    visualise: Any,
    answers: list[int],
    batch: NDArray[np.float32],
    seed: int,
    options: dict[str, Any],
) -> Any:
    state = np.random.get_state()
    np.random.seed(seed % 2**32)  # SmoothGrad draws from NumPy's global generator
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return visualise(score_of(answers), batch, **options)
    finally:
        np.random.set_state(state)


def _place(model: keras.Model, tap: str | None) -> keras.layers.Layer:
    places = {layer.name: layer for layer in model.layers if _is_map(layer)}
    if tap is not None:
        if tap not in places:
            marked = [name for name in places if isinstance(places[name], keras.layers.Identity)]
            raise UserError(
                f"There is no tap {tap!r} before the predictions; {nearest(tap, marked or places)}"
            )
        return places[tap]
    last = [
        each
        for each in places.values()
        if isinstance(each, keras.layers.Identity | keras.layers.Conv2D)
    ]
    if not last:
        raise UserError(
            f"The model {model.name!r} must have a feature map: a tap or a convolution."
        )
    return last[-1]


def _is_map(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.InputLayer):
        return False
    shape = getattr(layer.output, "shape", None)
    return shape is not None and len(shape) == 4


def _targets(
    model: keras.Model, batch: Any, target: int | Sequence[int] | None, start: int, count: int
) -> list[int]:
    classes = model.output.shape[1]
    if target is None:
        answers = keras.ops.convert_to_numpy(model(batch, training=False)).argmax(-1)
        return [int(each) for each in answers]
    targets = (
        [int(target)] * count
        if isinstance(target, int | np.integer)
        else [int(each) for each in target]
    )
    if len(targets) != count:
        raise UserError(
            f"target must be one class, or one for each of {count} images, got {len(targets)}."
        )
    if wrong := [each for each in targets if not 0 <= each < classes]:
        raise UserError(f"target must be a class from 0 to {classes - 1}, got {wrong[0]}.")
    return targets[start : start + len(batch)]
