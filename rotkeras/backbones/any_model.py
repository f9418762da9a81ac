"""Any functional Keras model as a backbone: flat, of uint8 images, with taps."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

import keras

from rotkeras.arguments.accepted import Momentum, Positive, Text
from rotkeras.arguments.checked import checked
from rotkeras.backbones.units import Pixels
from rotkeras.backbones.units import tap as add_tap
from rotkeras.errors import UserError, brief, must, nearest

_SCALES: dict[str, tuple[float, float]] = {"0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}
_CASTING = (keras.layers.Rescaling, keras.layers.Normalization)
"""Layers that take integers and give floats."""

Activation = Literal["relu", "relu6"]

_PADDING = ("ZeroPadding2D", "Pad")
_STOCK = "keras."


@checked
def from_model(
    model: keras.Model,
    taps: Sequence[Text] | None = None,
    *,
    pixels: Pixels = "0..255",
    input_shape: tuple[Positive, Positive, Positive] | None = None,
    batch_norm_momentum: Momentum | None = None,
    synchronized_batch_norm: bool = False,
) -> keras.Model:
    """A backbone of any functional or sequential model, with the same weights, sharing nothing.

    Nested models are flattened. What comes behind the last feature map, such as a classifier's
    pooling and dense layers, is left out. A tap is found at the last tensor of each resolution that
    every path from the input to the output passes, paddings excepted; they are called `stage1`,
    `stage2` and so on. A model that has taps (`keras.layers.Identity`) keeps them.

    Args:
        model: one input of images (B, H, W, 3), uint8 or float.
        taps: names of layers to put taps behind, from the input to the output, instead of those
            that are found; a tap gets the name of its layer.
        pixels: the range of values that a model of float images expects. uint8 images are brought
            to it inside. "0..255" for a model that has its normalisation inside, as one of uint8
            images has.
        input_shape: (H, W, 3) of the images; None for that of the model.
        batch_norm_momentum: for all batch norm layers; None leaves each its own. Networks of
            `keras.applications` have 0.99 or 0.999: running averages that settle in a few thousand
            steps.
        synchronized_batch_norm: batch statistics over all replicas of a `MirroredStrategy`.

    Returns:
        A flat functional model, uint8 (B, H, W, 3) -> the last tap (B, h, w, C). Its layers have
        the dtype policy that is set now (`keras.config.dtype_policy`), except normalisations of
        pixels, which compute in float32.

    Example:
        backbone = rotkeras.backbones.from_model(keras.models.load_model("mine.keras"))
        rotkeras.taps.names(backbone)  # ["stage1", "stage2", "stage3", "stage4"]

    Raises:
        UserError: for a model with several inputs or outputs, without a feature map, with Lambda
            layers or custom layers that no file can carry, or that cannot take the input shape, and
            for a layer that is not there or no tap.
    """
    return rebuild(
        model,
        taps,
        before=_scaling(pixels),
        input_shape=input_shape,
        batch_norm_momentum=batch_norm_momentum,
        synchronized_batch_norm=synchronized_batch_norm,
    )


def rebuild(
    model: keras.Model,
    taps: Sequence[str] | None,
    *,
    before: Callable[[Any], Any],
    input_shape: tuple[int, ...] | None,
    batch_norm_momentum: float | None,
    synchronized_batch_norm: bool,
    activation: Activation | None = None,
) -> keras.Model:
    """`from_model`, with a function in front that brings uint8 images to what the model expects,
    and another activation in place of hard-swish and SiLU."""
    given = _image_input(model)
    shape = tuple(given.shape[1:]) if input_shape is None else tuple(input_shape)
    if None in shape:
        raise must("input_shape", "be given for a model of images of any size", None)
    own = shape if None in given.shape[1:] else tuple(given.shape[1:])
    walk = _Walk(model, batch_norm_momentum, synchronized_batch_norm, activation)
    try:
        walk.run(own, before, {})
        places = walk.named(taps) if taps is not None else walk.found()
        walk.takes_integers()
        inputs, output = walk.run(shape, before, places)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The model {model.name!r} cannot take images of {shape} ({brief(error)}). Use the"
            f" size that it was made for, {own}."
        ) from error
    if activation is not None and not walk.replaced:
        raise UserError(
            f"activation must be null for {model.name!r}, got {activation!r}; it has no hard-swish"
            " and no SiLU to replace."
        )
    backbone = keras.Model(inputs, output, name=model.name)
    walk.copy_weights()
    return backbone


def _scaling(pixels: Pixels) -> Callable[[Any], Any]:
    def before(images: Any) -> Any:
        if pixels == "0..255":
            return images
        scale, offset = _SCALES[pixels]
        return keras.layers.Rescaling(scale, offset, dtype="float32", name="pixels")(images)

    return before


def _image_input(model: keras.Model) -> Any:
    """The one input of a model, of images."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise UserError(
            f"The model {model.name!r} has no input yet: put keras.Input((H, W, 3)) first."
        )
    inputs: list[Any] = list(getattr(model, "inputs", None) or ())
    if not inputs:
        raise UserError(
            f"The model {model.name!r} is a subclass of keras.Model without a graph. Write it as a"
            " functional model: keras.Model(inputs, outputs)."
        )
    if len(inputs) != 1 or len(model.outputs) != 1:
        raise UserError(
            f"A backbone has one input and one output, and {model.name!r} has {len(inputs)} and"
            f" {len(model.outputs)}. Make a keras.Model of one of each."
        )
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[3] != 3:
        raise UserError(f"{model.name!r} takes {shape}; a backbone takes RGB images (B, H, W, 3).")
    return inputs[0]


