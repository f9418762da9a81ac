"""The loss of Barlow Twins: the cross-correlation of two views should be the identity."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import NotNegativeNumber
from rotkeras.arguments.checked import checked
from rotkeras.pretext.losses.two_parts import two_parts

Tensor = Any

_EPSILON = 1e-5
"""Added to variances, as batch norm does: a dimension that is the same for all images would have
none."""


@checked
def barlow_twins(embeddings: Any, off_diagonal: NotNegativeNumber = 0.005) -> Tensor:
    """One loss of a batch: how far the cross-correlation of its two views is from the identity.

    With each dimension of each view standardised over the N images to mean 0 and standard deviation
    1,

        C_ij = Σ_b zA_b,i · zB_b,j / N,
        loss = Σ_i (1 − C_ii)² + λ · Σ_i Σ_{j ≠ i} C_ij².

    Args:
        embeddings: float (2N, d), the two views of an image side by side, of the whole batch.
        off_diagonal: λ.

    Returns:
        float32 ().

    Raises:
        UserError: for embeddings of another shape.

    Reference:
        Zbontar, Jing, Misra, LeCun, Deny, Barlow Twins: Self-Supervised Learning via Redundancy
        Reduction, ICML 2021, equations 1 and 2. There is no ε there; their code's batch norm has
        10⁻⁵, as here.
    """
    first, second = (_standardised(each) for each in two_parts(embeddings))
    count = ops.cast(ops.shape(first)[0], "float32")
    correlation = ops.matmul(ops.transpose(first), second) / count
    same = ops.eye(correlation.shape[0], dtype="float32")
    # One pass over d × d numbers: the weight of each square is 1 on the diagonal, λ beside it.
    weights = same + off_diagonal * (1.0 - same)
    return ops.sum(weights * ops.square(correlation - same))


def _standardised(vectors: Tensor) -> Tensor:
    centred = vectors - ops.mean(vectors, axis=0, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=0, keepdims=True)
    return centred * ops.rsqrt(variance + _EPSILON)
