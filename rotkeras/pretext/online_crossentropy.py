"""Loss, metric and logs of classifiers that are trained alongside a network."""

from typing import Any

import keras
from keras import ops

Tensor = Any


def by_image(labels: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """(labels (R, T), logits (R, T, C)) of labels (B,) and logits (R, T, C) of R = B·V views."""
    logits = ops.cast(logits, "float32")
    rows, taps = ops.shape(logits)[0], logits.shape[1]
    views = rows // ops.shape(labels)[0]
    repeated = ops.reshape(
        ops.tile(ops.reshape(labels, (-1, 1, 1)), (1, views, taps)), (rows, taps)
    )
    return ops.cast(repeated, "int32"), logits


@keras.saving.register_keras_serializable(package="rotkeras")
class OnlineCrossentropy(keras.losses.Loss):
    """The sum over taps of the cross-entropy of classifiers, as a loss whose value is 0: its
    gradient trains them, and the loss of the network keeps its value.

    Args:
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"name": "online_crossentropy", **arguments})

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Of each view: labels (B,) and logits (R, T, C) -> (R,)."""
        labels, logits = by_image(y_true, y_pred)
        loss = ops.sum(
            ops.sparse_categorical_crossentropy(labels, logits, from_logits=True), axis=1
        )
        return loss - ops.stop_gradient(loss)


@keras.saving.register_keras_serializable(package="rotkeras")
class OnlineAccuracy(keras.metrics.Metric):
    """The accuracy of the classifier of each tap, logged as `online/<number of the tap>`, from 0;
    `OnlineLogs` puts the taps' names in place of the numbers."""

    def __init__(self, name: str = "online_accuracy", **arguments: Any) -> None:
        super().__init__(name=name, **arguments)
        self.correct: Any = None
        self.count = self.add_variable((), "zeros", name="count")

    def _build(self, taps: int) -> None:
        self.correct = self.add_variable((taps,), "zeros", name="correct")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the views of a batch."""
        if self.correct is None:
            self._build(y_pred.shape[1])
        labels, logits = by_image(y_true, y_pred)
        hits = ops.cast(ops.argmax(logits, axis=2) == ops.cast(labels, "int32"), self.dtype)
        self.correct.assign_add(ops.sum(hits, axis=0))
        self.count.assign_add(ops.cast(ops.shape(logits)[0], self.dtype))

    def result(self) -> dict[str, Tensor]:
        """The accuracy of each tap."""
        if self.correct is None:
            return {}
        shares = self.correct / ops.maximum(self.count, 1)
        return {f"online/{number}": shares[number] for number in range(shares.shape[0])}


class OnlineLogs(keras.callbacks.Callback):
    """Name the logs of a model with online probes as they are named without: `task_accuracy`
    becomes `accuracy`, and `online/0` `online/conv1`. It must be the first of the callbacks."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Rename the keys of the logs in place, before other callbacks read them."""
        from rotkeras.backbones import taps

        names = taps.names(self.model)
        for key in list(logs or {}):
            assert logs is not None
            start = "val_" if key.startswith("val_") else ""
            name = key.removeprefix("val_")
            if name in ("task_loss", "online_loss"):
                del logs[key]
            elif name.startswith("task_"):
                logs[start + name.removeprefix("task_")] = logs.pop(key)
            elif name.startswith("online/") and name.removeprefix("online/").isdigit():
                tap = names[int(name.removeprefix("online/"))]
                logs[f"{start}online/{tap}"] = logs.pop(key)
