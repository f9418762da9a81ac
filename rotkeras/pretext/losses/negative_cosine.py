"""The negative cosine similarity of predictions and targets."""

from typing import Any

from keras import ops

from rotkeras.arguments.checked import checked
from rotkeras.errors import must
from rotkeras.pretext.losses.unit import unit

Tensor = Any


@checked
def negative_cosine(predictions: Any, targets: Any) -> Tensor:
    """The loss of each row: the negative cosine similarity of a prediction p and its target z,

        loss = −p / ‖p‖ · z / ‖z‖.

    No gradient passes through the targets.

    The squared distance of the two, each divided by its length, is 2 + 2 · loss: that is the loss
    of BYOL.

    Args:
        predictions: float (R, d), of any length.
        targets: float (R, d), of any length.

    Returns:
        float32 (R,), from −1 to 1; 0 for a prediction or a target of zeros.

    Raises:
        UserError: for tensors of other shapes.

    Reference:
        Chen, He, Exploring Simple Siamese Representation Learning, CVPR 2021, equations 1 to 4;
        Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, equation 2.
    """
    shape, other = tuple(ops.shape(predictions)), tuple(ops.shape(targets))
    if len(shape) != 2:
        raise must("predictions", "be (R, d)", shape)
    if not same_shape(shape, other):
        raise must("targets", f"be of the shape of predictions, {shape}", other)
    return -ops.sum(unit(predictions) * ops.stop_gradient(unit(targets)), axis=-1)


def same_shape(shape: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two shapes are equal, as far as they are known while a graph is traced."""
    return len(shape) == len(other) and all(
        not (isinstance(one, int) and isinstance(two, int)) or one == two
        for one, two in zip(shape, other, strict=True)
    )
