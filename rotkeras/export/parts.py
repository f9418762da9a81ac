"""What leaves a network: an encoder with its pooling, the features of all taps, and the network's
own prediction, all of one input."""

from dataclasses import dataclass
from typing import Any, Literal

import keras

from rotkeras.arguments.accepted import InputSize, KnownTask, Text
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.errors import UserError, brief
from rotkeras.export.prediction import Prediction, prediction_of
from rotkeras.images import Size, as_size, shown, sides_of
from rotkeras.pretext import of_network

Pooling = Literal["average", "max"]


@dataclass(frozen=True, eq=False)
class Parts:
    """The functional models that are exported. They share their weights and take the same images.

    Attributes:
        embed: uint8 (B, S, S, 3) -> float32 (B, d), the features of `tap`, pooled.
        taps: uint8 (B, S, S, 3) -> {tap: float32 (B, h, w, C)}.
        prediction: what the network predicts for one image; None where it predicts nothing.
        tap: where `embed` was cut.
        pooling: how its maps became vectors.
        l2_normalization: whether the vectors have unit length.
        input_size: pixels of each side of the images, or (H, W).
        trained_size: pixels of each side of the images that the network was trained with.
        parameters: of the encoder.
        resize: whether the images are resized to `trained_size` inside, rather than seen at their
            own size.
    """

    embed: keras.Model
    taps: keras.Model
    prediction: Prediction | None
    tap: str
    pooling: Pooling
    l2_normalization: bool
    input_size: Size
    trained_size: Size
    parameters: int
    resize: bool

    @property
    def dimensions(self) -> int:
        """The length d of an embedding."""
        return int(self.embed.output.shape[-1])


@checked
def parts_of(
    model: keras.Model,
    tap: Text | None = None,
    *,
    pooling: Pooling = "average",
    l2_normalization: bool = False,
    task: KnownTask | None = None,
    input_size: InputSize | None = None,
    resize: bool = False,
) -> Parts:
    """Cut a network into what is exported.

    Args:
        model: a functional backbone with taps, or the network of a pretext task on one, of
            uint8 images.
        tap: where the encoder is cut; None for the second, the best of table 1 in Gidaris et al.,
            ICLR 2018.
        pooling: "average" or "max" over the positions of the feature map.
        l2_normalization: divide each vector by its length.
        task: the pretext task that the network was trained for, or a run's `task_facts()`: what it
            predicts; None for the task whose head the network has with its default settings.
        input_size: pixels of each side of the images that the files take; None for the size that
            the network was trained with.
        resize: bring images of `input_size` to the size of training inside the graph: bilinearly to
            a multiple of it, then by the mean of each block, so that nothing is skipped. False lets
            the network see them at their own size.

    Raises:
        UserError: for an unknown tap, images that are not uint8 RGB, and a network that
            cannot take the input size.
    """
    network = in_float32(taps.flat(model))
    tap = taps.default(network) if tap is None else tap
    taps.check(network, tap)
    trained = _side(network)
    size = trained if input_size is None else input_size
    images, maps, answer = (
        _ends(network) if size == trained else _at_size(network, size, trained if resize else None)
    )
    layer = (
        keras.layers.GlobalAveragePooling2D
        if pooling == "average"
        else keras.layers.GlobalMaxPooling2D
    )
    x = layer(name="embedding", dtype="float32")(maps[tap])
    if l2_normalization:
        x = keras.layers.UnitNormalization(axis=-1, name="l2_normalization", dtype="float32")(x)
    # A layer of its own for each: an Identity vanishes from files, and mixed precision must end in
    # float32. Named, because the name that Keras would give may be that of a layer of the network.
    features = {
        each: keras.layers.Activation("linear", dtype="float32", name=f"{each}_features")(value)
        for each, value in maps.items()
    }
    return Parts(
        keras.Model(images, x, name=f"encoder_{tap}"),
        keras.Model(images, features, name="taps"),
        prediction_of(images, answer, network, of_network(network) if task is None else task),
        tap,
        pooling,
        l2_normalization,
        size,
        trained,
        int(keras.Model(network.inputs, taps.output(network, tap)).count_params()),
        resize and size != trained,
    )


