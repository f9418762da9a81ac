"""Swapped prediction: each view predicts the prototypes that another view of its image is assigned
to."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import Temperature
from rotkeras.arguments.checked import checked
from rotkeras.errors import must

Tensor = Any


@checked
def swapped_prediction(scores: Any, assignments: Any, temperature: Temperature = 0.1) -> Tensor:
    """The loss of each image: the cross-entropy between the assignment of a view and the
    prediction of each other view, on average.

        loss = −1/A Σ_{a < A} 1/(V − 1) Σ_{v ≠ a} Σ_k q_a[k] · log softmax(s_v / τ)[k],

    where s are the scores of V views, the first A of which have assignments q.

    Args:
        scores: float (B, V, K), of each view of an image to each prototype, V at least 2.
        assignments: float (B, A, K), of the first A views; each sums to 1. They get no gradient.
        temperature: τ.

    Returns:
        float32 (B,).

    Raises:
        UserError: for other shapes.

    Reference:
        Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, Unsupervised Learning of Visual Features by
        Contrasting Cluster Assignments, NeurIPS 2020, equations 1, 2 and 6.
    """
    shape, assigned = tuple(scores.shape), tuple(assignments.shape)
    if len(shape) != 3 or shape[1] < 2:
        raise must("scores", "be (B, V, K), at least two views of each image", shape)
    if len(assigned) != 3 or not 1 <= assigned[1] <= shape[1] or assigned[2] != shape[2]:
        raise must("assignments", f"be (B, A, {shape[2]}), A at most {shape[1]}", assigned)
    logs = ops.log_softmax(ops.cast(scores, "float32") / temperature, axis=-1)
    targets = ops.stop_gradient(ops.cast(assignments, "float32"))
    all_views = ops.sum(logs, axis=1)
    losses = [
        -ops.sum(targets[:, view] * (all_views - logs[:, view]), axis=-1)
        for view in range(assigned[1])
    ]
    return sum(losses[1:], losses[0]) / (assigned[1] * (shape[1] - 1))
