"""Taps: the named places of a backbone where features are read.

A tap is a stock `keras.layers.Identity` in a flat functional model. It costs nothing, survives
`.keras` files without a custom class, and gives probes, attention maps and export the same name for
the same features.
"""

import itertools
import zlib
from collections.abc import Sequence
from typing import Any, Literal

import keras

from rotkeras.arguments.accepted import Positive, Seed, Text
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError, must, nearest

__all__ = [
    "check",
    "copy",
    "cut",
    "default",
    "extractor",
    "flat",
    "maps",
    "names",
    "output",
    "untrained_copy",
]

Pooling = Literal["none", "average"]


@checked
def names(model: keras.Model) -> list[str]:
    """The taps of a model, from its input to its output.

    Args:
        model: a functional model, or one with a functional model among its layers (a model that
            makes its own views).

    Raises:
        UserError: when it has no tap.
    """
    found = [layer.name for layer in flat(model).layers if isinstance(layer, keras.layers.Identity)]
    if not found:
        raise UserError(
            f"The model {model.name!r} has no tap; put keras.layers.Identity(name=…) after each"
            " block whose features are to be read."
        )
    return found


@checked
def flat(model: keras.Model) -> keras.Model:
    """The flat functional model that holds the taps: the model itself, or the one nested in it."""
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return flat(inner[0]) if len(inner) == 1 else model


@checked
def check(model: keras.Model, tap: Text) -> None:
    """Raise a `UserError` that names the taps there are, when `tap` is not one of them."""
    _check(model, tap, "tap")


def _check(model: keras.Model, tap: str, name: str) -> None:
    if tap not in (there := names(model)):
        close = nearest(tap, there)
        hint = close if close.startswith("did") else ""
        raise must(name, f"be one of {', '.join(map(repr, there))}", tap, hint)


@checked
def output(model: keras.Model, tap: Text) -> Any:
    """The feature map of a tap as a symbolic tensor, to build other models on.

    A layer that several models share (`rotkeras.backbones.with_input_shape`) has a tensor in each;
    this is the one of the given model, where `layer.output` is that of the model built first.

    Args:
        model: a model with taps.
        tap: the name of one, or of another layer with one output.

    Raises:
        UserError: for a name that is not there.
    """
    there = flat(model)
    if tap not in {layer.name for layer in there.layers}:
        check(there, tap)
    open_tensors, seen = list(there.outputs), set()
    while open_tensors:
        tensor = open_tensors.pop()
        layer, node, _ = tensor._keras_history
        if layer.name == tap:
            return tensor
        if (layer.name, node) not in seen and hasattr(layer, "_inbound_nodes"):
            seen.add((layer.name, node))
            open_tensors += layer._inbound_nodes[node].input_tensors
    raise UserError(f"The outputs of {there.name!r} do not depend on the layer {tap!r}.")


@checked
def cut(model: keras.Model, tap: Text, pooling: Pooling = "average") -> keras.Model:
    """Cut a model at a tap: the encoder, which shares its weights with the model.

    Args:
        model: a model with taps.
        tap: the name of one.
        pooling: "average" for one vector per image (B, C); "none" for the feature map (B, h, w, C).

    Returns:
        A functional model of stock layers, uint8 (B, H, W, 3) -> float32 (B, C) or (B, h, w, C).

    Raises:
        UserError: for a tap that is not there.
    """
    check(model, tap)
    model = flat(model)
    features = output(model, tap)
    if pooling == "average":
        features = keras.layers.GlobalAveragePooling2D(name="embedding", dtype="float32")(features)
    else:
        features = keras.layers.Activation("linear", name="features", dtype="float32")(features)
    return keras.Model(model.input, features, name=f"encoder_{tap}")


