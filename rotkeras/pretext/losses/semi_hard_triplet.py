"""The triplet loss with semi-hard negatives, over the copies of the images of a batch."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import NotNegativeNumber, SeveralViews
from rotkeras.arguments.checked import checked
from rotkeras.errors import must
from rotkeras.pretext.losses.unit import unit

Tensor = Any

_FAR = 1e9
"""A squared distance beyond all others; those of unit vectors are 4 at most."""


@checked
def semi_hard_triplet(
    embeddings: Any,
    labels: Any,
    copies: SeveralViews = 8,
    margin: NotNegativeNumber = 0.5,
    others: Any = None,
    other_labels: Any = None,
) -> Tensor:
    """The loss of each copy of an image: the mean over the other copies p of its image of

        loss(a, p) = max(0, margin + d(a, p) − d(a, n)),

    where d is the squared distance of vectors of unit length. The negative n is the nearest copy of
    another image that is farther than p; if none is, it is the farthest copy of another image. A
    copy without a negative has the loss 0.

    Args:
        embeddings: float (B·copies, d), the copies of an image side by side; of any length.
        labels: integers (B·copies,), the index of the image of each copy. An image that comes
            twice in a batch is no negative of itself.
        copies: of each image.
        margin: of the loss.
        others: float (N, d), the copies of the whole batch, where `embeddings` are the part of one
            of several devices; None if they are all.
        other_labels: integers (N,), their images; given together with `others`.

    Returns:
        float32 (B·copies,).

    Raises:
        UserError: for embeddings or labels of another shape, or `others` without their labels.

    Reference:
        Schroff, Kalenichenko, Philbin, FaceNet: A Unified Embedding for Face Recognition and
        Clustering, CVPR 2015, sections 3.1 and 3.2; the choice of negatives is that of
        Kolesnikov, Zhai, Beyer, Revisiting Self-Supervised Visual Representation Learning, CVPR
        2019, whose published code calls TensorFlow's `triplet_semihard_loss`.
    """
    shape = tuple(ops.shape(embeddings))
    if len(shape) != 2 or (isinstance(shape[0], int) and shape[0] % copies):
        raise must("embeddings", f"be (B·{copies}, d), {copies} copies of each image", shape)
    images = _labels("labels", labels, "embeddings", shape[0])
    if (others is None) != (other_labels is None):
        missing = "others" if others is None else "other_labels"
        raise must(missing, "be given where the other of others and other_labels is", None)
    views = unit(embeddings)
    if others is None:
        others, other_images = views, images
    else:
        other_images = _labels("other_labels", other_labels, "others", ops.shape(others)[0])
        others = unit(others)
    groups = ops.reshape(views, (-1, copies, shape[1]))
    of_pairs = _distances(groups, ops.transpose(groups, (0, 2, 1)))
    positives = ops.reshape(of_pairs, (-1, copies))
    distances = _distances(views, ops.transpose(others))
    negative = images[:, None] != other_images[None]
    chosen = ops.take_along_axis(distances, _chosen(positives, distances, negative), axis=1)
    itself = ops.reshape(
        ops.tile(ops.eye(copies)[None], (ops.shape(groups)[0], 1, 1)), (-1, copies)
    )
    losses = ops.maximum(margin + positives - chosen, 0.0) * (1.0 - itself)
    there = ops.cast(ops.any(negative, axis=1), "float32")
    return ops.sum(losses, axis=1) * there / (copies - 1)


def _labels(name: str, labels: Any, of: str, rows: Any) -> Tensor:
    """The labels as a tensor; a `UserError` unless there is one for each row. Lengths that a graph
    does not know yet are not compared."""
    labels = ops.convert_to_tensor(labels)
    shape = tuple(ops.shape(labels))
    known = shape and isinstance(shape[0], int) and isinstance(rows, int)
    if len(shape) != 1 or (known and shape[0] != rows):
        count = f" ({rows},)" if isinstance(rows, int) else " (B·copies,)"
        raise must(name, f"be{count}, one for each row of {of}", shape)
    return labels


def _distances(views: Tensor, others: Tensor) -> Tensor:
    """Squared distances of unit vectors (…, R, d) and (…, d, N): float32 (…, R, N)."""
    return ops.maximum(2.0 - 2.0 * ops.matmul(views, others), 0.0)


def _chosen(positives: Tensor, distances: Tensor, negative: Tensor) -> Tensor:
    """The column of the negative of each pair: int32 (R, copies) of the distances of positives (R,
    copies), those of all (R, N), and whether these are of another image. No gradient flows through
    the choice."""
    positives, distances = ops.stop_gradient(positives), ops.stop_gradient(distances)
    farther = ops.logical_and(
        negative[:, None], distances[:, None] > positives[:, :, None]
    )  # (R, copies, N)
    nearest = ops.argmin(ops.where(farther, distances[:, None], _FAR), axis=2)
    farthest = ops.argmax(ops.where(negative, distances, -1.0), axis=1)
    chosen = ops.where(ops.any(farther, axis=2), nearest, farthest[:, None])
    return ops.cast(chosen, "int32")
