"""A linear classifier on every tap that is trained alongside the network."""

from typing import Any

from rotkeras.arguments.accepted import Classes, Fraction, Task
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError
from rotkeras.pretext.no_labels import no_labels

_TASK, _ONLINE = "task", "online"
"""Outputs of the model: that of the task, where it has one, and that of the classifiers."""


class OnlineProbe:
    """A task of the same form as the one it wraps, beside which a linear classifier is trained on
    every tap, in the same steps and on the same views.

    The classifiers see the mean of each channel, normalised by the statistics of the batch, and no
    gradient of theirs flows into the network. Two settings of an optimizer still couple them:
    `global_clipnorm` scales all gradients by one norm, which then includes those of the
    classifiers, and dynamic loss scaling (float16) leaves a step out for all weights when one
    gradient overflows. Recipes clip no gradients, and scale the loss with `precision:
    mixed_float16` alone.

    The accuracy of the classifiers is that of the moment, of weights that move, and on training
    images that of augmented views: it costs next to nothing, but it is no evaluation.

    Args:
        task: a pretext task.
        classes: number of classes; labels are 0 … classes − 1.

    Raises:
        UserError: for a task whose network sees no whole images, such as tiles.

    `rotkeras.data.pipeline` gives it the labels of the images. With its `callbacks` the logs of
    `fit` have the names that they have without it, and `online/<tap>` besides; its losses add
    nothing to the value of the loss.

    Example:
        task = OnlineProbe(SimCLR(), classes=10)
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())
        batches = rotkeras.data.pipeline(source.train, task, images_per_batch=256)
        model.fit(
            batches.dataset,
            steps_per_epoch=batches.steps_per_epoch,
            callbacks=task.callbacks(source.train),
        )

    Reference:
        the online evaluation of Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, appendix
        C.2.
    """

    @checked
    def __init__(self, task: Task, classes: Classes) -> None:
        if not getattr(task, "whole_views", True):
            raise UserError(
                f"A classifier cannot be trained along with {type(task).__name__}, whose network"
                " sees tiles and not whole images; set probe.online to false, and"
                " probe.every_epochs to 1 for accuracies after each epoch."
            )
        self.task = task
        self.classes = classes

    def __getattr__(self, name: str) -> Any:
        """What is not of the classifiers is the task's; `views_of_photographs` is there where the
        task has it, that is, where it cuts crops of its own, and so is `pictures`."""
        if name == "task":  # not set yet, while a copy is made
            raise AttributeError(name)
        found = getattr(self.task, name)
        own = {"views_of_photographs": self._of_photographs, "pictures": self._pictures}
        return own.get(name, found)

    def views(self, images: Any, key: Any) -> tuple[Any, dict[str, Any]]:
        """(x of the task, y of the task and places for the labels)."""
        x, y = self.task.views(images, key)
        return x, _by_output(y, no_labels(key.index))

    def _of_photographs(self, cut: Any, key: Any) -> tuple[Any, dict[str, Any]]:
        """(x, y) as of `views`, of photographs that stay encoded."""
        x, y = self.task.views_of_photographs(cut, key)
        return x, _by_output(y, no_labels(key.index))

    def _pictures(self, model: Any, images: Any, seed: int) -> Any:
        """The pictures of the task."""
        return self.task.pictures(self._of_task(model), images, seed)

    def labels(self, drawn: Any) -> dict[str, Any]:
        """y of the views that `apply` makes, and places for the labels."""
        return _by_output(self.task.labels(drawn), no_labels(drawn))

    def with_labels(self, y: dict[str, Any], labels: Any) -> dict[str, Any]:
        """y with the labels of the images, int32 (B,)."""
        return {**y, _ONLINE: labels}

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """The model of the task, with one more output: "online", logits (R, taps, classes) of its R
        whole views."""
        import keras

        from rotkeras.backbones import taps

        model = self.task.build_model(backbone, images)
        network, logits = self.task.network(model), []
        for tap in taps.names(network):
            features = keras.layers.GlobalAveragePooling2D(name=f"{tap}_online_pool")(
                taps.output(network, tap)
            )
            features = keras.ops.stop_gradient(features)
            features = keras.layers.BatchNormalization(
                momentum=0.9,
                center=False,
                scale=False,
                dtype="float32",
                synchronized=any(getattr(each, "synchronized", False) for each in backbone.layers),
                name=f"{tap}_online_norm",
            )(features)
            dense = keras.layers.Dense(self.classes, dtype="float32", name=f"{tap}_online")
            dense.is_probe = True
            logits.append(dense(features))
        outputs = _by_output(model.output, keras.ops.stack(logits, axis=1))
        return keras.Model(model.input, outputs, name="online_probe")

    def network(self, model: Any) -> Any:
        """The network that the task keeps, without the classifiers."""
        return self.task.network(self._of_task(model))

    def embedder(self, model: Any) -> Any:
        """The model of what may collapse, as the task gives it."""
        there = self._of_task(model)
        return self.task.embedder(there) if hasattr(self.task, "embedder") else there

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> dict[str, Any]:
        """The losses by the outputs of the model; label_smoothing is for the task's."""
        from rotkeras.pretext.online_crossentropy import OnlineCrossentropy

        made = self.task.loss(label_smoothing) if label_smoothing else self.task.loss()
        return _by_output(made, OnlineCrossentropy())

    def metrics(self) -> dict[str, Any]:
        """The metrics by the outputs of the model."""
        from rotkeras.pretext.online_crossentropy import OnlineAccuracy

        return _by_output(self.task.metrics(), [OnlineAccuracy(name="online_accuracy")])

    def callbacks(self, images: Any) -> list[Any]:
        """One that names logs as they are named without the classifiers, and those of the task."""
        from rotkeras.pretext.online_crossentropy import OnlineLogs

        return [OnlineLogs(), *self.task.callbacks(images)]

    def _of_task(self, model: Any) -> Any:
        """The model without the classifiers."""
        import keras

        outputs = {name: each for name, each in model.output.items() if name != _ONLINE}
        return keras.Model(
            model.input, outputs[_TASK] if set(outputs) == {_TASK} else outputs, name="classifier"
        )


def _by_output(values: Any, online: Any) -> dict[str, Any]:
    """Values by output, with those of the classifiers."""
    named = values if isinstance(values, dict) else {_TASK: values}
    return {**named, _ONLINE: online}
