"""What a training says before its first step."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from rotkeras import backbones
from rotkeras.backbones import taps
from rotkeras.backbones.quantization_aware import is_rounded
from rotkeras.data import Source
from rotkeras.data.taken import crops_by_task, cuts_photographs
from rotkeras.errors import UserError
from rotkeras.pretext.check import setting_mistake
from rotkeras.recipe import Recipe
from rotkeras.training import devices
from rotkeras.training.build import steps_of_epoch
from rotkeras.training.optimizer import l2_in_loss


def not_in_files(recipe: Recipe, callbacks: Sequence[Any]) -> str:
    """A line about what the models of a `ModelCheckpoint` lack, else nothing."""
    whole = [
        each
        for each in callbacks
        if isinstance(each, keras.callbacks.ModelCheckpoint) and not each.save_weights_only
    ]
    if whole and (rate := l2_in_loss(recipe.train)):
        return (
            "ModelCheckpoint: the files do not contain the weight decay; after load_model call"
            f" rotkeras.backbones.weight_decay.add_l2(model, {rate:g})"
        )
    return ""


def check_own_settings(recipe: Recipe, task: Any) -> None:
    """Raise a `UserError` for settings of the recipe that a user's own task cannot have."""
    settings = recipe.train
    if found := setting_mistake(task, settings.images_per_batch, settings.label_smoothing):
        key, words = found
        raise UserError(f"train.{key} {words}.")


def describe_network(recipe: Recipe, network: keras.Model) -> str:
    """One line about a backbone: its settings, trainable numbers, and taps with the sides of their
    maps."""
    there = taps.names(network)
    last = taps.output(network, there[-1])
    numbers = keras.Model(network.input, last).trainable_variables
    count = sum(math.prod(each.shape) for each in numbers)
    weights = f"{count / 1e6:.2f} M" if count >= 100_000 else f"{count:,}"
    maps = (f"{tap} {'×'.join(map(str, taps.output(network, tap).shape[1:3]))}" for tap in there)
    return (
        f"backbone {backbones.summary(recipe.backbone)}; {weights} weights; taps {', '.join(maps)}"
    )


def network_notes(
    recipe: Recipe, source: Source, task: Any, model: keras.Model, augmentation: Sequence[Any]
) -> list[str]:
    """Lines about how these images, this task and this network go together."""
    steps = steps_of_epoch(recipe, len(source.train))
    lines = epoch_notes(recipe, steps)
    if source.validation is not None and not getattr(task, "validates", True):
        lines.append(
            f"note: {task.monitor.words} is of training images alone: the task keeps something for"
            " each of them, and nothing for validation images"
        )
    lines += [
        *batch_notes(recipe, source, task),
        *rounding_notes(recipe, model),
        *slow_statistics(recipe, steps, model),
    ]
    if crops_by_task(source.train, task, augmentation) or cuts_photographs(
        source.train, augmentation
    ):
        lines.append(
            "crops are cut from the photographs themselves, not from their centred squares"
        )
    elif crops_by_task(source.train, task):
        lines.append(
            "note: an augmentation comes before the crops of the task, so training cuts them from"
            " centred squares and validation from photographs: do not compare their losses"
        )
    if recipe.attention is not None and source.image_shape[0] != source.image_shape[1]:
        lines.append(
            "attention maps are left out: they compare quarter turns, which need square images"
        )
    if recipe.quality is not None and (reason := why_no_quality(source, task.network(model))):
        lines.append(f"measures without labels are left out: {reason}")
    return lines


def epoch_notes(recipe: Recipe, steps_per_epoch: int) -> list[str]:
    """A line where `train.images_per_epoch` is no number of whole executions."""
    wanted = recipe.train.images_per_epoch
    taken = steps_per_epoch * recipe.train.images_per_batch
    if wanted is None or wanted == taken:
        return []
    execution = recipe.train.images_per_batch * recipe.train.steps_per_execution
    what = "less than" if wanted < execution else "no multiple of"
    return [
        f"note: train.images_per_epoch {wanted:,} is {what} the {execution:,} images of one"
        f" execution: an epoch takes {taken:,}"
    ]


_UNSETTLED = 0.1
"""Share of the first statistics that batch norm may keep."""


def batch_notes(recipe: Recipe, source: Source, task: Any) -> list[str]:
    """Lines about a task whose loss compares the images of a batch: which validation images make
    whole batches, and batch norm on several devices."""
    if not getattr(task, "spans_batch", False):
        return []
    size, lines = recipe.train.images_per_batch, []
    if source.validation is not None and (left := len(source.validation) % size):
        total = len(source.validation)
        if total > size:
            lines.append(
                f"note: validation loss and {task.monitor.words} are of {total - left:,} of"
                f" {total:,} images, in whole batches"
            )
        else:
            lines.append(
                f"note: validation loss and {task.monitor.words} are of one batch of {total:,}"
                f" images, and those of training of batches of {size:,}: do not compare them"
            )
    several = (recipe.train.devices or len(devices.accelerators())) > 1
    apart = several and devices.backend() == "tensorflow"  # JAX sees the whole batch
    if apart and not recipe.train.synchronized_batch_norm:
        lines.append(
            "note: train.synchronized_batch_norm is false, so each device has batch statistics of"
            " its own, by which views of one device can be recognised; set it to true"
        )
    return lines


def slow_statistics(recipe: Recipe, steps_per_epoch: int, model: keras.Model) -> list[str]:
    """A line where batch norm's moving statistics, which inference uses, cannot settle in so few
    steps: more than a tenth of them would be what they began with."""
    steps = recipe.train.epochs * steps_per_epoch
    momenta = [
        layer.momentum
        for layer in taps.flat(model).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not momenta or (slowest := max(momenta)) ** steps <= _UNSETTLED:
        return []
    return [
        f"note: batch norm of momentum {slowest:g} keeps {100 * slowest**steps:.0f} % of its first"
        f" statistics after {steps:,} steps, and validation and encoder use them: train longer, or"
        " set backbone.batch_norm_momentum, such as 0.9, where the backbone has it"
    ]


def why_no_probes(source: Source) -> str:
    """Why the features cannot be probed on these images, in words; "" where they can."""
    train, validation = source.train, source.validation
    if train.labels is None:
        return "the images have no labels"
    if validation is None or validation.labels is None:
        return "there are no labelled validation images"
    if len(set(train.labels.tolist())) < 2:
        return "all training images are of one class"
    if len(set(train.labels.tolist()) & set(validation.labels.tolist())) < 2:
        return "the training and validation images share fewer than two classes"
    return ""


def why_no_quality(source: Source, network: keras.Model) -> str:
    """Why the features cannot be measured without labels on these images, in words; "" where they
    can."""
    part = source.validation or source.train
    if len(part) < 2:
        return "they need two images"
    height, width, _ = part.image_shape
    if tuple(network.input.shape[1:3]) != (height, width):
        return (
            f"the augmentation makes images of another size than the {height}×{width} of the source"
        )
    return ""


def rounding_notes(recipe: Recipe, model: keras.Model) -> list[str]:
    """A line about which layers quantization-aware training rounds, and which it does not."""
    if not recipe.train.quantization_aware:
        return []
    layers = [each for each in taps.flat(model).layers if hasattr(each, "kernel_size")]
    dense = [each for each in taps.flat(model).layers if isinstance(each, keras.layers.Dense)]
    left = [each for each in layers if not is_rounded(each)]
    kinds = sorted({type(each).__name__ for each in left})
    line = f"rounded to int8: {len(layers) + len(dense) - len(left)} layers"
    return [f"{line}; not {len(left)} of {', '.join(kinds)}" if left else line]
