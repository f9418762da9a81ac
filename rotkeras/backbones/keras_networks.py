"""Backbones from `keras.applications` and from `.keras` files."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rotkeras.arguments.accepted import AnyPath, Momentum, Positive, Text
from rotkeras.arguments.checked import checked
from rotkeras.backbones.units import Pixels
from rotkeras.errors import UserError, brief, must, nearest
from rotkeras.files import check_regular, expanded

if TYPE_CHECKING:
    import keras

_OURS = ("include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "name")
_OF_HEAD = ("classifier_activation", "include_preprocessing", "dropout", "dropout_rate")


@checked
def keras_applications(
    model: Text,
    weights: Text | None = None,
    arguments: Mapping[str, Any] = {},
    activation: Literal["relu", "relu6"] | None = None,
    taps: Sequence[Text] | None = None,
    batch_norm_momentum: Momentum | None = None,
    input_shape: tuple[Positive, Positive, Positive] = (224, 224, 3),
    synchronized_batch_norm: bool = False,
) -> "keras.Model":
    """An image classifier of `keras.applications` without its head, with its preprocessing inside
    and taps at the end of each resolution (see `from_model`).

    Args:
        model: its name, such as MobileNetV3Small.
        weights: null for newly drawn ones, imagenet for those that Keras downloads, or the path of
            a file of weights.
        arguments: further arguments of the network, such as alpha (its width), or minimalistic
            (MobileNetV3 without squeeze-and-excite and hard-swish, which int8 handles best).
        activation: in place of hard-swish and SiLU, which hardware that computes in int8 alone
            does slowly or not at all; null leaves the network's own. Squeeze-and-excite stays.
        taps: layers to put taps behind; null finds them.
        batch_norm_momentum: for all batch norm layers; null leaves the network's own, 0.99 or
            0.999.
        input_shape: (H, W, 3).
        synchronized_batch_norm: batch statistics over all replicas of a `MirroredStrategy`.

    Input shape:
        uint8 (B, H, W, 3), values 0 … 255.

    Output shape:
        (B, h, w, C): the last tap.

    Example:
        backbone = keras_applications("MobileNetV3Small", input_shape=(96, 96, 3))

    Raises:
        UserError: for a name or an argument that is not there, a size that the network cannot take,
            and weights that cannot be had.
    """
    import keras

    from rotkeras.backbones import any_model

    make = check_network(model, arguments)
    try:
        built = make(include_top=False, weights=weights, input_shape=input_shape, **arguments)
    except Exception as error:
        raise UserError(
            f"keras.applications.{model} cannot be built for images of {tuple(input_shape)}"
            f"{f' with weights {weights!r}' if weights else ''} ({brief(error)})."
        ) from error
    module: Any = inspect.getmodule(make)

    def before(images: Any) -> Any:
        scale, offset, order = _affine(module.preprocess_input)
        x = images
        if scale != (1.0, 1.0, 1.0) or offset != (0.0, 0.0, 0.0):
            layer = keras.layers.Rescaling
            x = layer(list(scale), list(offset), dtype="float32", name="preprocessing")(x)
        return keras.ops.flip(x, axis=-1) if order == (2, 1, 0) else x

    return any_model.rebuild(
        built,
        taps,
        before=before,
        input_shape=input_shape,
        batch_norm_momentum=batch_norm_momentum,
        synchronized_batch_norm=synchronized_batch_norm,
        activation=activation,
    )


def check_network(model: str, arguments: Mapping[str, Any]) -> Any:
    """The function of `keras.applications` that makes a network.

    Raises:
        UserError: for a name or an argument that is not there.
    """
    make = _network(model)
    known = [each for each in inspect.signature(make).parameters if each not in (*_OURS, *_OF_HEAD)]
    for name in arguments:
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise UserError(f"{model} has no argument {name!r} for a recipe; {there}.")
    return make


def check_file(path: AnyPath) -> Path:
    """The path of a `.keras` file; a `UserError` where none is there."""
    file = expanded(path)
    check_regular(file)
    if not file.exists():
        raise UserError(
            f"The network {str(file)!r} does not exist. Give the path of a .keras file."
        )
    return file


@checked
def keras_file(
    path: AnyPath,
    weights: Literal["kept", "new"] = "kept",
    pixels: Pixels = "0..255",
    taps: Sequence[Text] | None = None,
    batch_norm_momentum: Momentum | None = None,
    input_shape: tuple[Positive, Positive, Positive] | None = None,
    synchronized_batch_norm: bool = False,
) -> "keras.Model":
    """The network in a `.keras` file as a backbone, without its head (see `from_model`).

    Args:
        path: of the file.
        weights: kept starts from those in the file, new draws others.
        pixels: the range of values that a model of float images expects.
        taps: layers to put taps behind; null finds them.
        batch_norm_momentum: for all batch norm layers; null leaves each its own.
        input_shape: (H, W, 3); None for that of the file.
        synchronized_batch_norm: batch statistics over all replicas of a `MirroredStrategy`.

    Raises:
        UserError: for a file that Keras cannot load, and as of `from_model`.
    """
    import keras

    from rotkeras.backbones import any_model
    from rotkeras.backbones.taps import untrained_copy

    file = check_file(path)
    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:
        raise UserError(
            f"Keras cannot load {str(file)!r} ({brief(error)}). Layers of your own need their code:"
            " decorate their classes with @keras.saving.register_keras_serializable() and train"
            " from a script that imports them, or use stock layers. Lambda layers have no code in"
            " the file."
        ) from error
    backbone = any_model.from_model(
        model,
        taps,
        pixels=pixels,
        input_shape=input_shape,
        batch_norm_momentum=batch_norm_momentum,
        synchronized_batch_norm=synchronized_batch_norm,
    )
    return backbone if weights == "kept" else untrained_copy(backbone)


def _network(name: str) -> Callable[..., Any]:
    import keras

    there = [
        each
        for each in dir(keras.applications)
        if inspect.isfunction(getattr(keras.applications, each))
    ]
    if name not in there:
        raise must("model", "be a network of keras.applications", name, nearest(name, there))
    found: Callable[..., Any] = getattr(keras.applications, name)
    return found


def _affine(preprocess: Callable[[Any], Any]) -> tuple[tuple[float, ...], ...]:
    """(scale, offset, order) of a preprocessing: channel c of its output is channel order[c] of the
    pixels. `scale` and `offset` are those of the pixels' own channels; measured, because each
    network states its own."""
    import numpy as np

    black = np.asarray(preprocess(np.zeros((1, 1, 3), np.float32)), np.float64).reshape(3)
    scale, offset, order = [0.0] * 3, [0.0] * 3, [0] * 3
    for channel in range(3):
        bright = np.zeros((1, 1, 3), np.float32)
        bright[..., channel] = 255.0
        change = np.asarray(preprocess(bright), np.float64).reshape(3) - black
        place = int(np.abs(change).argmax())
        order[place] = channel
        scale[channel] = float(change[place]) / 255
        offset[channel] = float(black[place])
    return tuple(scale), tuple(offset), tuple(order)