class _LastTap(Exception):  # noqa: N818
    """The last tap is there."""


class _Walk:
    """The calls of a model's layers in their order, nested models opened, on new inputs."""

    def __init__(
        self,
        model: keras.Model,
        momentum: float | None,
        synchronized: bool,
        activation: Activation | None,
    ) -> None:
        self.model = model
        self.activation = activation
        self.replaced = False
        self.momentum = momentum
        self.synchronized = synchronized
        self.calls: list[tuple[Any, list[Any], list[Any]]] = []
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._names: dict[str, int] = {}
        self._places: dict[int, str] = {}
        self._weighted = False
        self._end: Any = None
        self._given: Any = None
        self._casts = False

    def run(
        self, shape: tuple[int, ...], before: Callable[[Any], Any], places: dict[int, str]
    ) -> tuple[Any, Any]:
        """(images, output of the last place), with a tap behind each of some calls.

        Args:
            shape: (H, W, 3).
            before: see `rebuild`.
            places: {number of a call: name of its tap}; if empty, the whole model is called.
        """
        self.calls, self._copies, self._names, self._places = [], {}, {}, places
        self._weighted, self._end = False, None
        images = keras.Input(shape, dtype="uint8", name="images")
        x = before(images)
        if x.dtype == "uint8" and not self._casts:
            x = keras.layers.Rescaling(1.0, dtype="float32", name="pixels")(x)
        self._given = x
        try:
            return images, self._through(self.model, x)
        except _LastTap:  # what comes behind it is left out, and need not fit the size
            return images, self._end

    def takes_integers(self) -> None:
        """Leave out the conversion to floats where all layers that take the images convert them
        themselves."""
        first = [each for each, given, _ in self.calls if any(x is self._given for x in given)]
        self._casts = all(isinstance(each, _CASTING) for each in first)

    def copy_weights(self) -> None:
        """Give the copies the weights of the layers that they are of."""
        for layer, copied in self._copies.values():
            if copied.weights:
                copied.set_weights(layer.get_weights())

    def _through(self, model: keras.Model, x: Any) -> Any:
        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                x = self._call(self._copy(layer), x)
            return x
        inner: Any = keras.models.clone_model(
            keras.Model(model.inputs, model.outputs),
            input_tensors=[x],
            clone_function=self._copy,
            call_function=self._call,
        )
        return inner.outputs[0]

    def _copy(self, layer: Any) -> Any:
        """A layer to call: a copy, or a nested model itself, which is opened when it is called."""
        if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
            return layer
        if id(layer) in self._copies:
            return self._copies[id(layer)][1]
        _check_layer(layer, self.model.name)
        config = layer.get_config()
        normalises = isinstance(layer, _CASTING) and not self._weighted
        if "dtype" in config:
            policy = layer.dtype_policy.name
            if policy == "float32" or normalises:
                config["dtype"] = "float32" if normalises else keras.config.dtype_policy().name
        if isinstance(layer, keras.layers.BatchNormalization):
            config["synchronized"] = self.synchronized or config.get("synchronized", False)
            if self.momentum is not None:
                config["momentum"] = self.momentum
        config["name"] = self._unused(layer.name)
        if self.activation is not None and _is_smooth(layer):
            config["activation"] = self.activation
            self.replaced = True
        copied = type(layer).from_config(config)
        self._copies[id(layer)] = layer, copied
        return copied

    def _unused(self, name: str) -> str:
        """The name, with a number if a layer of another nested model has it."""
        if name in self._places.values():
            name = f"{name}_layer"
        self._names[name] = self._names.get(name, 0) + 1
        return name if self._names[name] == 1 else f"{name}_{self._names[name]}"

    def _call(self, operation: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(operation, keras.Model):
            if getattr(operation, "inputs", None) is None:
                raise UserError(
                    f"The model {self.model.name!r} holds {operation.name!r}, a subclass of"
                    " keras.Model without a graph. Write it as a functional model."
                )
            return self._through(operation, arguments[0])
        is_tap = isinstance(operation, keras.layers.Identity)
        output = arguments[0] if is_tap else operation(*arguments, **named)
        self._weighted = self._weighted or bool(getattr(operation, "trainable_weights", ()))
        number = len(self.calls)
        self.calls.append((operation, _tensors((arguments, named)), _tensors(output)))
        if number in self._places:
            self._end = output = add_tap(output, self._places[number])
            if number == max(self._places):
                raise _LastTap
        return output

    def found(self) -> dict[int, str]:
        """{number of a call: name of its tap} of the taps that are there, or else of those that can
        be found."""
        passed = self._passed()
        kept = {
            number: operation.name
            for number, (operation, _, _) in enumerate(self.calls)
            if isinstance(operation, keras.layers.Identity) and number in passed
        }
        if kept:
            return kept
        last: dict[tuple[Any, ...], int] = {}
        for number in passed:
            if type(self.calls[number][0]).__name__ not in _PADDING:
                last[tuple(self.calls[number][2][0].shape[1:3])] = number
        if not last:
            raise UserError(
                f"The model {self.model.name!r} has no feature map (B, h, w, C) that every path"
                " from its input passes. Give a convolutional network, or name layers in taps."
            )
        return {number: f"stage{stage}" for stage, number in enumerate(sorted(last.values()), 1)}

    def named(self, names: Sequence[str]) -> dict[int, str]:
        """{number of a call: its layer's name} of layers that are named."""
        there = {operation.name: number for number, (operation, _, _) in enumerate(self.calls)}
        places = {}
        for position, name in enumerate(names):
            if name not in there:
                raise UserError(
                    f"taps[{position}] must be a layer of {self.model.name!r}, got {name!r};"
                    f" {_hint(name, there)}"
                )
            output = self.calls[there[name]][2]
            if len(output) != 1 or len(output[0].shape) != 4:
                shape = tuple(output[0].shape)
                raise UserError(
                    f"taps[{position}] must be a layer of feature maps (B, h, w, C), got {name!r},"
                    f" which gives {shape}; name another."
                )
            places[there[name]] = name
        if not places:
            raise must("taps", "name at least one layer", list(names))
        return places

    def _passed(self) -> list[int]:
        """Calls whose output is a feature map that every path from input to output passes, behind
        the first layer with weights."""
        uses: dict[int, int] = {}
        for _, inputs, _ in self.calls:
            for tensor in inputs:
                uses[id(tensor)] = uses.get(id(tensor), 0) + 1
        waiting: dict[int, int] = {}
        passed, weighted = [], False
        for number, (operation, inputs, outputs) in enumerate(self.calls):
            weighted = weighted or bool(getattr(operation, "trainable_weights", ()))
            for tensor in inputs:
                left = waiting.get(id(tensor), uses[id(tensor)]) - 1
                waiting[id(tensor)] = left
                if not left:
                    del waiting[id(tensor)]
            for tensor in outputs:
                # A passed Identity gives the tensor it takes.
                if uses.get(id(tensor), 0) and id(tensor) not in waiting:
                    waiting[id(tensor)] = uses[id(tensor)]
            alone = set(waiting) <= {id(each) for each in outputs}
            if weighted and alone and len(outputs) == 1 and len(outputs[0].shape) == 4:
                passed.append(number)
        return passed


def _is_smooth(layer: Any) -> bool:
    """Whether a layer ends in SiLU (swish) or hard-swish."""
    smooth = (keras.activations.silu, keras.activations.hard_silu)
    return getattr(layer, "activation", None) in smooth


def _tensors(nested: Any) -> list[Any]:
    return [each for each in keras.tree.flatten(nested) if isinstance(each, keras.KerasTensor)]


def _check_layer(layer: Any, model: str) -> None:
    """Raise a `UserError` for a layer that a file cannot carry."""
    kind = type(layer)
    if isinstance(layer, keras.layers.Lambda):
        raise UserError(
            f"The model {model!r} has the Lambda layer {layer.name!r}, whose code no file carries."
            " Replace it by stock layers or keras.ops."
        )
    stock = kind.__module__.startswith(_STOCK)
    if not stock and keras.saving.get_registered_name(kind) == kind.__name__:
        raise UserError(
            f"The model {model!r} has the layer {layer.name!r} of the class {kind.__name__}, which"
            " Keras cannot load without its code. Replace it by stock layers, or decorate the class"
            " with @keras.saving.register_keras_serializable()."
        )


_SHOWN = 8
"""Layers that an error lists, where a model has more."""


def _hint(name: str, layers: Collection[str]) -> str:
    """The nearest of the layers, or some of many; and that taps can be found."""
    found = nearest(name, layers)
    if not found.startswith("did") and len(layers) > _SHOWN:
        some = ", ".join(list(layers)[:_SHOWN])
        found = f"it has {len(layers)} layers: {some}, …"
    return f"{found}. Without taps they are found, and called stage1, stage2, …"
