"""The objects a recipe describes: images, augmentation, pretext task, compiled model and
batches."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np

from rotkeras import backbones, pretext
from rotkeras.backbones.weight_decay import add_l2
from rotkeras.data import Pipeline, Source, evaluation_pipeline, pipeline
from rotkeras.data.augmentation import NAMES as AUGMENTATIONS
from rotkeras.data.epochs import count_steps, epoch_steps, even_batch
from rotkeras.errors import UserError
from rotkeras.pretext.online_probe import OnlineProbe
from rotkeras.recipe import Recipe
from rotkeras.run.images import load_source as load_source
from rotkeras.training import devices, hosts, initial_weights, placement
from rotkeras.training.optimizer import build_optimizer, l2_in_loss


def build_augmentation(recipe: Recipe) -> list[Any]:
    """The augmentations of a recipe, in order."""
    steps = []
    for step in recipe.augmentation:
        arguments = step.model_dump(exclude={"name"})
        if step.name == "keras_cv":
            arguments = {"layer": step.layer, **step.arguments}
        make: Any = AUGMENTATIONS[step.name]
        steps.append(make(**arguments))
    return steps


def training_shape(source: Source, augmentation: Sequence[Any]) -> tuple[int, int, int]:
    """(H, W, 3) that the network sees: what the augmentations make of the source's images."""
    from rotkeras.data.augmentation import chain
    from rotkeras.data.epochs import makes_numpy
    from rotkeras.data.keyed import Key

    image = source.train.take(slice(0, 1))
    if makes_numpy(*augmentation):
        one = chain(list(augmentation))(image, Key(np.int64(0), np.int64(0), np.zeros(1, np.int64)))
    else:
        import tensorflow as tf

        zero = tf.constant(0, tf.int64)
        one = chain(list(augmentation))(
            tf.constant(image), Key(zero, zero, tf.zeros([1], tf.int64))
        )
    _, height, width, channels = one.shape
    return height, width, channels


def build_task(recipe: Recipe, source: Source, augmentation: Sequence[Any], own: Any = None) -> Any:
    """The pretext task of a recipe, or a user's `own` in its place; where `train.placement` wants
    it, an `InStep` that makes the views inside the step.

    Raises:
        UserError: for a placement that cannot be.
    """
    task = pretext.of_section(recipe.task) if own is None else own
    if recipe.probe.online:
        task = OnlineProbe(task, classes_of(source))
    where = placement.choose(
        recipe.train.placement, task, list(augmentation), source, compiled=_compiled(recipe)
    )
    return placement.place(where, task, list(augmentation), source)


def classes_of(source: Source) -> int:
    """The number of classes of labelled images: the highest label of training and validation + 1. A
    validation list may have a class that no training image has; the test part is not read while a
    network trains.

    Raises:
        UserError: for images without labels, or of one class.
    """
    parts = [each for each in (source.train, source.validation) if each is not None]
    highest = [int(each.labels.max()) for each in parts if each.labels is not None]
    count = 0 if source.train.labels is None else max(highest) + 1
    if count < 2:
        what = "no labels" if source.train.labels is None else "labels of one class"
        raise UserError(f"probe.online must be false for these images, got true; they have {what}.")
    return count


def _compiled(recipe: Recipe) -> bool:
    return (
        recipe.train.xla or devices.backend() != "tensorflow"
    )  # other backends run compiled, or very slowly


def check_backbone(recipe: Recipe) -> None:
    """Raise a `UserError` for a network that Keras does not have or that no file holds, before the
    images are decoded."""
    from rotkeras.backbones.keras_networks import check_file, check_network

    section: Any = recipe.backbone
    if section.name == "keras_applications":
        check_network(section.model, section.arguments)
    elif section.name == "keras_file":
        check_file(section.path)


