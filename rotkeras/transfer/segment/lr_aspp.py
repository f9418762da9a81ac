"""The light head of MobileNetV3: LR-ASPP."""

from typing import Any

import keras

from rotkeras.transfer.segment.layers import HeadLayers

_FILTERS = 128


def lr_aspp_head(
    low: Any, high: Any, size: tuple[int, int], classes: int, dropout: float, seed: int | None
) -> Any:
    """Probabilities (B, H, W, classes) on a low map and a high one, whose sides divide those of the
    low map, which divide the image's.

    The mean that weighs the channels is over the whole map: the windows of the paper, 49×49 with
    strides 16 and 20, are for its images of 1024×2048.

    Args:
        low: at stride 8 in the paper.
        high: at stride 16 in the paper.
        size: (H, W) of the image.
        classes: how many there are.
        dropout: of the high map, before its classes; the paper has none.
        seed: of the initial weights.

    Reference:
        Howard et al., Searching for MobileNetV3, ICCV 2019, section 6.4 and figure 10.
    """
    layers = HeadLayers(seed)
    x = layers.convolve(high, _FILTERS, "high_conv")
    x = keras.layers.BatchNormalization(name="segment_high_norm")(x)
    x = keras.layers.ReLU(name="segment_high_relu")(x)
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True, name="segment_mean")(high)
    weights = layers.convolve(mean, _FILTERS, "mean_conv", activation="sigmoid")
    x = keras.layers.Multiply(name="segment_weigh")([x, weights])
    x = layers.upsample(x, low.shape[1:3], "high_upsample")
    if dropout:
        x = keras.layers.Dropout(dropout, name="segment_dropout")(x)
    x = layers.convolve(x, classes, "high_classes", bias=True)
    x = keras.layers.Add(name="segment_add")(
        [x, layers.convolve(low, classes, "low_classes", bias=True)]
    )
    x = layers.upsample(x, size, "upsample")
    return keras.layers.Softmax(dtype="float32", name="segment_classes")(x)
