"""InfoNCE: recognise the key of a query among negatives."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import Temperature
from rotkeras.arguments.checked import checked
from rotkeras.errors import must
from rotkeras.pretext.losses.negative_cosine import same_shape
from rotkeras.pretext.losses.unit import unit

Tensor = Any


@checked
def info_nce(queries: Any, keys: Any, negatives: Any, temperature: Temperature = 0.2) -> Tensor:
    """The loss of each query: −log of the share of its key among its key and the negatives.

    For query q, its key k₊ and the negatives k₁ … k_K, all divided by their length,

        loss(q) = −log( exp(q · k₊ / τ) / (exp(q · k₊ / τ) + Σᵢ exp(q · kᵢ / τ)) ).

    No gradient passes through the keys and the negatives.

    Args:
        queries: float (B, d), of any length.
        keys: float (B, d), the key of each query.
        negatives: float (K, d), the same for all queries.
        temperature: τ.

    Returns:
        float32 (B,).

    Raises:
        UserError: for tensors of other shapes.

    Reference:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020,
        equation 1.
    """
    shape, of_keys, of_others = (tuple(ops.shape(each)) for each in (queries, keys, negatives))
    if len(shape) != 2:
        raise must("queries", "be (B, d)", shape)
    if not same_shape(shape, of_keys):
        raise must("keys", f"be of the shape of queries, {shape}", of_keys)
    if not same_shape((None, shape[1]), of_others):
        raise must("negatives", f"be (K, {shape[1]})", of_others)
    keys, negatives = (ops.stop_gradient(unit(each)) for each in (keys, negatives))
    return loss_of_logits(logits_of(unit(queries), keys, negatives, temperature))


def logits_of(queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Similarities over the temperature, that with the key first: (B, 1 + K) of rows of unit
    length. Also of symbolic tensors, as a part of a model."""
    positive = ops.sum(queries * keys, axis=-1, keepdims=True)
    others = ops.matmul(queries, ops.transpose(negatives))
    return ops.concatenate([positive, others], axis=-1) / temperature


def loss_of_logits(logits: Tensor) -> Tensor:
    """The cross-entropy of the first of the logits: (…, 1 + K) -> float32 (…)."""
    logits = ops.cast(logits, "float32")
    return ops.logsumexp(logits, axis=-1) - logits[..., 0]
