"""A pretext task whose augmentation and views are made inside the compiled step, of images that are
sent, or lie there already."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rotkeras.arguments.accepted import Fraction, Task
from rotkeras.arguments.checked import checked
from rotkeras.data import Images, draws
from rotkeras.data.augmentation import Augmentation, key_of_step
from rotkeras.errors import UserError
from rotkeras.pretext.augmented_views import beside
from rotkeras.pretext.base import OPTIONAL


class InStep:
    """A task of the same form as the one it wraps, for `pipeline`, `compile` and `fit`, whose
    pixels are made by the model.

    The host draws a few integers for each image, and sends them with the uint8 images, or, when the
    images are resident, with their rows alone. The model makes the augmented views of them by
    integer operations of `keras.ops`, so they are those of the host bit for bit, on every backend.

    Args:
        task: the task, whose `in_step` is true.
        augmentation: of `rotkeras.data.augmentation`, in order. Up to the last that cannot run
            inside the step they stay on the host, where `pipeline` applies them.
        resident: the parts of a source that shall lie in the memory of the device, such as
            `(source.train, source.validation)`, all of which `pipeline` and `evaluation_pipeline`
            will be given; empty to send the images of each batch. They become a weight of the model
            that no file holds.

    Attributes:
        on_host: the augmentations that `pipeline` applies.
        inside: those that the model applies.

    Raises:
        UserError: for a task, or with resident images an augmentation, that cannot run inside the
            step; for parts of different arrays.

    Example:
        task = InStep(Rotation(), [pad_crop_flip(4)], resident=(source.train,))
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())
        batches = pipeline(source.train, task, images_per_batch=128)
        model.fit(batches.dataset, steps_per_epoch=batches.steps_per_epoch)
        task.network(model).save("model.keras")
    """

    in_numpy = True

    @checked
    def __init__(
        self,
        task: Task,
        augmentation: Sequence[Augmentation] = (),
        resident: Images | Sequence[Images] = (),
    ) -> None:
        if not getattr(task, "in_step", False):
            raise UserError(
                f"The views of this {type(task).__name__} cannot be made inside the step; make them"
                " on the host, without InStep."
            )
        steps = list(augmentation)
        resident = (resident,) if isinstance(resident, Images) else tuple(resident)
        first = max(
            (
                number + 1
                for number, step in enumerate(steps)
                if not getattr(step, "in_step", False)
            ),
            default=0,
        )
        if resident and first:
            raise UserError(
                "Resident images cannot be augmented on the host, where layers of keras-cv and"
                " functions of your own run; send the images, or leave those augmentations out."
            )
        if any(part.array is not resident[0].array for part in resident):
            raise UserError("Resident images must be parts of one source, which share an array.")
        self.task = task
        self.on_host = steps[:first]
        self.inside: list[Any] = steps[first:]
        self.resident = resident
        self.augmented = True
        for name in OPTIONAL:
            if hasattr(task, name):
                setattr(self, name, getattr(task, name))

    @property
    def reads_images(self) -> bool:
        """Whether `views` wants the images, which resident ones spare it."""
        return not self.resident

    def for_evaluation(self) -> "InStep":
        """The same task without augmentation, for `evaluation_pipeline`, which asks for it."""
        same = InStep(self.task, [*self.on_host, *self.inside], self.resident)
        same.augmented = False
        return same

    def check_images(self, images: Images) -> None:
        """Raise a `UserError` for images that are not among the resident ones; a pipeline asks
        before it begins."""
        if self.resident and (
            images.array is not self.resident[0].array or not np.isin(images.rows, self._rows).all()
        ):
            raise UserError(
                f"The pipeline's images must be a part of the images of InStep, got {images!r};"
                " name that part in resident too."
            )

    def views_per_image(self) -> float:
        """The number of views of an image that the task makes, in whole images."""
        count: float = self.task.views_per_image()
        return count

    def views(self, images: Any, key: Any) -> tuple[dict[str, Any], Any]:
        """What the model makes its views of, on the host.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array; None when they are resident.
            key: what randomness is a function of, and, when they are resident, which images are
                meant.

        Returns:
            ({"images": uint8 (B, H, W, 3) or "rows": int32 (B,), "draws": int32 (B, D), where D >
            0}, y). y is (B, V) for V views of an image, (B,) for one.
        """
        x = {"rows": self._positions(key.index)} if self.resident else {"images": images}
        drawn = []
        for number, step in enumerate(self.inside, len(self.on_host)):
            drawn.append(
                step.draw(key_of_step(key, number))
                if self.augmented
                else draws.columns(key, step.undrawn)
            )
        drawn.append(of_task := self.task.draw(key))
        if sum(self._widths):
            x["draws"] = beside(drawn)
        return x, self.task.labels(of_task)

    def __getattr__(self, name: str) -> Any:
        """What `OnlineProbe` alone has, `with_labels` and `classes`; and `pictures` where the task
        has it."""
        if name in ("with_labels", "classes"):
            return getattr(self.task, name)
        if name == "pictures" and hasattr(self.task, name):
            return self._pictures
        raise AttributeError(name)

    def _pictures(self, model: Any, images: Any, seed: int) -> Any:
        """The pictures of the task."""
        return self.task.pictures(_trained(model), images, seed)

    def _views_of_outputs(self) -> Any:
        """Rows of each output of the model for one image: an int, or a dict of them."""
        labels = self.task.labels(np.zeros((1, self._widths[-1]), np.int32))
        counts = {name: each.shape[1] if each.ndim > 1 else 1 for name, each in _items(labels)}
        return counts if isinstance(labels, dict) else counts[""]

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """The model of the task behind a layer that makes its views.

        Args:
            backbone: as the task wants it; without resident images, of images of the size that
                `on_host` gives.
            images: as the task takes it.

        Returns:
            A Keras model of the dict that `views` makes -> predictions (B, V, …), or (B, …) for one
            view of an image; a dict of them where the task's model has several outputs.
        """
        import keras

        from rotkeras.pretext.make_views import MakeViews

        flat = self.task.build_model(backbone, images)
        inputs: dict[str, Any] = {}
        if self.resident:
            inputs["rows"] = keras.Input((), dtype="int32", name="rows")
        else:
            inputs["images"] = keras.Input(backbone.input_shape[1:], dtype="uint8", name="images")
        if width := sum(self._widths):
            inputs["draws"] = keras.Input((width,), dtype="int32", name="draws")
        resident = self._array() if self.resident else None
        views = MakeViews(
            [*self.inside, self.task], self._widths, view_shapes(flat), resident, name="views"
        )(inputs)
        counts, predictions = self._views_of_outputs(), flat(views)
        if isinstance(counts, dict):
            predictions = {name: _of_images(predictions[name], counts[name]) for name in counts}
        else:
            predictions = _of_images(predictions, counts)
        return keras.Model(inputs, predictions, name="in_step")

    def network(self, model: Any) -> Any:
        """The flat model to keep, of one view, inside a model that `build_model` made."""
        return self.task.network(_trained(model))

    def embedder(self, model: Any) -> Any:
        """The model of what may collapse, as the task gives it for one whole image."""
        there = _trained(model)
        return self.task.embedder(there) if hasattr(self.task, "embedder") else there

    def attach_images(self, model: Any) -> None:
        """Give the resident images to a model of this task that was loaded from a file, which does
        not hold them. Without resident images there is nothing to do.

        Args:
            model: as `keras.models.load_model` returns it; changed in place.

        Raises:
            UserError: for a model that another task, or one of other images, has made.

        Example:
            model = keras.models.load_model("checkpoint.keras")
            task.attach_images(model)
            model.fit(batches.dataset, steps_per_epoch=batches.steps_per_epoch)
        """
        layer = next((each for each in model.layers if getattr(each, "makes_views", False)), None)
        if layer is None:
            raise UserError(
                f"The model {model.name!r} does not make its views; build it with"
                " InStep.build_model."
            )
        from rotkeras.pretext.make_views import describe_images, steps_config

        config, array = layer.get_config(), self._array() if self.resident else None
        if config["steps"] != steps_config([*self.inside, self.task]):
            raise UserError(
                "The model's task and augmentations must be those of this InStep,"
                f" {_short(steps_config([*self.inside, self.task]))}, got"
                f" {_short(config['steps'])}."
            )
        if config["images"] != describe_images(array):
            raise UserError(
                f"The model's resident images must be {config['images'] or 'none'}, got"
                f" {describe_images(array) or 'none'}; give InStep the same parts of the same"
                " images."
            )
        layer.attach(array)

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> Any:
        """The loss of the task, for `compile`.

        Args:
            label_smoothing: as the task takes it.
        """
        return self.task.loss(label_smoothing)

    @property
    def monitor(self) -> Any:
        """The metric that tells whether the task learns."""
        return self.task.monitor

    @property
    def class_names(self) -> Any:
        """What the kept network predicts for one image; None if it predicts nothing."""
        return self.task.class_names

    @property
    def joint_embedding(self) -> bool:
        """Whether the task's model returns embeddings."""
        return bool(self.task.joint_embedding)

    @property
    def method(self) -> str:
        """How the task learns, with the paper, for model cards."""
        words: str = self.task.method
        return words

    def callbacks(self, images: Any) -> list[Any]:
        """The callbacks of the task, for `fit`.

        Args:
            images: the training images.
        """
        made: list[Any] = self.task.callbacks(images)
        return made

    def metrics(self) -> Any:
        """The metrics of the task, for `compile`."""
        return self.task.metrics()

    @cached_property
    def _widths(self) -> list[int]:
        """Columns of draws of each augmentation inside and, last, of the task."""
        from rotkeras.data.keyed import Key

        key = Key(np.int64(0), np.int64(0), np.zeros(1, np.int64))
        return [len(step.undrawn) for step in self.inside] + [self.task.draw(key).shape[1]]

    @cached_property
    def _rows(self) -> Any:
        """Rows of the array that are resident, ascending: int64 (R,)."""
        return np.unique(np.concatenate([part.rows for part in self.resident]))

    def _array(self) -> Any:
        return np.ascontiguousarray(self.resident[0].array[self._rows])

    def _positions(self, index: Any) -> Any:
        """Where images lie among the resident ones: int32 (B,)."""
        return np.searchsorted(self._rows, index % len(self.resident[0].array)).astype(np.int32)


def view_shapes(model: Any) -> Any:
    """The shapes of one row of a model's inputs: a tuple, or a dict of them by the inputs'
    names."""
    inputs = model.input  # `input_shape` is a list, even of a dict
    if isinstance(inputs, dict):
        return {name: tuple(each.shape[1:]) for name, each in inputs.items()}
    return tuple(inputs.shape[1:])


def _of_images(predictions: Any, count: int) -> Any:
    """Predictions (B·V, …) as (B, V, …), V > 1."""
    import keras

    if count == 1:
        return predictions
    return keras.ops.reshape(predictions, (-1, count, *predictions.shape[1:]))


def _trained(model: Any) -> Any:
    """The model of the task inside one that makes its views."""
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def _items(values: Any) -> list[tuple[str, Any]]:
    return list(values.items()) if isinstance(values, dict) else [("", values)]


def _short(steps: Sequence[Any]) -> str:
    """The augmentations and the task of a config, for a message."""
    return ", ".join(f"{each['class_name']}{each['config']}" for each in steps)
