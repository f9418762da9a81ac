"""Where the views of a training are made, and where its images lie."""

from typing import Any, Literal

from rotkeras.data import Source
from rotkeras.data.encoded import EncodedImages
from rotkeras.errors import UserError
from rotkeras.pretext import InStep
from rotkeras.training import devices, hosts

Placement = Literal["host", "device", "resident"]

_SHARE = 4
"""Images may take one part in so many of the memory of the device; the rest is for the network and
its activations."""
_SUPPOSED = 8 * 2**30
"""Bytes of a device that does not say how many it has."""


def choose(
    wanted: str, task: Any, augmentation: list[Any], source: Source, compiled: bool
) -> Placement:
    """What `train.placement` comes to.

    Args:
        wanted: host, device, resident or auto.
        task: a pretext task.
        augmentation: of the recipe.
        source: the images.
        compiled: whether the step is compiled as a whole (XLA).

    Returns:
        The same for all but auto. Auto is "host" on a CPU, for what runs on the host alone, and for
        images that stay encoded;
        where an accelerator runs a compiled step it is "resident" when the images fit into a
        quarter of its memory, and else "device".

    Raises:
        UserError: for what cannot be done inside the step.
    """
    able = getattr(task, "in_step", False)
    ready = all(getattr(step, "in_step", False) for step in augmentation)
    several = hosts.processes()[1] > 1
    together = source.validation is None or source.validation.array is source.train.array
    encoded = isinstance(source.train.array, EncodedImages)
    if wanted in ("device", "resident") and encoded:
        raise UserError(
            f"train.placement must be host for images that stay encoded, got {wanted}; set"
            " data.storage to memory or file, or train.placement to host."
        )
    if wanted in ("device", "resident") and not able:
        raise UserError(
            f"train.placement must be host for this task and its settings, got {wanted}; its"
            " views are not made inside the step."
        )
    if wanted == "resident" and not ready:
        raise UserError(
            "train.placement must be device or host for these augmentations, got resident; layers"
            " of keras-cv run on the host."
        )
    if wanted == "resident" and several:
        raise UserError(
            "train.placement must be device or host on several hosts, got resident; they send each"
            " device its own part of a batch."
        )
    if wanted == "resident" and not together:
        raise UserError(
            "train.placement must be device or host when validation images are in another array"
            " than training images, got resident."
        )
    if wanted in ("device", "resident") and not compiled and devices.accelerators():
        raise UserError(
            f"train.placement must be host on a GPU without XLA, got {wanted}; set train.xla to"
            " true and train.deterministic to false, or KERAS_BACKEND to jax, so that a compiled"
            " step makes the views."
        )
    if wanted != "auto":
        return wanted  # type: ignore[return-value]
    if encoded or not (able and compiled and devices.accelerators()):
        return "host"
    if (
        ready
        and together
        and not several
        and bytes_of(source) * _SHARE <= (devices.device_memory() or _SUPPOSED)
    ):
        return "resident"
    return "device"


def place(placement: Placement, task: Any, augmentation: list[Any], source: Source) -> Any:
    """The task to train with: the given one, or an `InStep` around it."""
    if placement == "host":
        return task
    parts = [source.train, *([source.validation] if source.validation is not None else [])]
    return InStep(task, augmentation, parts if placement == "resident" else ())


def of(task: Any) -> Placement:
    """The placement of a task of `place`."""
    if not isinstance(task, InStep):
        return "host"
    return "resident" if task.resident else "device"


def describe(task: Any, source: Source) -> str:
    """A line about a placement that is not the input pipeline's, else nothing."""
    match of(task):
        case "resident":
            where = f"lie there, {bytes_of(source) / 2**20:,.1f} MiB"
        case "device":
            where = "are sent there"
        case _:
            return ""
    return f"views: made inside the step, on the device, of images that {where}"


def bytes_of(source: Source) -> int:
    """Bytes of the images to learn from and to validate on."""
    height, width, channels = source.image_shape
    images = len(source.train) + (len(source.validation) if source.validation is not None else 0)
    return images * height * width * channels
