"""The two views of a batch apart."""

from typing import Any

from keras import ops

from rotkeras.errors import must

Tensor = Any


def two_parts(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the second view of each image, float32 (N, d) each, of views side by side
    (2N, d).

    Raises:
        UserError: for embeddings of another shape, and for fewer than two images: they have no
            variance.
    """
    shape = tuple(ops.shape(embeddings))
    if len(shape) != 2 or (isinstance(shape[0], int) and (shape[0] % 2 or shape[0] < 4)):
        raise must("embeddings", "be (2N, d), two views of each of at least 2 images", shape)
    pairs = ops.reshape(ops.cast(embeddings, "float32"), (-1, 2, shape[1]))
    return pairs[:, 0], pairs[:, 1]
