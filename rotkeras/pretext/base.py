"""What every pretext task is: data plus head.

A task makes (x, y) of a batch of images on the host, and a Keras model that learns them with stock
`compile` and `fit`.
"""

from typing import Any, Protocol


class PretextTask(Protocol):
    """The form of a pretext task. Nothing needs to inherit from it.

    A task with `in_numpy = True` is given NumPy arrays in `views`, inside `tf.data` too, which
    makes whole batches by NumPy where the augmentations take arrays as well. One with `in_step =
    True` can have its views made inside the compiled step (`InStep`);
    then it has, as an augmentation has, for keys of NumPy numbers and of tensors:

        draw(key): what is random, on the host: int32 (B, D).
        labels(draws): y of the batch, on the host: (B, V), or (B,) where an image has one view.
        apply(images, draws): the views, by `keras.ops`: (B·V, H, W, 3), those of an image side by
        side.
    """

    def views(self, images: Any, key: Any) -> tuple[Any, Any]:
        """(x, y) of a batch of images: tensors inside `tf.data`, or, with `in_numpy`, arrays.

        Args:
            images: uint8 (B, H, W, 3).
            key: `rotkeras.data.keyed.Key`, of which any randomness is a function.
        """
        ...

    def views_per_image(self) -> int:
        """Views that pass through the backbone for each image of a batch."""
        ...

    def build_model(self, backbone: Any) -> Any:
        """The Keras model to compile and fit: x in, predictions of y out."""
        ...

    def classifier(self, model: Any) -> Any:
        """The flat model to keep, of one view: backbone and head without what only training
        needs."""
        ...

    def loss(self, label_smoothing: float = 0.0) -> Any:
        """The loss for `compile`."""
        ...

    def metrics(self) -> list[Any]:
        """The metrics for `compile`; the first is named `accuracy`."""
        ...
