"""Fit any probe on any Keras backbone with taps: one call, all taps in one pass over the images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Budget, Positive, ProbeName, Seed, TapNames
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps as taps_of
from rotkeras.data.augmentation import Augmentation
from rotkeras.data.source import Images
from rotkeras.errors import UserError, nearest
from rotkeras.probes import heads
from rotkeras.probes.features import Features, PooledFeatures, extract
from rotkeras.probes.knn_probe import KnnProbe, knn
from rotkeras.probes.linear import NAMES as CLOSED
from rotkeras.probes.linear import Labels, LinearProbe, check_labels
from rotkeras.probes.settings import Settings, settings_for

POOLED_FEATURES = 1024
_GLOBAL = "global-"


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """A probe that has learned, for one or several taps.

    Attributes:
        probe: its name.
        classes: int64 (c,), the labels that training had, ascending.
        epochs: {tap: the epoch whose weights were kept, counted from 1}; empty for probes in closed
            form.
        scores: images -> {tap: (N, c)}.
        model: stock layers, uint8 images -> {tap: scores (B, c)}; None for kNN, which keeps its
            training features.
    """

    probe: str
    classes: Labels
    epochs: dict[str, int]
    scores: Callable[[Images], Features]
    model: keras.Model | None = None

    def predict(self, images: Images) -> dict[str, Labels]:
        """{tap: the label of each image, int64 (N,)}."""
        return {
            tap: self.classes[np.argmax(each, axis=1)] for tap, each in self.scores(images).items()
        }

    def accuracy(self, images: Images) -> dict[str, float]:
        """{tap: accuracy on labelled images}."""
        if images.labels is None:
            raise UserError(
                "An accuracy needs labels, and these images have none: give class folders or an"
                " array of labels."
            )
        return {
            tap: float(np.mean(each == images.labels)) for tap, each in self.predict(images).items()
        }


def check_name(probe: str) -> None:
    """Raise a `UserError` when there is no probe of this name."""
    if probe in heads.NAMES or probe in CLOSED or neighbours_of(probe):
        return
    names = [*CLOSED, *heads.NAMES, "knn-20", "knn-200"]
    raise UserError(
        f"There is no probe {probe!r}; {nearest(probe, names)} (knn-K for any number K of"
        " neighbours)"
    )


def pooled_features(probe: str) -> int:
    """Most numbers per tap and image that a probe in closed form reads; 1 for the average of each
    channel."""
    return 1 if probe.startswith(_GLOBAL) else POOLED_FEATURES


def is_trained(probe: str) -> bool:
    """Whether a probe is trained by SGD, so that it has a budget; else it is computed in closed
    form on pooled features."""
    return probe in heads.NAMES


@checked
def fit(
    network: keras.Model,
    probe: ProbeName,
    train: Images,
    validation: Images | None = None,
    *,
    taps: TapNames | None = None,
    budget: Budget | Settings = "fast",
    augmentation: Sequence[Augmentation] = (),
    trainable: bool = False,
    supervised: bool = False,
    seed: Seed = 0,
    filters: Positive | None = None,
    pooled: PooledFeatures | None = None,
    xla: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> FittedProbe:
    """Fit a probe on the features of a network, which is left as it is, bit for bit.

    Args:
        network: a model with taps, uint8 (B, H, W, 3) in.
        probe: "ridge", "logistic" (closed form, on pooled and standardised features), "knn-20" or
            any other k, "global-logistic" (on the average of each channel); "linear", "nonlinear",
            "conv", "global-linear" (the published layers, trained by SGD).
        train: labelled images to learn from.
        validation: when given, a trained probe keeps the weights of its best epoch on these, for
            each tap; else the last.
        taps: those to probe, in one pass; None for all.
        budget: of a trained probe: "fast", "published", or `rotkeras.probes.Settings`.
        augmentation: of `rotkeras.data.augmentation`; on a frozen backbone used when the settings
            say so.
        trainable: the backbone learns too (a copy of it); for trained probes and one tap.
        supervised: use the schedule of the supervised network; with an untrained copy and
            `trainable`, training from scratch.
        seed: of initial weights, order and augmentation.
        filters: of the conv probe; None takes the widest tap's channels, 192 for the published
            network.
        pooled: features that were computed before, for probes in closed form.
        xla: compile the training step with XLA, as other libraries than TensorFlow always do.
        callbacks: for the `fit` of a trained probe, such as a progress bar.

    Returns:
        A `FittedProbe`.

    Raises:
        UserError: for an unknown probe or tap, images without labels or of one class, or a loss
            that is not finite.

    Reference:
        Gidaris, Singh, Komodakis, ICLR 2018, section 4.1 (protocol and schedules).
    """
    check_name(probe)
    labels = check_labels(train.labels)
    wanted = taps_of.names(network) if taps is None else list(taps)
    for tap in wanted:
        taps_of.check(network, tap)
    _check_size(network, train)
    if validation is not None:
        if validation.labels is None:
            raise UserError(
                "Validation chooses the epoch by its labels, and these images have none: give"
                " labels, or no validation."
            )
        _check_size(network, validation)
    if not is_trained(probe):
        if trainable or supervised:
            raise UserError(
                f"The probe {probe!r} is computed in closed form and cannot train a backbone: take"
                f" {', '.join(heads.NAMES)}."
            )
        return _closed(network, probe, train, labels, wanted, pooled)
    if trainable and len(wanted) > 1:
        raise UserError(
            f"A backbone that trains is probed at one tap; name one of {', '.join(wanted)}."
        )

    from rotkeras.probes.train import train_heads

    settings = settings_for(budget, probe, supervised)
    classes = np.unique(labels)
    twin = taps_of.copy(network)
    twin.trainable = trainable
    maps = {tap: twin.get_layer(tap).output for tap in wanted}
    filters = filters or max(twin.get_layer(tap).output.shape[-1] for tap in taps_of.names(twin))
    layers = {
        tap: heads.NAMES[probe](
            heads.Site(maps[tap].shape[1:], len(classes), f"{tap}_{probe}", seed, filters)
        )
        for tap in wanted
    }
    model = keras.Model(
        twin.input,
        {tap: heads.apply(layers[tap], maps[tap]) for tap in wanted},
        name=f"{probe}_probe",
    )
    epochs = train_heads(
        model,
        twin,
        layers,
        train,
        validation,
        classes,
        settings,
        augmentation,
        seed,
        xla,
        callbacks,
    )
    twin.trainable = True  # a later reader may want to fine-tune it
    return FittedProbe(probe, classes, epochs, lambda images: extract(model, images), model)


def _closed(
    network: keras.Model,
    probe: str,
    train: Images,
    labels: Labels,
    wanted: list[str],
    pooled: PooledFeatures | None,
) -> FittedProbe:
    most = pooled_features(probe)
    if pooled is None or pooled.features != most:
        pooled = PooledFeatures(network, wanted, most)
    features_of = pooled
    features = features_of(train)
    fitted = {tap: fit_features(probe, features[tap], labels) for tap in wanted}

    def scores(images: Images) -> Features:
        found = features_of(images)
        return {
            tap: np.asarray(each.scores(found[tap]), np.float32) for tap, each in fitted.items()
        }

    linear = {tap: each for tap, each in fitted.items() if isinstance(each, LinearProbe)}
    return FittedProbe(
        probe, np.unique(labels), {}, scores, _folded(network, probe, linear) if linear else None
    )


def fit_features(
    probe: str, features: NDArray[np.float32], labels: Labels
) -> LinearProbe | KnnProbe:
    """Fit a probe in closed form on features: "ridge", "logistic", or "knn-20" with any k.

    Args:
        probe: its name.
        features: float (n, d).
        labels: integers (n,).
    """
    if k := neighbours_of(probe):
        return knn(features, labels, k)
    fitted: LinearProbe = CLOSED[probe](features, labels)  # type: ignore[operator]
    return fitted


def _folded(network: keras.Model, probe: str, fitted: dict[str, LinearProbe]) -> keras.Model:
    """Linear probes as stock layers on a copy of the network: standardisation becomes part of the
    dense weights."""
    twin = taps_of.copy(network)
    outputs = {}
    for tap, each in fitted.items():
        x = twin.get_layer(tap).output
        side = taps_of.grid(x.shape[1:], pooled_features(probe))
        x = taps_of.grid_layer(side, f"{tap}_{probe}_grid")(x)
        x = keras.layers.Flatten(name=f"{tap}_{probe}_flatten", dtype="float32")(x)
        dense = keras.layers.Dense(len(each.classes), name=f"{tap}_{probe}_scores", dtype="float32")
        outputs[tap] = dense(x)
        weight = each.weight / each.scale[:, None]
        dense.set_weights(
            [weight.astype(np.float32), (each.bias - each.mean @ weight).astype(np.float32)]
        )
    return keras.Model(twin.input, outputs, name=f"{probe}_probe")


def neighbours_of(probe: str) -> int | None:
    """The k of a probe that is called knn-k, None for the others."""
    kind, _, count = probe.partition("-")
    return int(count) if kind == "knn" and count.isdecimal() and int(count) > 0 else None


def _check_size(network: keras.Model, images: Images) -> None:
    expected = tuple(network.input_shape[1:])
    if any(
        size not in (None, there) for size, there in zip(expected, images.image_shape, strict=True)
    ):
        raise UserError(
            f"The network takes images of {expected[0]}×{expected[1]}, got"
            f" {images.image_shape[0]}×{images.image_shape[1]}; load them with"
            f" image_size={expected[0]}."
        )
