"""DeepLabV3+ as keras-cv builds it, in stock layers without a model inside another."""

from typing import Any

import keras

from rotkeras.transfer.segment.layers import HeadLayers

_RATES = [6, 12, 18]


def deeplab_head(low: Any, high: Any, classes: int, dropout: float, seed: int | None) -> Any:
    """Probabilities (B, 4·h, 4·w, classes) on a low map (B, h, w, c) and a high one of an eighth of
    its sides.

    keras-cv builds its own model on two inputs of the shapes of these maps; its layers are then
    put on the maps one by one. So a file of the result loads with Keras alone.

    Args:
        low: at stride 4.
        high: at stride 32.
        classes: how many there are.
        dropout: of the pyramid's projection.
        seed: of the initial weights.
    """
    import keras_cv

    pyramid = keras_cv.layers.SpatialPyramidPooling(_RATES, dropout=dropout)
    model = keras_cv.models.DeepLabV3Plus(
        _two_maps(low.shape[1:], high.shape[1:]), classes, spatial_pyramid_pooling=pyramid
    )
    layers = HeadLayers(seed)

    def replay(sequence: Any, name: str, x: Any) -> Any:
        for layer in sequence.layers:
            x = layers.like(layer, f"{name}_{_KINDS[type(layer).__name__]}", x)
        return x

    height, width = high.shape[1:3]
    branches = [
        replay(branch, f"pyramid{number}", high)
        for number, branch in enumerate(pyramid.aspp_parallel_channels, start=1)
    ]
    # keras-cv resizes the map of one pixel, which every way of upsampling repeats.
    branches[-1] = layers.upsample(branches[-1], (height, width), "pyramid_mean_upsample")
    x = keras.layers.Concatenate(name="segment_pyramid_concatenate")(branches)
    x = replay(pyramid.projection, "pyramid_projection", x)
    x = layers.like(model.get_layer("encoder_output_upsampling"), "encoder_upsample", x)
    projector = next(
        layer
        for layer in model.layers
        if isinstance(layer, keras.Sequential) and layer is not model.segmentation_head
    )
    low = replay(projector, "low", low)
    x = keras.layers.Concatenate(name="segment_concatenate")([x, low])
    *before, last = model.segmentation_head.layers
    for layer in before:
        x = layers.like(layer, f"head_{_KINDS[type(layer).__name__]}", x)
    return layers.like(last, "classes", x)


_KINDS = {
    "Conv2D": "conv",
    "BatchNormalization": "norm",
    "Activation": "activation",
    "ReLU": "relu",
    "Dropout": "dropout",
    "GlobalAveragePooling2D": "mean",
    "Reshape": "map",
    "UpSampling2D": "upsample",
}
"""Parts of names by class of layer: all that keras-cv 0.9 uses here."""


def _two_maps(low: tuple[int, ...], high: tuple[int, ...]) -> keras.Model:
    """A model whose inputs are the maps that keras-cv reads from a backbone."""
    inputs = [keras.Input(low), keras.Input(high)]
    outputs = [
        keras.layers.Identity(name=name)(x) for name, x in zip(("low", "high"), inputs, strict=True)
    ]
    model = keras.Model(inputs, outputs)
    model.pyramid_level_inputs = {"P2": "low", "P5": "high"}
    return model
