"""NT-Xent: the normalised temperature-scaled cross-entropy between the views of a batch."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import Temperature
from rotkeras.arguments.checked import checked
from rotkeras.errors import must
from rotkeras.pretext.losses.unit import unit

Tensor = Any


@checked
def nt_xent(
    embeddings: Any, temperature: Temperature = 0.5, others: Any = None, offset: Any = 0
) -> Tensor:
    """The loss of each view: −log of the share of its positive among all other views.

    For view i, whose positive is the other view j of its image,

        loss(i) = −log( exp(s(i, j) / τ) / Σ_{k ≠ i} exp(s(i, k) / τ) ),

    where s is the cosine similarity and k runs over all views of the batch.

    Args:
        embeddings: float (2B, d), the two views of an image side by side; of any length.
        temperature: τ.
        others: float (2N, d), the views of the whole batch, where `embeddings` are the part of one
            of several devices; None if they are all.
        offset: the position of `embeddings[0]` in `others`.

    Returns:
        float32 (2B,).

    Raises:
        UserError: for embeddings of another shape.

    Reference:
        Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning of Visual
        Representations, ICML 2020, equation 1.
    """
    shape = tuple(ops.shape(embeddings))
    if len(shape) != 2 or (isinstance(shape[0], int) and shape[0] % 2):
        raise must("embeddings", "be (2B, d), two views of each image", shape)
    logits, positives = similarities(embeddings, temperature, others, offset)
    return ops.logsumexp(logits, axis=1) - ops.sum(
        ops.where(positives, logits, ops.zeros_like(logits)), axis=1
    )


def similarities(
    embeddings: Tensor, temperature: float, others: Tensor = None, offset: Any = 0
) -> tuple[Tensor, Tensor]:
    """(cosine similarities over the temperature, whether each is that of the positive): float32 and
    bool (2B, 2N). A view's similarity with itself is −10⁹. Arguments as of `nt_xent`."""
    views = unit(embeddings)
    others = views if others is None else unit(others)
    rows = ops.arange(ops.shape(views)[0]) + ops.cast(offset, "int32")
    columns = ops.arange(ops.shape(others)[0])
    logits = ops.matmul(views, ops.transpose(others)) / temperature
    logits = ops.where(rows[:, None] == columns[None], -1e9, logits)
    return logits, partners(rows)[:, None] == columns[None]


def partners(positions: Tensor) -> Tensor:
    """The position of the other view of each view's image: int32 (R,) of positions int32 (R,) in
    the whole batch. The views 2k and 2k + 1 are of one image."""
    return positions + 1 - 2 * (positions % 2)
