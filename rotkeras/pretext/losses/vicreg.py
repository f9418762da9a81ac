"""The loss of VICReg: variance, invariance and covariance of two views."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import NotNegativeNumber
from rotkeras.arguments.checked import checked
from rotkeras.pretext.losses.two_parts import two_parts

Tensor = Any

_TARGET, _EPSILON = 1.0, 1e-4
"""γ and ε of equations 1 and 2."""


@checked
def vicreg(
    embeddings: Any,
    invariance: NotNegativeNumber = 25.0,
    variance: NotNegativeNumber = 25.0,
    covariance: NotNegativeNumber = 1.0,
) -> Tensor:
    """One loss of a batch: views of an image alike, each dimension spread, dimensions independent.

        loss = λ · s(Z, Z′) + μ · (v(Z) + v(Z′)) + ν · (c(Z) + c(Z′)),
        s(Z, Z′) = Σ_b ‖z_b − z′_b‖² / (N · d),
        v(Z) = Σ_j max(0, 1 − √(Var(z_j) + 10⁻⁴)) / d,
        c(Z) = Σ_{i ≠ j} Cov(Z)_ij² / d,

    where Var and Cov divide by N − 1.

    Args:
        embeddings: float (2N, d), the two views of an image side by side, of the whole batch.
        invariance: λ.
        variance: μ.
        covariance: ν.

    Returns:
        float32 ().

    Raises:
        UserError: for embeddings of another shape, and for fewer than two images.

    Reference:
        Bardes, Ponce, LeCun, VICReg: Variance-Invariance-Covariance Regularization for
        Self-Supervised Learning, ICLR 2022, equations 1 to 6. Equation 5 divides s by N alone;
        algorithm 1 of the paper and the published code, whose weights are 25, 25 and 1, by N · d.
        So does this. (Their code halves v as well; equation 6 and algorithm 1 do not.)
    """
    first, second = two_parts(embeddings)
    loss = invariance * ops.mean(ops.square(first - second))
    for view in (first, second):
        centred = view - ops.mean(view, axis=0, keepdims=True)
        freedom = ops.cast(ops.shape(view)[0], "float32") - 1.0
        matrix = ops.matmul(ops.transpose(centred), centred) / freedom
        spread = ops.diagonal(matrix)
        hinge = ops.mean(ops.relu(_TARGET - ops.sqrt(spread + _EPSILON)))
        beside = matrix * (1.0 - ops.eye(matrix.shape[0], dtype="float32"))
        loss += variance * hinge + covariance * ops.sum(ops.square(beside)) / matrix.shape[0]
    return loss
