"""The features of a set of images in one file, written whole or not at all."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotkeras.arguments.accepted import AnyPath, OnBadImage, Positive, Text
from rotkeras.arguments.checked import checked
from rotkeras.data.decode import Progress
from rotkeras.data.source import BadImage
from rotkeras.embedding.chunks import Chunk, stream
from rotkeras.embedding.encoder import IMAGES_PER_BATCH, Encoder, find_encoder, load_encoder
from rotkeras.embedding.formats import FORMATS
from rotkeras.embedding.image_list import ImageList
from rotkeras.embedding.image_sources import open_images
from rotkeras.errors import UserError
from rotkeras.files import check_writable, write_whole


@dataclass(frozen=True)
class Embedded:
    """What `embed` has written.

    Attributes:
        path: the file.
        images: how many rows it has.
        dimensions: of each feature vector.
        seconds: reading, embedding and writing, without loading the encoder.
        skipped: files that could not be read.
        notes: one line for each thing that was left out, with the reason.
    """

    path: Path
    images: int
    dimensions: int
    seconds: float
    skipped: list[BadImage]
    notes: tuple[str, ...] = ()


def check_file(
    path: str | os.PathLike[str],
    suffixes: Sequence[str],
    overwrite: bool = False,
    what: str = "The file",
) -> Path:
    """The path of a file that may be written, checked before any work is done for it.

    Args:
        path: of the file; `~` is the home folder.
        suffixes: which it may have, in either case.
        overwrite: whether a file that is there may be replaced.
        what: the option that names it, such as "--csv", for the error.

    Raises:
        UserError: for another suffix, a file that is there, or a folder that is missing or may not
            be written to.
    """
    file = check_writable(path, what)
    if file.suffix.lower() not in suffixes:
        *others, last = suffixes
        raise UserError(
            f"The file {str(file)!r} must end in"
            f" {', '.join(others)}{' or ' if others else ''}{last}, which chooses the format, got"
            f" {file.suffix or 'no ending'}."
        )
    if file.is_dir():
        raise UserError(f"{str(file)!r} is a folder. Give the path of a file to write.")
    if file.exists() and not overwrite:
        raise UserError(
            f"The file {str(file)!r} exists already: add --overwrite to replace it, or give another"
            " path."
        )
    if not file.parent.is_dir():
        raise UserError(
            f"The folder {str(file.parent)!r} for {file.name} does not exist: make it, or give"
            " another path."
        )
    if not os.access(file.parent, os.W_OK):
        raise UserError(
            f"The folder {str(file.parent)!r} for {file.name} may not be written to: give another"
            " path."
        )
    return file


@checked
def embed(
    encoder: AnyPath | Encoder,
    images: Any,
    path: AnyPath,
    *,
    images_per_batch: Positive = IMAGES_PER_BATCH,
    image_size: Positive | None = None,
    resize: bool = False,
    split: Text | None = None,
    data_dir: AnyPath | None = None,
    on_bad_image: OnBadImage = "skip",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Embedded:
    """Write the features of images to a file.

    Args:
        encoder: a `.keras` file, a run folder, or an `Encoder` (for which `images_per_batch` and
            `image_size` are settled).
        images: a source as in `open_images`, or what that returned (for which `resize`, `split` and
            `data_dir` are settled).
        path: a file that ends in `.npz`, `.csv` or `.parquet`, see `rotkeras.embedding.formats`.
        images_per_batch: images in one forward pass.
        image_size: pixels of each side, for an encoder whose input size is open.
        resize: cut and resize arrays of another size than the encoder's.
        split: "train" or "test" of arrays, or a split of a tensorflow-datasets set; None is
            "train".
        data_dir: where tensorflow-datasets keeps prepared sets.
        on_bad_image: "skip" leaves out files that cannot be read, "error" stops at the first.
        overwrite: replace a file that is there.
        progress: called with (images read, images in all).

    Returns:
        An `Embedded`. In the file features are float32 (N, d), in the order of the images.

    Raises:
        UserError: one sentence for anything missing or of the wrong form. Then, and when
            interrupted, nothing is left behind.

    Example:
        embed("runs/quickstart/encoder.keras", "photos", "features.npz")
        numpy.load("features.npz")["features"]
    """
    file = check_file(path, tuple(FORMATS), overwrite)
    if not isinstance(encoder, Encoder):
        find_encoder(encoder)  # its absence is reported before a large folder is listed
    opened = images if callable(images) else open_images(
        images, split=split, data_dir=data_dir, resize=resize, on_bad_image=on_bad_image
    )  # fmt: skip
    if not isinstance(encoder, Encoder):
        encoder = load_encoder(encoder, image_size, images_per_batch)
    start = time.perf_counter()
    listed: ImageList = opened(encoder.input_size)
    count = 0

    def chunks() -> Iterator[Chunk]:
        nonlocal count
        for chunk in stream(encoder, listed, on_bad_image=on_bad_image, progress=progress):
            count += len(chunk.names)
            yield chunk
        if not count:
            raise nothing_read(listed)

    try:
        write_whole(
            file,
            lambda working: FORMATS[file.suffix.lower()](
                working, chunks(), encoder.dimensions, listed.class_names
            ),
        )
    except OSError as error:
        # By its number: pyarrow has words of its own.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"{str(file)!r} could not be written ({reason.lower()}): make room, or give another"
            " path."
        ) from error
    seconds = time.perf_counter() - start
    return Embedded(file, count, encoder.dimensions, seconds, listed.skipped, listed.notes)


def nothing_read(images: ImageList) -> UserError:
    """The error for images of which none could be read."""
    count, first = len(images.skipped), images.skipped[0]
    return UserError(
        f"None of the image files could be read ({count:,}); the first: {first.path}"
        f" ({first.reason}). Give intact image files."
    )
