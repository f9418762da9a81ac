"""The form of a pretext task: data plus a model.

A task makes (x, y) of a batch of images, and a Keras model that stock `compile` and `fit` train.
Everything outside this package asks the task object, and never what task it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Monitor:
    """The metric that tells whether a task learns.

    Attributes:
        metric: its name in the logs of `fit`; that of the validation set has `val_` in front.
        words: what people read: "rotation accuracy".
        short: the same in an epoch's line: "rotation".
        mode: whether higher or lower values are better.
        chance: its value for a network that has learned nothing; None if there is no such value.
        percent: whether the value is a share, shown in percent.
    """

    metric: str
    words: str
    short: str
    mode: Literal["max", "min"] = "max"
    chance: float | None = None
    percent: bool = True

    def show(self, value: float) -> str:
        """A value with its unit: "95.2 %"."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3g}"

    def rank(self, value: float) -> float:
        """A number that is higher for better values."""
        return value if self.mode == "max" else -value


@dataclass(frozen=True)
class TaskFacts:
    """What a run keeps of its task, so that it can be shown and exported without the task's code.

    Attributes:
        name: that the recipe uses, or the name of the class of a user's own task.
        monitor, class_names, method: of the task.
        angles: degrees counter-clockwise by which an image was turned, one for each class; () for
            other classes.
    """

    name: str
    monitor: Monitor
    class_names: tuple[str, ...] | None
    method: str
    angles: tuple[int, ...] = ()

    @classmethod
    def of(cls, task: "PretextTask", name: str, images_per_batch: int | None = None) -> "TaskFacts":
        """The facts of a task; with a batch, its chance level too where that depends on it."""
        names, monitor = task.class_names, task.monitor
        if images_per_batch is not None and hasattr(task, "chance"):
            monitor = replace(monitor, chance=task.chance(images_per_batch))
        angles = tuple(getattr(task, "angles", ()))
        return cls(name, monitor, None if names is None else tuple(names), task.method, angles)

    @classmethod
    def read(cls, content: dict[str, Any]) -> "TaskFacts":
        """The facts that `asdict` made content of; KeyError and TypeError for other content."""
        names = content["class_names"]
        angles = content.get("angles")
        if angles is None and content["name"] == "rotation":  # of a version without this key
            angles = [int(name.removesuffix("°")) for name in names]
        return cls(
            content["name"],
            Monitor(**content["monitor"]),
            None if names is None else tuple(names),
            content["method"],
            tuple(angles or ()),
        )


OPTIONAL = (
    *("angles", "batch_divides", "chance", "least_images_per_batch"),
    *("smooths_labels", "spans_batch", "validates", "whole_views"),
)
"""Attributes that a task need not have, and that a task which wraps another has where that has
them."""


class PretextTask(Protocol):
    """The form of a pretext task. Nothing needs to inherit from it.

    A task with `in_numpy = True` is given NumPy arrays in `views`, inside `tf.data` too, which
    makes whole batches by NumPy where the augmentations take arrays as well. One with `in_step =
    True` can have its views made inside the compiled step (`InStep`);
    then it has, as an augmentation has, for keys of NumPy numbers and of tensors:

        draw(key): what is random, on the host: int32 (B, D).
        labels(draws): y of the batch, on the host: (B, V), or (B,) where an image has one view.
        apply(images, draws): x, by `keras.ops`: the views (B·V, H, W, 3), those of an image side by
        side.

    x and y may be dicts: views of several sizes, or views that different parts of the model see;
    `labels` and `apply` then return dicts of the same names. The model's inputs and outputs have
    these names.

    Further attributes and methods are optional:

    - `least_images_per_batch`: 1 where it is not said.
    - `batch_divides`: (name of a setting, its value), which must be a multiple of the batch.
    - `smooths_labels` (True): whether the loss takes `train.label_smoothing`.
    - `spans_batch` (False): that loss and metrics compare the images of a batch, so that all
      batches must have one size.
    - `validates` (True): whether the loss means anything for images that are not trained on; it
      does not where the model keeps something for each training image.
    - `whole_views` (True): whether the views are whole images, so that classifiers of an image can
      be trained on their features (`OnlineProbe`).
    - `pictures(model, images, seed)`: a list of `rotkeras.pretext.pictures.Picture`, which show
      what the trained model answers for some images (`rotkeras.data.Images`, of validation). The
      run keeps them, and its page shows them. `model` is what `build_model` returned.
    - `chance(images_per_batch)`: the monitor's value for a network that guesses, where it depends
      on the batch.
    - `angles`: degrees counter-clockwise by which an image was turned, one for each class.
    - `examples(images, key)`: (x, y), whole images of known classes of the kept network, where
      `views` makes more or other than those.
    - `embedder(model)`: the model uint8 (B, H, W, 3) -> (B, d) of what may collapse, where that is
      not the model that is trained.
    - `with_labels(y, labels)`: y with the labels of the images, for `OnlineProbe` alone.
    - `shortcut_views(images, key)`: what `rotkeras audit --task` shows its simple predictors, one
      `rotkeras.pretext.ShortcutViews` for each thing that the task asks: tuple of them. Images are
      uint8 (B, H, W, 3) arrays, and the views those that training makes, every answer shown where
      `views` draws one.

    Attributes:
        monitor: the metric that tells whether it learns.
        class_names: what the kept network predicts for one image, ("0°", "90°", …); None if it
            predicts nothing.
        method: how it learns, with the paper, after "pre-trained by", for model cards.
        joint_embedding: whether its model returns embeddings, which may collapse: all images then
            have one. Training watches their spread.
    """

    monitor: Monitor
    class_names: Sequence[str] | None
    method: str
    joint_embedding: bool

    def views(self, images: Any, key: Any) -> tuple[Any, Any]:
        """(x, y) of a batch of images: tensors inside `tf.data`, or, with `in_numpy`, arrays.

        Args:
            images: uint8 (B, H, W, 3).
            key: `rotkeras.data.keyed.Key`, of which any randomness is a function. Its `position`
                is that of each image among the training images, for tasks that keep something for
                each of them.
        """
        ...

    def views_per_image(self) -> float:
        """Views of each image of a batch, in whole images: a crop of half the height and width
        counts as a quarter. For honest speeds and budgets."""
        ...

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """The Keras model to compile and fit: x in, predictions of y out.

        Args:
            backbone: a functional Keras model, uint8 (B, H, W, 3) -> feature map (B, h, w, C).
            images: number of training images, for tasks that keep something for each of them.
        """
        ...

    def network(self, model: Any) -> Any:
        """What is kept: a flat functional model of stock layers, one uint8 image in, taps named.
        Its output is the prediction for one image, or, where `class_names` is None, the last
        feature map."""
        ...

    def loss(self, label_smoothing: float = 0.0) -> Any:
        """The loss for `compile`; a `UserError` for settings that it does not have."""
        ...

    def metrics(self) -> Any:
        """The metrics for `compile`; `monitor` names one of them, or "loss". For several outputs a
        dict {output: metrics}, whose metrics are logged as "output_metric"."""
        ...

    def callbacks(self, images: Any) -> list[Any]:
        """Callbacks for `fit`, for tasks that work between epochs.

        Args:
            images: the training images (`rotkeras.data.Images`).
        """
        ...
