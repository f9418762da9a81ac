"""Whether an object has the form of a pretext task, in sentences that say what is missing."""

from typing import Any

from rotkeras.errors import UserError
from rotkeras.pretext.base import Monitor

_METHODS = (
    *("views", "views_per_image", "build_model", "network", "loss", "metrics", "callbacks"),
)
_ATTRIBUTES = ("class_names", "method", "joint_embedding")
_GUIDE = "see docs/tutorials/own_task.md"


def check_form(task: Any) -> None:
    """Raise a `UserError` for an object that lacks something of `PretextTask`."""
    name = type(task).__name__
    for each in _METHODS:
        if not callable(getattr(task, each, None)):
            raise UserError(f"The task {name} needs the method {each}(); {_GUIDE}.")
    for each in _ATTRIBUTES:
        if not hasattr(task, each):
            raise UserError(f"The task {name} needs the attribute {each}; {_GUIDE}.")
    if not isinstance(getattr(task, "monitor", None), Monitor):
        raise UserError(
            f"The task {name} needs the attribute monitor, a rotkeras.pretext.Monitor; {_GUIDE}."
        )


def setting_mistake(
    task: Any, images_per_batch: int, label_smoothing: float = 0.0
) -> tuple[str, str] | None:
    """(key of section `train`, what is wrong) for a setting that a task cannot have, else None.

    Args:
        task: a pretext task. `least_images_per_batch` is 1 and `smooths_labels` True for one that
            does not say otherwise, and any batch divides what it does not name.
        images_per_batch, label_smoothing: of section `train` of a recipe.
    """
    name = type(task).__name__
    least = getattr(task, "least_images_per_batch", 1)
    if images_per_batch < least:
        return "images_per_batch", (
            f"must be at least {least} for {name}, got {images_per_batch}; its loss compares the"
            " images of a batch"
        )
    setting, total = getattr(task, "batch_divides", ("", images_per_batch))
    if total % images_per_batch:
        return "images_per_batch", (
            f"must divide task.{setting} ({total}) for {name}, got {images_per_batch}"
        )
    if label_smoothing and not getattr(task, "smooths_labels", True):
        return "label_smoothing", (
            f"must be 0 for {name}, got {label_smoothing:g}; its loss has no labels to smooth"
        )
    return None


def check_model(task: Any, model: Any) -> None:
    """Raise a `UserError` for a task whose network or metrics are not what it says."""
    import keras

    name, network = type(task).__name__, task.network(model)
    if not isinstance(network, keras.Model):
        raise UserError(
            f"{name}.network() must return a Keras model, got {type(network).__name__}; {_GUIDE}."
        )
    names, shape = task.class_names, tuple(network.output_shape)
    if names is not None and shape[1:] != (len(names),):
        raise UserError(
            f"{name}.network() must return one score for each of its {len(names)} class_names, (B,"
            f" {len(names)}), got {shape}."
        )
    metrics = _names(task.metrics())
    if task.monitor.metric not in ("loss", *metrics):
        raise UserError(
            f"The monitor of {name} must be a metric of its metrics() or loss, got"
            f" {task.monitor.metric!r}; its metrics are {', '.join(metrics) or 'none'}."
        )


def _names(metrics: Any) -> list[str]:
    """The names by which `fit` logs metrics."""
    if isinstance(metrics, dict):
        # The logs of the output "task" are named as if there were no other (`OnlineProbe`).
        starts = {output: "" if output == "task" else f"{output}_" for output in metrics}
        return [starts[output] + name for output in metrics for name in _names(metrics[output])]
    listed = metrics if isinstance(metrics, list | tuple) else [metrics]
    return [getattr(each, "name", str(each)) for each in listed]
