"""A detector on an encoder: RetinaNet of keras-cv, with taps as levels of its pyramid."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rotkeras.arguments.accepted import (
    Network,
    NotNegative,
    Positive,
    PositiveNumber,
    Seed,
    TapNames,
)
from rotkeras.arguments.checked import checked
from rotkeras.device.boxes import Anchors
from rotkeras.errors import UserError, must

if TYPE_CHECKING:
    import keras

_LEVELS = ("P3", "P4", "P5")
_STRIDES = (8, 16, 32)
_PRIOR = 0.01
"""Probability of an object that an untrained head gives to an anchor."""


@checked
def detector(
    network: Network,
    classes: Positive,
    levels: TapNames | None = None,
    channels: Positive = 64,
    convolutions: NotNegative = 2,
    anchor_size: PositiveNumber = 4.0,
    input_shape: tuple[Positive, Positive, Positive] | None = None,
    seed: Seed = 0,
) -> "keras.Model":
    """A detector: `keras_cv.models.RetinaNet` on three taps of a network.

    Args:
        network: a model with taps; its weights are copied.
        classes: how many, without a background.
        levels: taps at strides 8, 16 and 32, as P3, P4 and P5; null finds them. P6 and P7 are made
            of P5.
        channels: of the pyramid and of the heads: 256 as published, 64 for phones.
        convolutions: in each head before its last: 4 as published, keras-cv has 3.
        anchor_size: side of the smallest anchor of a level, in strides; 4 as published. Anchors
            have 3 scales and 3 aspect ratios.
        input_shape: (H, W, 3) of the images; null for those of the network. Sides must be multiples
            of 32.
        seed: of the initial weights of pyramid and heads.

    Returns:
        A `keras_cv.models.RetinaNet` whose images are uint8. `compile(optimizer,
        classification_loss="focal", box_loss="smoothl1")` and `fit` of
        (images, {"boxes": xyxy (B, n, 4), "classes": (B, n)}), padded with -1, train it;
        `rotkeras.transfer.flat_detector` gives what is kept.

    Raises:
        UserError: for taps of other strides, and sides that are no multiples of 32.

    Reference:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, section 4.
    """
    import keras
    import keras_cv

    from rotkeras.backbones import taps
    from rotkeras.transfer.copies import copy_at

    inner = copy_at(network, input_shape)
    names = find_levels(inner, levels)
    backbone = _backbone(inner, names)
    draw = _Draw(seed)
    pyramid = _pyramid([taps.output(inner, name).shape[1:] for name in names], channels, draw)
    prior = keras.initializers.Constant(_logit(_PRIOR))
    return keras_cv.models.RetinaNet(
        num_classes=classes,
        bounding_box_format="xyxy",
        backbone=backbone,
        anchor_generator=anchor_generator(anchors_of(anchor_size)),
        feature_pyramid=pyramid,
        classification_head=_head("classes", 9 * classes, channels, convolutions, prior, draw),
        box_head=_head("boxes", 9 * 4, channels, convolutions, keras.initializers.Zeros(), draw),
    )


def anchors_of(anchor_size: float) -> Anchors:
    """The anchors of a detector: three scales and three aspect ratios at five levels."""
    strides = (8, 16, 32, 64, 128)
    return Anchors(
        strides=strides,
        sizes=tuple(anchor_size * stride for stride in strides),
        scales=(1.0, 2 ** (1 / 3), 2 ** (2 / 3)),
        aspect_ratios=(0.5, 1.0, 2.0),
    )


def anchor_generator(anchors: Anchors) -> Any:
    """The layer of keras-cv that makes these anchors, in xyxy."""
    import keras_cv

    return keras_cv.layers.AnchorGenerator(
        bounding_box_format="xyxy",
        sizes=list(anchors.sizes),
        scales=list(anchors.scales),
        aspect_ratios=list(anchors.aspect_ratios),
        strides=list(anchors.strides),
        clip_boxes=True,
    )


def find_levels(network: "keras.Model", levels: Sequence[str] | None = None) -> list[str]:
    """The taps at strides 8, 16 and 32: those named, or the last of each stride.

    Raises:
        UserError: where there is none, or the named ones have other strides.
    """
    from rotkeras.backbones import taps

    height, width = network.input_shape[1:3]
    if height % _STRIDES[-1] or width % _STRIDES[-1]:
        raise UserError(
            f"A detector takes images whose sides are multiples of {_STRIDES[-1]}, got"
            f" {height}×{width}; set data.image_size to such sides."
        )
    shapes = {name: taps.output(network, name).shape[1:3] for name in taps.names(network)}
    strides = {
        name: height // shape[0]
        for name, shape in shapes.items()
        if height // shape[0] == width // shape[1]
    }
    if levels is not None:
        for name in levels:
            taps.check(network, name)
        if tuple(strides.get(name) for name in levels) != _STRIDES:
            raise UserError(
                f"levels must be taps at strides 8, 16 and 32, got {_listed(levels, strides)}."
            )
        return list(levels)
    last = {stride: name for name, stride in strides.items()}
    if missing := [str(stride) for stride in _STRIDES if stride not in last]:
        raise UserError(
            f"A detector needs taps at strides 8, 16 and 32, and {network.name!r} has none at"
            f" {', '.join(missing)}: {_listed(list(strides), strides)}. Use a network for"
            " photographs, such as resnet or keras_applications."
        )
    return [last[stride] for stride in _STRIDES]


def _listed(names: Sequence[str], strides: dict[str, int]) -> str:
    return ", ".join(f"{name} (stride {strides.get(name, 'uneven')})" for name in names)


@checked
def flat_detector(model: Network) -> "keras.Model":
    """What is kept of a detector: a flat functional model of stock layers that shares its weights.

    Args:
        model: of `detector`.

    Returns:
        uint8 (B, H, W, 3) -> {"boxes": float32 (B, A, 4), offsets from A anchors, "scores": float32
        (B, A, classes), a probability for each}; `rotkeras.device.boxes.decode` reads them.
    """
    import keras

    if not hasattr(model, "feature_extractor"):
        raise must("model", "be a detector of rotkeras.transfer.detector", model)
    extractor: Any = model.feature_extractor
    images = keras.Input(extractor.input_shape[1:], dtype="uint8", name="images")
    features = _replay(extractor, [images])
    boxes, scores = [], []
    for number, feature in enumerate(_replay(model.feature_pyramid, features), start=3):
        box = _replay(model.box_head, feature)
        score = _replay(model.classification_head, feature)
        boxes.append(keras.layers.Reshape((-1, 4), name=f"boxes_p{number}")(box))
        scores.append(
            keras.layers.Reshape((-1, model.num_classes), name=f"scores_p{number}")(score)
        )
    outputs = {
        "boxes": keras.layers.Concatenate(axis=1, dtype="float32", name="boxes")(boxes),
        "scores": keras.layers.Activation("sigmoid", dtype="float32", name="scores")(
            keras.layers.Concatenate(axis=1, dtype="float32", name="logits")(scores)
        ),
    }
    return keras.Model(images, outputs, name="detector")


def _replay(model: Any, inputs: Any) -> Any:
    """The layers of a functional model called on other tensors, so that no model is nested."""
    return model._run_through_graph(
        model._standardize_inputs(inputs), operation_fn=lambda operation: operation
    )


class _Draw:
    """Initial weights that depend on the seed and on their place alone."""

    def __init__(self, seed: int) -> None:
        self.seed, self.number = seed, 0

    def orthogonal(self) -> Any:
        import keras

        from rotkeras.backbones.taps import hashed_seed

        self.number += 1
        return keras.initializers.Orthogonal(seed=hashed_seed(self.seed, "detector", self.number))

    def glorot(self) -> Any:
        import keras

        from rotkeras.backbones.taps import hashed_seed

        self.number += 1
        return keras.initializers.GlorotUniform(
            seed=hashed_seed(self.seed, "detector", self.number)
        )


def _backbone(network: Any, names: Sequence[str]) -> Any:
    """The network as keras-cv wants it: with the layers of its pyramid levels by name."""
    import keras_cv

    class Backbone(keras_cv.models.Backbone):
        """A network of rotkeras for keras-cv."""

    made = Backbone(network.inputs, network.outputs, name="backbone")
    made.pyramid_level_inputs = dict(zip(_LEVELS, names, strict=True))
    return made


def _pyramid(shapes: Sequence[Any], channels: int, draw: _Draw) -> "keras.Model":
    """P3 to P7 of three maps: section 3.1 of Lin et al., Feature Pyramid Networks, CVPR 2017, with
    P6 and P7 of Lin et al., ICCV 2017; of stock layers, with any number of channels."""
    import keras

    def convolution(name: str, size: int, strides: int = 1) -> Any:
        return keras.layers.Conv2D(
            channels,
            size,
            strides,
            "same",
            kernel_initializer=draw.glorot(),
            name=f"pyramid_{name}",
        )

    given = {
        level: keras.Input(shape, name=level) for shape, level in zip(shapes, _LEVELS, strict=True)
    }
    sides = [convolution(f"c{level[1]}_1x1", 1)(each) for level, each in given.items()]
    merged = [sides[2]]
    for number in (1, 0):
        above = keras.layers.UpSampling2D(2, name=f"pyramid_up{number + 3}")(merged[0])
        merged.insert(0, keras.layers.Add(name=f"pyramid_add{number + 3}")([sides[number], above]))
    levels = [convolution(f"p{3 + number}", 3)(each) for number, each in enumerate(merged)]
    sixth = convolution("p6", 3, 2)(given["P5"])
    seventh = convolution("p7", 3, 2)(keras.layers.ReLU(name="pyramid_relu6")(sixth))
    return keras.Model(given, [*levels, sixth, seventh], name="pyramid")


def _head(
    name: str, filters: int, channels: int, convolutions: int, bias: Any, draw: _Draw
) -> "keras.Model":
    """A head that all levels share: convolutions with ReLU, and one that predicts."""
    import keras

    given = keras.Input((None, None, channels), name=f"{name}_features")
    x: Any = given
    for number in range(convolutions):
        x = keras.layers.Conv2D(
            channels,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=draw.orthogonal(),
            name=f"{name}_conv{number + 1}",
        )(x)
    x = keras.layers.Conv2D(
        filters,
        3,
        padding="same",
        kernel_initializer=draw.orthogonal(),
        bias_initializer=bias,
        dtype="float32",
        name=f"{name}_prediction",
    )(x)
    return keras.Model(given, x, name=f"{name}_head")


def _logit(probability: float) -> float:
    from math import log

    return log(probability / (1 - probability))
