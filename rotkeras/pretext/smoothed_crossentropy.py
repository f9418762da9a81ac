"""Cross-entropy with label smoothing, of integer labels."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="rotkeras")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits and integer labels, with label smoothing.

    Keras has label smoothing for one-hot labels alone (`keras.losses.CategoricalCrossentropy`).
    The class is registered, so that compiled models load where rotkeras is imported.

    Args:
        label_smoothing: share of the target that is spread evenly over the classes,
            0 ≤ label_smoothing < 1.
        name: name of the loss.

    `call` takes integer labels (…,) and logits (…, K), and returns float32 (…,).
    """

    def __init__(
        self, label_smoothing: float = 0.0, name: str = "smoothed_crossentropy", **arguments: Any
    ) -> None:
        super().__init__(name=name, **arguments)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each view: float32 (…,)."""
        ops = keras.ops
        one_hot = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            one_hot, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
