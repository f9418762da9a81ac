"""Images decoded and embedded some at a time, so that memory does not grow with their number."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import NotNegative, OnBadImage
from rotkeras.arguments.checked import checked
from rotkeras.data.decode import Progress, check_bad, read_all
from rotkeras.embedding.encoder import Encoder
from rotkeras.embedding.image_list import ImageList
from rotkeras.errors import UserError
from rotkeras.images import sides_of

_MOST_IMAGES, _MOST_BYTES = 512, 2**25


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some images and their features, in the order of the list; those that could not be read are
    missing.

    Attributes:
        positions: int64 (n,), where each image stands in its `ImageList`.
        names: (n,) file names or row numbers.
        labels: int64 (n,) or None without classes.
        images: uint8 (n, H, W, 3), what the encoder saw.
        features: float32 (n, d).
    """

    positions: NDArray[np.int64]
    names: list[str]
    labels: NDArray[np.int64] | None
    images: NDArray[np.uint8]
    features: NDArray[np.float32]


@checked
def stream(
    encoder: Encoder,
    images: ImageList,
    positions: Sequence[NotNegative] | None = None,
    on_bad_image: OnBadImage = "skip",
    progress: Progress | None = None,
) -> Iterator[Chunk]:
    """Decode and embed images, at most 512 at a time.

    Args:
        encoder: of `load_encoder`.
        images: of `open_images(source)(encoder.input_size)`.
        positions: which of them, and in which order; None for all.
        on_bad_image: "skip" adds files that cannot be read to `images.skipped`, "error" stops at
            the first.
        progress: called with (images read, images in all).

    Yields:
        A `Chunk` of at least one image.

    Raises:
        UserError: at the first bad image when `on_bad_image` is "error", and for features that are
            not finite numbers.

    Example:
        for chunk in stream(encoder, open_images("photos")(encoder.input_size)):
            print(chunk.names, chunk.features.shape)
    """
    check_bad(images.skipped, on_bad_image)
    order = range(len(images)) if positions is None else positions
    shape = (*sides_of(encoder.input_size), 3)
    batch = encoder.images_per_batch
    step = batch * max(1, min(_MOST_IMAGES, _MOST_BYTES // math.prod(shape)) // batch)
    for start in range(0, len(order), step):
        some = order[start : start + step]
        pixels = np.empty((len(some), *shape), np.uint8)
        kept, bad = read_all(
            [images.item(position) for position in some],
            lambda item: images.read(item, encoder.input_size),
            pixels,
            on_bad_image,
            # The callback is also where an interruption is noticed, so it is called between chunks
            # too.
            (
                None
                if progress is None
                else lambda done, _all, start=start: progress(  # type: ignore[misc]
                    start + done, len(order)
                )
            ),
        )
        images.skipped.extend(bad)
        if not len(kept):
            continue
        pixels = pixels[: len(kept)]
        features = encoder.embed(pixels)
        where = np.array([some[each] for each in kept], np.int64)
        names = [images.names[position] for position in where]
        finite = np.isfinite(features).all(axis=1)
        if not finite.all():
            raise UserError(
                f"The encoder {encoder.path} gives features for {names[int(np.argmin(finite))]}"
                " that are not finite numbers: its training has diverged or its weights are"
                " damaged; take another encoder."
            )
        yield Chunk(
            where, names, None if images.labels is None else images.labels[where], pixels, features
        )
