"""Sinkhorn-Knopp: assignments of a batch to prototypes, each of which gets an equal share."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import Positive, Temperature
from rotkeras.arguments.checked import checked
from rotkeras.errors import must

Tensor = Any


@checked
def sinkhorn(scores: Any, iterations: Positive = 3, epsilon: Temperature = 0.05) -> Tensor:
    """Soft assignments of rows to prototypes that are near the scores, and nearly equally many to
    each prototype.

    From Q = exp(scores / ε), each iteration divides each column by its sum over the rows, and then
    each row by its sum over the columns. In the limit each row sums to 1 and each column to N / K.
    It is computed in logarithms, so that no exp overflows.

    Args:
        scores: float (N, K), the similarity of each row to each prototype. All rows of the batch,
            of all devices.
        iterations: how often columns and rows are divided.
        epsilon: ε, the smoothness: higher values spread each row over more prototypes.

    Returns:
        float32 (N, K), each row sums to 1. Without gradient.

    Raises:
        UserError: for scores of another shape.

    Reference:
        Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, Unsupervised Learning of Visual Features by
        Contrasting Cluster Assignments, NeurIPS 2020, equations 3 to 5; Cuturi, Sinkhorn Distances,
        NeurIPS 2013.
    """
    shape = tuple(ops.shape(scores))
    if len(shape) != 2:
        raise must("scores", "be (N, K), a row for each image", shape)
    logits = ops.stop_gradient(ops.cast(scores, "float32")) / epsilon
    for _ in range(iterations):
        logits = logits - ops.logsumexp(logits, axis=0, keepdims=True)
        logits = logits - ops.logsumexp(logits, axis=1, keepdims=True)
    return ops.exp(logits)
