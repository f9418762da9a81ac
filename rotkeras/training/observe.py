"""The callbacks of a recipe that look at the network while it trains: probes, attention maps,
measures without labels, the spread of embeddings."""

import importlib.util
from collections.abc import Sequence
from typing import Any

from rotkeras.backbones import taps
from rotkeras.data import Source
from rotkeras.recipe import Recipe
from rotkeras.run.folder import Run
from rotkeras.training.callbacks import (
    AttentionMaps,
    EmbeddingSpread,
    LabelFreeQuality,
    ProbeAccuracy,
)
from rotkeras.training.notes import why_no_probes, why_no_quality


def has_tensorflow() -> bool:
    """Whether TensorFlow is installed: training on JAX does without it."""
    return importlib.util.find_spec("tensorflow") is not None


def probe(recipe: Recipe, source: Source, augmentation: Sequence[Any]) -> ProbeAccuracy | None:
    """The probe callback, or None when the images do not allow one."""
    if why_no_probes(source):
        return None
    settings = recipe.probe
    return ProbeAccuracy(
        source,
        settings.every_epochs,
        settings.train_images,
        settings.probes,
        settings.budget,
        augmentation,
        recipe.train.seed,
    )


def attention(recipe: Recipe, run: Run, source: Source, network: Any) -> AttentionMaps | None:
    """The callback that draws attention, or None when it is not wanted or the views have no common
    shape."""
    settings = recipe.attention
    height, width, _ = source.image_shape
    if settings is None or height != width or network.input.shape[1:3] != (height, width):
        return None
    for tap in settings.taps or ():
        taps.check(network, tap)
    return AttentionMaps(
        source.validation or source.train,
        settings.every_epochs,
        settings.images,
        settings.taps,
        settings.powers,
        folder=run.attention,
        tensorboard=run.tensorboard / "attention" if has_tensorflow() else None,
        seed=recipe.train.seed,
    )


def spread(recipe: Recipe, source: Source, task: Any) -> EmbeddingSpread | None:
    """The callback that watches for a collapse, or None for a task whose model returns no
    embeddings."""
    if not task.joint_embedding:
        return None
    images = source.validation or source.train
    return EmbeddingSpread(images, seed=recipe.train.seed, task=task)


def quality(recipe: Recipe, source: Source, network: Any) -> LabelFreeQuality | None:
    """The callback that measures without labels, or None when it is not wanted or cannot be
    (`why_no_quality`).

    Images and views do not depend on the seed of the training: runs of several seeds see the same.
    """
    settings = recipe.quality
    if settings is None or why_no_quality(source, network):
        return None
    return LabelFreeQuality(
        source.validation or source.train,
        settings.every_epochs,
        settings.images,
        settings.views,
        untrained_seed=recipe.train.seed,
    )


def restore(callback: LabelFreeQuality, state: dict[str, Any]) -> None:
    """Give a callback what an earlier part of the run measured (`found`)."""
    earlier = state.get("quality") or {}
    callback.untrained = earlier.get("untrained")
    callback.results = {int(epoch): each for epoch, each in earlier.get("results", {}).items()}


def found(callback: LabelFreeQuality | None) -> dict[str, Any] | None:
    """What a callback has measured, as plain JSON for the state of a run; None without one."""
    if callback is None:
        return None
    return {
        "untrained": callback.untrained,
        "results": callback.results,
        "images": len(callback.images),
        "views": callback.views,
    }