def in_float32(network: keras.Model) -> keras.Model:
    """The network itself when it computes in float32, else a twin that does, with the same weights.

    The layers of a network that was trained in mixed precision convert to sixteen bits and back,
    which TFLite has no operators for; its weights are float32 anyway.
    """
    if all(
        getattr(layer, "compute_dtype", "float32") in ("float32", "uint8")
        for layer in network.layers
    ):
        return network

    def anew(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if getattr(layer, "compute_dtype", "float32") != "float32":
            config["dtype"] = "float32"
        return type(layer).from_config(config)

    given = network.inputs[0]
    images = keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
    # One output, not a list of one: what is cloned gives what it is made with.
    answer = network.outputs[0] if len(network.outputs) == 1 else network.outputs
    twin = keras.models.clone_model(
        keras.Model(network.inputs, answer, name=network.name),
        input_tensors=[images],
        clone_function=anew,
    )
    twin.set_weights(network.get_weights())
    return twin


def as_parts(network: "keras.Model | Parts") -> Parts:
    """The parts of what a user has: an encoder (one vector per image, such as
    `rotkeras.backbones.taps.cut` makes), or a network with taps.

    Raises:
        UserError: as of `parts_of`.
    """
    if isinstance(network, Parts):
        return network
    flat = taps.flat(network)
    there = [layer.name for layer in flat.layers if isinstance(layer, keras.layers.Identity)]
    outputs: list[Any] = list(getattr(network, "outputs", None) or ())
    if len(outputs) != 1 or len(outputs[0].shape) != 2 or of_network(flat) is not None:
        return parts_of(network)
    if any(
        getattr(layer, "compute_dtype", "float32") not in ("float32", "uint8")
        for layer in flat.layers
    ):
        network = flat = in_float32(flat)
    size = _side(flat)
    maps = (
        keras.Model(flat.inputs[0], {tap: taps.output(flat, tap) for tap in there}, name="taps")
        if there
        else flat
    )
    return Parts(
        network,
        maps,
        None,
        there[-1] if there else flat.name,
        "average",
        False,
        size,
        size,
        int(network.count_params()),
        False,
    )


def of_float_pixels(model: keras.Model) -> keras.Model:
    """The same model, with the same weights, of images in float32, 0 … 255.

    Quantised to int8 it takes uint8 images as they are; a model of uint8 images would turn them
    into floats first.
    """
    pixels = keras.Input(model.inputs[0].shape[1:], dtype="float32", name="images")
    twin = keras.models.clone_model(
        keras.Model(model.inputs, model.outputs), input_tensors=[pixels]
    )
    twin.set_weights(model.get_weights())
    return keras.Model(pixels, twin.outputs[0])


def _side(network: keras.Model) -> Size:
    inputs: list[Any] = list(getattr(network, "inputs", None) or ())
    shape: tuple[Any, ...] = tuple(inputs[0].shape) if len(inputs) == 1 else ()
    if len(shape) != 4 or shape[3] != 3 or None in shape[1:3] or str(inputs[0].dtype) != "uint8":
        what = f"{inputs[0].dtype} {shape}" if shape else f"{len(inputs)} inputs"
        raise UserError(
            f"The network {network.name!r} must have one input of images, uint8 (B, H, W, 3), got"
            f" {what}; put keras.Input((H, W, 3), dtype='uint8') and the normalisation it was"
            " trained with in front."
        )
    return as_size(shape[1], shape[2])


def _ends(network: keras.Model) -> tuple[Any, dict[str, Any], Any]:
    """(images, {tap: features}, the network's own output), symbolically."""
    return (
        network.inputs[0],
        {each: taps.output(network, each) for each in taps.names(network)},
        network.outputs[0],
    )


def _at_size(
    network: keras.Model, size: Size, trained: Size | None
) -> tuple[Any, dict[str, Any], Any]:
    """`_ends` of the same network on images of another size: seen as they are, or brought to the
    `trained` size first."""
    side = size if trained is None else trained
    try:
        pixels = keras.Input(
            (*sides_of(side), 3), dtype="uint8" if trained is None else "float32", name="images"
        )
        twin = keras.models.clone_model(
            keras.Model(network.inputs, network.outputs), input_tensors=[pixels]
        )
        twin.set_weights(network.get_weights())
    except Exception as error:
        there = _side(network)
        raise UserError(
            f"The network cannot take images of {shown(size)} ({brief(error)}); it was trained on"
            f" {shown(there)}. Add --resize, which resizes inside the file, or leave --input-size"
            " out."
        ) from error
    if trained is None:
        return _ends(twin)
    images = keras.Input((*sides_of(size), 3), dtype="uint8", name="images")
    _, maps, answer = _ends(twin)
    inner = keras.Model(twin.input, {**maps, "answer": answer}, name="network")(
        _resized(images, trained)
    )
    return images, {each: inner[each] for each in maps}, inner["answer"]


def _resized(images: Any, trained: Size) -> Any:
    """Images brought to the size of training, in float32, by builtin operators of TFLite.

    Averaging whole blocks is an exact anti-aliased reduction; bilinear interpolation alone would
    skip pixels.
    """
    wanted = sides_of(trained)
    given = images.shape[1], images.shape[2]
    factors = tuple(max(1, side // less) for side, less in zip(given, wanted, strict=True))
    between = tuple(factor * side for factor, side in zip(factors, wanted, strict=True))
    x = keras.layers.Rescaling(1.0, dtype="float32", name="pixels")(images)
    if given != between:
        # Not the layer Resizing: its call trains by default, and Keras hands that on to the batch
        # norm of the network behind it.
        x = keras.ops.image.resize(x, between, interpolation="bilinear")
    if factors == (1, 1):
        return x
    return keras.layers.AveragePooling2D(factors, dtype="float32", name="reduce")(x)
