"""Half of the squared distance between parameters and their prediction."""

from typing import Any

from keras import ops

from rotkeras.errors import must

Tensor = Any


def half_squared_distance(parameters: Any, predictions: Any) -> Tensor:
    """The loss of each pair of images: ½ ‖M − M̂‖².

    Args:
        parameters: float (B, P), the numbers M of the transformation.
        predictions: float (B, P), what the network makes of both images.

    Returns:
        float32 (B,).

    Raises:
        UserError: for other shapes.

    Reference:
        Zhang, Qi, Wang, Luo, AET vs. AED: Unsupervised Representation Learning by Auto-Encoding
        Transformations rather than Data, CVPR 2019, section 3.2. The published code takes the mean
        of the squares, which is 2 / P of this.
    """
    wanted, given = tuple(ops.shape(parameters)), tuple(ops.shape(predictions))
    if len(wanted) != 2 or len(given) != 2 or _differ(wanted[1], given[1]):
        raise must("predictions", f"be (B, P) as the parameters {wanted} are", given)
    apart = ops.cast(parameters, "float32") - ops.cast(predictions, "float32")
    return 0.5 * ops.sum(ops.square(apart), axis=1)


def _differ(one: Any, other: Any) -> bool:
    """Whether two lengths that are known differ."""
    return isinstance(one, int) and isinstance(other, int) and one != other