def build(
    recipe: Recipe,
    source: Source,
    shape: tuple[int, int, int],
    augmentation: Sequence[Any] = (),
    own: Any = None,
) -> tuple[Any, keras.Model]:
    """The pretext task of a recipe and its compiled model, on the devices that the recipe wants.

    Args:
        recipe: what to train.
        source: the images; their number sets the schedule, and they may be put into the memory of
            the device.
        shape: (H, W, 3) that the network sees, as `training_shape` gives it.
        augmentation: of the recipe, for the step to apply where it is not left to the host.
        own: a task of the user's, in place of the recipe's.

    Returns:
        (task, model); the model has its optimizer's state and no weight but the initial ones.

    Raises:
        UserError: for devices or settings that do not fit.
    """
    settings = recipe.train
    task = build_task(recipe, source, augmentation, own)
    strategy = devices.strategy(settings.devices, settings.images_per_batch)
    if strategy and settings.xla:
        raise UserError(
            f"train.xla must be false with {strategy.num_replicas_in_sync} devices, got true; XLA"
            " compiles for one device: set train.devices to 1, or train.xla to false."
        )
    scope = strategy.scope() if strategy else nullcontext()
    steps = steps_of_epoch(recipe, len(source.train))
    with scope, devices.precision(settings.precision):
        backbone = backbones.NAMES[recipe.backbone.name](
            input_shape=shape,
            synchronized_batch_norm=settings.synchronized_batch_norm,
            **recipe.backbone.model_dump(exclude={"name"}),
        )
        model = task.build_model(backbone, len(source.train))
        kept = backbone.layers if backbones.has_weights(recipe.backbone) else ()
        initial_weights.draw(model, settings.seed, kept)
        backbones.fuse_batch_norm(model)
        if settings.quantization_aware and not backbones.round_to_int8(model):
            raise UserError(
                "train.quantization_aware must be false for this network, got true; it has no"
                " layer that is rounded (Conv2D, DepthwiseConv2D, Dense)."
            )
        add_l2(model, l2_in_loss(settings))
        model.compile(
            build_optimizer(settings, steps),
            task.loss(settings.label_smoothing) if settings.label_smoothing else task.loss(),
            metrics=task.metrics(),
            jit_compile=_compiled(recipe),
            steps_per_execution=settings.steps_per_execution,
        )
        # Else its state is made inside the first step, and TensorFlow traces every step twice.
        model.optimizer.build(model.trainable_variables)
    return task, model


def steps_of_epoch(recipe: Recipe, images: int) -> int:
    """Steps in an epoch of `fit`: a pass over so many images, or `train.images_per_epoch`."""
    settings = recipe.train
    sizes = settings.images_per_batch, settings.steps_per_execution
    return epoch_steps(count_steps(images, *sizes), settings.images_per_epoch, *sizes)


def build_pipeline(
    recipe: Recipe, source: Source, task: Any, augmentation: Sequence[Any], initial_epoch: int = 0
) -> Pipeline:
    """The training batches of a recipe, from an epoch on."""
    settings = recipe.train
    return pipeline(
        source.train,
        task,
        images_per_batch=settings.images_per_batch,
        seed=settings.seed,
        augmentation=() if isinstance(task, pretext.InStep) else augmentation,
        initial_epoch=initial_epoch,
        steps_per_execution=settings.steps_per_execution,
        images_per_epoch=settings.images_per_epoch,
        shard=hosts.processes(),
    )


def build_validation(recipe: Recipe, source: Source, task: Any) -> Any:
    """The validation batches of a recipe, for `fit`; None where the source has no such images, or
    the task's loss means nothing for them."""
    if source.validation is None or not getattr(task, "validates", True):
        return None
    part, size, several = source.validation, recipe.train.images_per_batch, 1
    if (distribution := keras.distribution.distribution()) is not None:  # each device gets as many
        several = distribution.device_mesh.devices.size
        part = part.part(np.arange(len(part) - len(part) % several))
    if _compiled(recipe) and not getattr(task, "spans_batch", False):
        size = even_batch(len(part), size, several)
    return evaluation_pipeline(part, task, images_per_batch=size, shard=hosts.processes())
