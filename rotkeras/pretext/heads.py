"""Heads on a backbone: what a task trains and drops afterwards."""

from typing import Any

Tensor = Any

_MOMENTUM = 0.9
"""Of batch norm in heads: the published trainings keep the tenth part of each batch (PyTorch's
0.1)."""


def pool(backbone: Any) -> Tensor:
    """The mean of each channel of the backbone's output, by the layer `pool`: (B, C)."""
    import keras

    return keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)


def mlp(
    x: Tensor,
    hidden: list[int],
    units: int,
    name: str,
    backbone: Any,
    norm: str = "hidden",
) -> Tensor:
    """Dense layers with batch norm and ReLU, and a last dense layer.

    Args:
        x: (B, C), symbolic.
        hidden: units of the hidden layers.
        units: of the last layer.
        name: of the last output; the layers before it are called after it.
        backbone: whose batch norm says whether statistics are of all devices.
        norm: "hidden" for batch norm after hidden layers, "all" for one after the last too, without
            scale and offset, "none" for none.

    Returns:
        (B, units), float32 under any precision: losses compare these numbers.
    """
    import keras

    together = any(getattr(layer, "synchronized", False) for layer in backbone.layers)

    def batch_norm(label: str, affine: bool) -> Any:
        return keras.layers.BatchNormalization(
            momentum=_MOMENTUM,
            epsilon=1e-5,
            center=affine,
            scale=affine,
            synchronized=together,
            name=label,
            dtype=None if affine else "float32",
        )

    for number, count in enumerate(hidden, 1):
        x = keras.layers.Dense(count, use_bias=norm == "none", name=f"{name}_hidden{number}")(x)
        if norm != "none":
            x = batch_norm(f"{name}_norm{number}", True)(x)
        x = keras.layers.ReLU(name=f"{name}_relu{number}")(x)
    if norm == "all":
        x = keras.layers.Dense(units, use_bias=False, dtype="float32", name=f"{name}_dense")(x)
        return batch_norm(name, False)(x)
    return keras.layers.Dense(units, dtype="float32", name=name)(x)
