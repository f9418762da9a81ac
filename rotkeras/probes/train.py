"""Training the heads of several taps at once: they share a pass over the images, and nothing
else."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.backbones.fused_batch_norm import fuse_batch_norm
from rotkeras.backbones.weight_decay import add_l2
from rotkeras.data.cache import available_memory
from rotkeras.data.labelled import Labelled
from rotkeras.data.pipelines import feature_pipeline, pipeline
from rotkeras.data.source import Images
from rotkeras.errors import UserError
from rotkeras.probes import heads
from rotkeras.probes.features import Features, extract
from rotkeras.probes.linear import check_labels
from rotkeras.probes.settings import Settings

_KEEP_SHARE = 0.4
"""Most of the free memory that kept features may take; else they are computed anew in every
epoch."""


def train_heads(
    model: keras.Model,
    twin: keras.Model,
    layers: Mapping[str, list[Any]],
    train: Images,
    validation: Images | None,
    classes: NDArray[np.int64],
    settings: Settings,
    augmentation: Sequence[Any],
    seed: int,
    xla: bool,
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, int]:
    """Train the heads of a model in place, and leave each with the weights of its chosen epoch.

    The loss is the sum over taps. No weight belongs to two taps, so each head learns as if it were
    alone.

    Args:
        model: uint8 images -> {tap: scores}, made of `twin` and `layers`.
        twin: the backbone; frozen, or trainable when there is one tap.
        layers: {tap: the head's layers}.
        train: labelled images.
        validation: labelled images that choose the epoch; None for the last.
        classes: int64 (c,), ascending.
        settings: of SGD.
        augmentation: used when the settings augment.
        seed: of order and augmentation.
        xla: compile the step with XLA, as other libraries than TensorFlow always do.
        callbacks: for `fit`.

    Returns:
        {tap: the chosen epoch, counted from 1}.
    """
    wanted = list(layers)
    frozen = not twin.trainable
    maps = keras.Model(twin.input, {tap: twin.get_layer(tap).output for tap in wanted})
    inputs = {tap: keras.Input(maps.output[tap].shape[1:], name=tap) for tap in wanted}
    on_maps = keras.Model(
        inputs, _stacked({tap: heads.apply(layers[tap], inputs[tap]) for tap in wanted})
    )
    fits = (
        frozen
        and _bytes(maps, len(train) + len(validation or ())) < _KEEP_SHARE * available_memory()
    )
    augmented = bool(augmentation) and (settings.augment_frozen or not frozen)
    repeats = max(1, math.ceil(settings.epoch_images / len(train)))
    size = min(settings.images_per_batch, len(train) * repeats)
    # The pipeline has no end, so an epoch may end where the schedule wants it, in the midst of the
    # repeats.
    steps = max(1, max(settings.epoch_images, len(train)) // size)

    trained: keras.Model
    if fits and not augmented:
        trained = on_maps
        numbers = np.searchsorted(classes, check_labels(train.labels))
        batches = feature_pipeline(
            extract(maps, train), numbers, images_per_batch=size, seed=seed, repeats=repeats
        )
    else:
        trained = keras.Model(model.input, _stacked(model.output))
        task, used = Labelled(train, classes), augmentation if augmented else ()
        batches = pipeline(
            train, task, images_per_batch=size, seed=seed, augmentation=used, repeats=repeats
        )
    fuse_batch_norm(trained)
    add_l2(trained, settings.weight_decay)
    optimizer = _sgd(settings, steps)
    if any(layer.compute_dtype == "float16" for layer in trained.layers if layer.trainable_weights):
        optimizer = keras.optimizers.LossScaleOptimizer(
            optimizer
        )  # Keras sees to it for a model of that policy only
    compiled = xla or keras.config.backend() != "tensorflow"
    trained.compile(optimizer, _summed_cross_entropy, jit_compile=compiled)
    # Else its state is made inside the first step, and TensorFlow traces every step twice.
    trained.optimizer.build(trained.trainable_variables)
    judge = _judge(model, maps, on_maps, fits, validation, classes)
    choice = _ChooseEpoch(layers if frozen else {wanted[0]: [model]}, judge)
    trained.fit(
        batches.dataset,
        steps_per_epoch=steps,
        epochs=settings.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[choice, *callbacks],
    )
    for variable in trained.trainable_variables:
        variable.regularizer = None
    return {tap: choice.epochs.get(tap, settings.epochs) for tap in wanted}


def _stacked(outputs: Mapping[str, Any]) -> Any:
    """{tap: (B, c)} as one tensor (B, taps, c)."""
    return keras.ops.stack(list(outputs.values()), axis=1)


@keras.saving.register_keras_serializable(package="rotkeras")
def _summed_cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy of labels (B,) and scores (B, taps, c), summed over taps: (B,)."""
    labels = keras.ops.repeat(keras.ops.reshape(y_true, (-1, 1)), y_pred.shape[1], axis=1)
    return keras.ops.sum(
        keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True), axis=1
    )


def _sgd(settings: Settings, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    # Keras keeps the old value at the boundary itself; the new one should hold from an epoch's
    # first step on.
    boundaries = [max(0, round(epoch * steps_per_epoch) - 1) for epoch in settings.at_epochs]
    rates = [
        settings.learning_rate * settings.factor**power for power in range(len(boundaries) + 1)
    ]
    rate = (
        keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
        if boundaries
        else rates[0]
    )
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)


def _bytes(maps: keras.Model, images: int) -> int:
    return images * sum(4 * int(math.prod(output.shape[1:])) for output in maps.output.values())


def _judge(
    model: keras.Model,
    maps: keras.Model,
    on_maps: keras.Model,
    fits: bool,
    validation: Images | None,
    classes: NDArray[np.int64],
) -> Callable[[], dict[str, float]] | None:
    """A function that gives {tap: validation accuracy} now; frozen features of validation are
    computed once."""
    if validation is None:
        return None
    names = list(maps.output)
    kept: Features | None = extract(maps, validation) if fits else None

    def accuracies() -> dict[str, float]:
        if kept is None:
            scores = extract(model, validation)
        else:
            chunks = range(0, len(validation), 500)
            parts = [
                on_maps.predict_on_batch({tap: kept[tap][at : at + 500] for tap in names})
                for at in chunks
            ]
            scores = dict(zip(names, np.moveaxis(np.concatenate(parts), 1, 0), strict=True))
        return {
            tap: float(np.mean(classes[np.argmax(each, axis=1)] == validation.labels))
            for tap, each in scores.items()
        }

    return accuracies


class _ChooseEpoch(keras.callbacks.Callback):
    """Keep, for each tap, the weights of the epoch that did best on validation, and put them back
    at the end."""

    def __init__(
        self, owners: Mapping[str, list[Any]], judge: Callable[[], dict[str, float]] | None
    ) -> None:
        super().__init__()
        self.owners = owners
        self.judge = judge
        self.epochs: dict[str, int] = {}
        self._best: dict[str, float] = {}
        self._weights: dict[str, list[Any]] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise UserError(
                f"The probe's loss became {loss} in epoch {epoch + 1}: features of this network may"
                " be infinite, or the learning rate too high."
            )
        if self.judge is None:
            return
        for tap, accuracy in self.judge().items():
            if accuracy > self._best.get(tap, -1.0):
                self._best[tap], self.epochs[tap] = accuracy, epoch + 1
                self._weights[tap] = [layer.get_weights() for layer in self.owners[tap]]

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        for tap, weights in self._weights.items():
            for layer, values in zip(self.owners[tap], weights, strict=True):
                layer.set_weights(values)
