"""InfoNCE between the global features of a view and the local features of another (AMDIM)."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import NotNegativeNumber, PositiveNumber
from rotkeras.arguments.checked import checked
from rotkeras.errors import must

Tensor = Any


@checked
def local_global(
    embeddings: Any,
    locations: Any,
    clip: PositiveNumber = 20.0,
    regularisation: NotNegativeNumber = 0.04,
    others: Any = None,
    offset: Any = 0,
) -> Tensor:
    """The loss of each view: its global features recognise the local features of the other view's
    maps, and those of one of its locations recognise those of the other view's last map.

    For a source s of image i and the locations l of the other view's map,

        loss = mean_l −log( exp(s(i, l)) / (exp(s(i, l)) + Σ_{j ≠ i, m} exp(s(j, m))) ),

    where the score of a source f and local features g of image j is c · tanh(r / c), r = f · g /
    √d, and j runs over the other images of the batch. λ · mean(r²) is added to each. Sources are
    the global features, once for each map, and those of the drawn location of the last map.

    Args:
        embeddings: float (2B, T, 1 + L, d), the two views of an image side by side; for each of T
            maps the global features and then those of its L locations. The last map is the deepest.
        locations: int (2B,), the location 0 … L − 1 of the last map that is a source.
        clip: c.
        regularisation: λ.
        others: float (2N, T, 1 + L, d), the views of the whole batch, where `embeddings` are the
            part of one of several devices; None if they are all.
        offset: the position of `embeddings[0]` in `others`.

    Returns:
        float32 (2B,), the sum of the T + 1 losses of each view.

    Raises:
        UserError: for embeddings of another shape.

    Reference:
        Bachman, Hjelm, Buchwalter, Learning Representations by Maximizing Mutual Information Across
        Views, NeurIPS 2019, sections 3.2 to 3.5.
    """
    shape = tuple(ops.shape(embeddings))
    odd = isinstance(shape[0], int) and shape[0] % 2 if shape else True
    if len(shape) != 4 or odd or shape[2] < 2:
        raise must("embeddings", "be (2B, T, 1 + L, d), two views of each image", shape)
    rows = _pairs(embeddings)
    everything = rows if others is None else _pairs(others)
    maps, count = rows.shape[2], rows.shape[3] - 1
    own = ops.arange(ops.shape(rows)[0]) + ops.cast(offset, "int32") // 2
    chosen = ops.one_hot(ops.reshape(ops.cast(locations, "int32"), (-1, 2)), count)
    losses = []
    for view in (0, 1):
        of_view, there = rows[:, view, 0, 0], everything[:, 1 - view]
        local = ops.sum(chosen[:, view, :, None] * rows[:, view, -1, 1:], axis=1)
        sources = [(of_view, each) for each in range(maps)] + [(local, maps - 1)]
        parts = [
            _info_nce(source, there[:, each, 1:], own, clip, regularisation)
            for source, each in sources
        ]
        losses.append(sum(parts[1:], parts[0]))
    return ops.reshape(ops.stack(losses, axis=1), (-1,))


def _info_nce(
    sources: Tensor, targets: Tensor, own: Tensor, clip: float, regularisation: float
) -> Tensor:
    """The loss of each source (B, d), whose images are `own` (B,) among targets (N, L, d)."""
    count, locations, width = ops.shape(targets)[0], targets.shape[1], targets.shape[2]
    raw = ops.matmul(sources, ops.transpose(ops.reshape(targets, (-1, width)))) / width**0.5
    raw = ops.reshape(raw, (-1, count, locations))
    scores = clip * ops.tanh(raw / clip)
    same = (own[:, None] == ops.arange(count)[None])[:, :, None]
    positives = ops.sum(ops.where(same, scores, 0.0), axis=1)
    negatives = ops.logsumexp(ops.where(same, -1e9, scores), axis=(1, 2))[:, None]
    losses = ops.mean(ops.logaddexp(positives, negatives) - positives, axis=1)
    return losses + regularisation * ops.mean(ops.square(raw), axis=(1, 2))


def _pairs(embeddings: Tensor) -> Tensor:
    """float32 (B, 2, T, 1 + L, d)."""
    return ops.reshape(ops.cast(embeddings, "float32"), (-1, 2, *embeddings.shape[1:]))