@checked
def extractor(model: keras.Model, features: Positive = 1024) -> keras.Model:
    """Pooled features of every tap in one pass, small enough for closed-form probes.

    Each tap is average-pooled to the largest square grid with at most `features` numbers, and
    flattened.

    Args:
        model: a model with taps.
        features: most numbers per tap and image.

    Returns:
        A functional model, uint8 (B, H, W, 3) -> {tap: float32 (B, grid·grid·C)}.
    """
    flat_model = flat(model)
    outputs = {}
    for tap in names(flat_model):
        x = output(flat_model, tap)
        side = grid(x.shape[1:], features)
        x = grid_layer(side, f"{tap}_grid")(x)
        outputs[tap] = keras.layers.Flatten(name=f"{tap}_features", dtype="float32")(x)
    return keras.Model(flat_model.input, outputs, name="extractor")


def grid_layer(
    side: int,
    name: str,
    kind: Literal["average", "max"] = "average",
    dtype: str | None = "float32",
) -> keras.layers.Layer:
    """A layer that pools a feature map (B, H, W, C) to (B, side, side, C).

    Keras' adaptive pooling fails for a side of 1: it pools by windows of the two sizes H and H + 1
    and then chooses.
    """
    if side == 1:
        whole = {
            "average": keras.layers.GlobalAveragePooling2D,
            "max": keras.layers.GlobalMaxPooling2D,
        }
        return whole[kind](keepdims=True, dtype=dtype, name=name)
    parts = {
        "average": keras.layers.AdaptiveAveragePooling2D,
        "max": keras.layers.AdaptiveMaxPooling2D,
    }
    return parts[kind]((side, side), dtype=dtype, name=name)


def grid(shape: tuple[int, ...], features: int) -> int:
    """The side of the largest square grid with at most `features` numbers that a feature map (H, W,
    C) can be pooled to."""
    height, width, channels = shape
    return max(1, min(height, width, int((features / channels) ** 0.5)))


@checked
def maps(model: keras.Model, only: Sequence[Text] | None = None) -> keras.Model:
    """The feature maps of taps in one pass: uint8 (B, H, W, 3) -> {tap: (B, h, w, C)}, sharing the
    model's weights.

    Args:
        model: a model with taps.
        only: the taps wanted; None for all.

    Raises:
        UserError: for a tap that is not there.
    """
    flat_model = flat(model)
    wanted = names(flat_model) if only is None else list(only)
    for number, tap in enumerate(wanted):
        _check(flat_model, tap, f"only[{number}]")
    return keras.Model(
        flat_model.input, {tap: output(flat_model, tap) for tap in wanted}, name="maps"
    )


@checked
def copy(model: keras.Model) -> keras.Model:
    """The same flat network with the same weights, sharing nothing with the model."""
    there = flat(model)
    twin = untrained_copy(there)
    twin.set_weights(there.get_weights())
    return twin


@checked
def untrained_copy(model: keras.Model, seed: Seed | None = None) -> keras.Model:
    """The same flat network with newly drawn initial weights, sharing nothing with the model.

    Args:
        model: a model with taps.
        seed: of the weights; None draws from Keras' global seed.
    """
    there = flat(model)
    numbers = itertools.count()

    def anew(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        for value in config.values():
            # Without this each clone would draw from the global seed, and a result would depend on
            # what ran before it.
            if (
                seed is not None
                and isinstance(value, dict)
                and "seed" in (value.get("config") or {})
            ):
                value["config"]["seed"] = hashed_seed(seed, "backbone", next(numbers))
        return type(layer).from_config(config)

    # Without what `compile` added: cloning would look for its metrics' classes.
    return keras.models.clone_model(keras.Model(there.input, there.output), clone_function=anew)


def hashed_seed(seed: int, role: str, number: int) -> int:
    """The seed of one weight: neighbouring seeds, a backbone and a head on it, and layers among
    each other share no numbers."""
    return zlib.crc32(f"{seed} {role} {number}".encode())


@checked
def default(model: keras.Model) -> str:
    """The tap to ship when no labels tell which is best: the second, or the only one.

    The last block specialises on the pretext task; the second gave the best features in table 1 of
    Gidaris et al., ICLR 2018.
    """
    there = names(model)
    return there[min(1, len(there) - 1)]
