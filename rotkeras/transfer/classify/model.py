"""A classifier on an encoder."""

from typing import TYPE_CHECKING, Any, Literal

from rotkeras.arguments.accepted import Fraction, Network, Positive, Seed, Text
from rotkeras.arguments.checked import checked

if TYPE_CHECKING:
    import keras


@checked
def classifier(
    network: Network,
    classes: Positive,
    tap: Text | None = None,
    pooling: Literal["average", "max"] = "average",
    dropout: Fraction = 0.0,
    multi_label: bool = False,
    input_shape: tuple[Positive, Positive, Positive] | None = None,
    seed: Seed = 0,
) -> "keras.Model":
    """A classifier: the network up to a tap, pooled over positions, batch norm, one dense layer.

    The batch norm in front of the dense layer brings the features of any encoder to one scale, so
    that one learning rate fits all of them.

    Args:
        network: a model with taps, such as a backbone or `task.network(model)`; its weights are
            copied.
        classes: how many.
        tap: where the features are read; null for the last. For a frozen encoder an earlier tap is
            often better: the best of the probes.
        pooling: over the positions of the feature map.
        dropout: share of the pooled features that is left out while training.
        multi_label: whether an image may have several classes: a sigmoid for each instead of a
            softmax over all.
        input_shape: (H, W, 3) of the images; null for those of the network.
        seed: of the dense layer's initial weights.

    Returns:
        A flat functional model of stock layers, uint8 (B, H, W, 3) -> probabilities float32
        (B, classes); ready for `compile` and `fit`.

    Example:
        encoder = keras.models.load_model("runs/folder/model.keras")
        model = rotkeras.transfer.classifier(encoder, classes=10)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    Raises:
        UserError: for a tap that is not there, and a network without taps.
    """
    import keras

    from rotkeras.backbones import taps
    from rotkeras.transfer.copies import copy_at

    inner = copy_at(network, input_shape)
    name = taps.names(inner)[-1] if tap is None else tap
    taps.check(inner, name)
    pool: Any = {
        "average": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }[pooling]
    x = pool(dtype="float32", name="pooled")(taps.output(inner, name))
    x = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, dtype="float32", name="head_norm"
    )(x)
    if dropout:
        x = keras.layers.Dropout(dropout, seed=seed, name="head_dropout")(x)
    x = keras.layers.Dense(
        classes,
        activation="sigmoid" if multi_label else "softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed=taps.hashed_seed(seed, "head", 0)),
        dtype="float32",
        name="probabilities",
    )(x)
    return keras.Model(inner.input, x, name="classifier")
