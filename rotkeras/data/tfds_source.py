"""Any image set of tensorflow-datasets, by its name."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rotkeras.data.cache import Stamp, Storage, cached_array, fitting, named
from rotkeras.data.decode import Progress, check_bad, ordered_map, read_all
from rotkeras.data.encoded import EncodedImages
from rotkeras.data.records import Records, is_random_access, read_labels_and_headers
from rotkeras.data.source import BadImage, Images
from rotkeras.errors import UserError, nearest
from rotkeras.files import expanded
from rotkeras.images import Size, as_size, fit, read_image, sides_of


def open_builder(name: str, data_dir: str | Path | None, download: bool = True) -> Any:
    """The prepared tensorflow-datasets builder of a name; downloads and prepares it only when it is
    not prepared yet.

    Args:
        name: such as "cifar10" or "imagenette/160px-v2".
        data_dir: folder of prepared sets; None for the default of tensorflow-datasets.
        download: whether a set that is not prepared may be fetched.

    Raises:
        UserError: for a name that does not exist, or a set that is not prepared and cannot be
            downloaded.
    """
    os.environ.setdefault(
        "NO_GCE_CHECK", "true"
    )  # no look for a cloud machine's credentials: it waits for a time-out
    import tensorflow_datasets as tfds

    where = None if data_dir is None else str(expanded(data_dir))
    if where is not None and not Path(where).is_dir():  # a typing error must not become a download
        raise UserError(
            f"The data folder {where!r} does not exist. Give the folder of prepared"
            " tensorflow-datasets sets."
        )
    tfds.core.utils.gcs_utils._is_gcs_disabled = True
    try:
        builder = tfds.builder(name, data_dir=where)
    except tfds.core.DatasetNotFoundError:
        # A folder whose name was mistyped is likelier than a set of a like name.
        folders = [
            each.name
            for each in Path().iterdir()
            if each.is_dir() and not each.name.startswith(".")
        ]
        hint = nearest(name, folders)
        if not hint.startswith("did"):
            hint = nearest(
                name.split("/")[0].split(":")[0],
                ["digits", *tfds.list_builders(with_community_datasets=False)],
            )
        hint = (
            hint
            if hint.startswith("did")
            else "see the catalogue of tensorflow-datasets for the names"
        )
        raise UserError(
            f"data.tfds: {name!r} is neither the name of a tensorflow-datasets set nor a folder;"
            f" {hint}"
        ) from None
    except (ValueError, AssertionError, KeyError, ImportError) as error:
        raise UserError(
            f"data.tfds: {name!r} could not be opened ({_brief(error)}): check its configuration"
            " and version."
        ) from None
    if not builder.info.splits and not download:
        raise UserError(
            f"data.tfds: {name!r} is not prepared in {builder.data_path.parent}: name the folder"
            " that holds it with --data-dir."
        )
    if not builder.info.splits:
        # Its ten tries with growing pauses would keep a user without a network waiting for three
        # minutes.
        from tensorflow_datasets.core.download import downloader

        downloader.MAX_RETRIES = 3
        try:
            builder.download_and_prepare()
        except Exception as error:
            raise UserError(
                f"data.tfds: {name!r} is not prepared in {builder.data_path.parent} and could not"
                f" be downloaded ({_brief(error)}): connect to the network, or name the folder that"
                " holds it with --data-dir."
            ) from None
    return builder


def read_split(
    builder: Any,
    split: str,
    image_size: Size | None,
    progress: Progress | None = None,
    positions: NDArray[np.int64] | None = None,
    cache: str | Path | None = None,
    storage: Storage | None = None,
    on_bad_image: str = "skip",
    skipped: list[BadImage] | None = None,
) -> Images:
    """One split of a builder, in its stored order, as images with labels where the set has a class
    label.

    Args:
        builder: of `open_builder`.
        split: the name of one of its splits.
        image_size: pixels of each side after a centred cut, or (H, W); None keeps the images as
            they are.
        progress: called with (images read, images in all).
        positions: int64 (n,), ascending: the images wanted, in memory; the others are not decoded.
            None for all.
        cache: a folder that keeps the decoded images for later runs; None holds them in memory when
            they fit, see `cached_array`.
        storage: memory, file, or, of sets that are prepared as ArrayRecord, encoded; None for what
            fits.
        on_bad_image: "skip" or "error", for records with random access.
        skipped: records that could not be read are added to it.

    Raises:
        UserError: when the split is not there, the set has no image, its images differ in size and
            no size was given, or a cache cannot be written.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    image_key = next(
        (key for key, value in features.items() if isinstance(value, tfds.features.Image)), None
    )
    label_key = next(
        (key for key, value in features.items() if isinstance(value, tfds.features.ClassLabel)),
        None,
    )
    if image_key is None:
        raise UserError(
            f"data.tfds: {builder.name!r} has no image feature, got {', '.join(features)}; choose a"
            " set of images."
        )
    if split not in builder.info.splits:
        raise UserError(
            f"data.tfds: {builder.name!r} has no split {split!r}:"
            f" {nearest(split, builder.info.splits)}"
        )
    if features[image_key].np_dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"data.tfds: the images of {builder.name!r} must be uint8 or uint16, got"
            f" {np.dtype(features[image_key].np_dtype)}; convert them to an .npz of uint8 arrays."
        )
    height, width, _ = features[image_key].shape
    if image_size is None and (height is None or width is None):
        raise UserError(
            f"data.image_size: the images of {builder.name!r} differ in size: set the size they"
            " should have, such as 96."
        )
    count = builder.info.splits[split].num_examples if positions is None else len(positions)
    size = image_size or as_size(height, width)
    class_names = tuple(features[label_key].names) if label_key else ()
    shape = (count, *sides_of(size), 3)
    if is_random_access(builder):
        if positions is None and (storage or fitting(shape, cache)) == "encoded":
            records = Records(builder, split, image_key)
            bad = [] if skipped is None else skipped
            return _encoded(records, builder, split, label_key, size, on_bad_image, bad, progress)
    elif storage == "encoded":
        raise UserError(
            f"data.storage=encoded needs records with random access, and {builder.name!r} is"
            f" prepared as {builder.info.file_format.value}: prepare it with tfds build"
            " --file_format=array_record, or set data.storage to auto."
        )
    labels = np.empty(count, np.int64) if label_key else None
    resized = None if (height, width) == sides_of(size) else size
    keys = image_key, label_key

    def fill(out: Any) -> tuple[NDArray[np.int64], list[BadImage]]:
        if is_random_access(builder):
            records = Records(builder, split, image_key, positions)
            return _read_records(records, out, labels, label_key, size, on_bad_image, progress)
        dataset = _dataset(builder, split, keys, positions)
        _read(dataset, out, labels, resized, count, progress)
        return np.arange(count, dtype=np.int64), []

    if positions is not None:
        array = np.empty(shape, np.uint8)
        kept, bad = fill(array)
        check_bad(bad, on_bad_image)
        if skipped is not None:
            skipped += bad
        labels = None if labels is None else labels[kept]
        return Images.of(array[: len(kept)], labels, class_names)
    # A version names its content; the folder and the number of bytes tell sets apart that were made
    # under one name.
    stamp = Stamp(str(builder.data_path), split, named(size))
    stamp.add(f"{count} {builder.info.splits[split].num_bytes}")
    beside = {} if labels is None else {"labels": labels}
    decoded = cached_array(
        shape, fill, cache, f"{builder.name}-{split}-{named(size)}", stamp, beside, storage=storage
    )
    check_bad(decoded.bad, on_bad_image)
    if skipped is not None:
        skipped += decoded.bad
    if labels is not None and decoded.bad:
        labels = labels[decoded.positions]
    return Images.of(decoded.array, labels, class_names, kept=decoded.kept)


def _encoded(
    records: Records,
    builder: Any,
    split: str,
    label_key: str | None,
    size: Size,
    on_bad_image: str,
    skipped: list[BadImage],
    progress: Progress | None,
) -> Images:
    """The images as records that are decoded when they are asked for."""
    headers, labels, positions, bad = read_labels_and_headers(
        records, builder, split, label_key, progress
    )
    check_bad(bad, on_bad_image)
    skipped += bad
    if not len(positions):
        raise UserError(
            f"None of the {len(records):,} images of {builder.name!r} could be read; the first:"
            f" {bad[0].path} ({bad[0].reason}). Prepare the set again."
        )
    names = tuple(builder.info.features[label_key].names) if label_key else ()
    array: Any = EncodedImages(records.only(positions, labels), headers, size, on_bad_image)
    kept = f"{len(records):,} records stay encoded, and are decoded when they are needed"
    return Images.of(array, labels, names, kept=kept)


def _dataset(
    builder: Any, split: str, keys: tuple[str, str | None], positions: NDArray[np.int64] | None
) -> Any:
    """(image, label) of a split, or of the images at some positions, in their stored order."""
    import tensorflow_datasets as tfds

    image_key, label_key = keys
    decode = builder.info.features[image_key].decode_example
    dataset = builder.as_dataset(
        split=split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        decoders=None if positions is None else {image_key: tfds.decode.SkipDecoding()},
    )
    if positions is not None:
        dataset = _only(
            dataset, positions, lambda each: {**each, image_key: decode(each[image_key])}
        )
    return dataset.map(
        lambda each: (_eight_bits(each[image_key]), each[label_key] if label_key else 0)
    )


def _read_records(
    records: Records,
    out: Any,
    labels: NDArray[np.int64] | None,
    label_key: str | None,
    size: Size,
    on_bad_image: str,
    progress: Progress | None,
) -> tuple[NDArray[np.int64], list[BadImage]]:
    """Write the squares of records and their labels, and leave no gap for those that cannot be
    read."""

    def read(row: int) -> NDArray[np.uint8]:
        example = records.example(row)
        if labels is not None and label_key is not None:
            labels[row] = example[label_key]
        return read_image(io.BytesIO(example[records.key]), size)

    return read_all(range(len(records)), read, out, on_bad_image, progress, records.where)


def _read(
    dataset: Any,
    out: Any,
    labels: NDArray[np.int64] | None,
    size: Size | None,
    count: int,
    progress: Progress | None,
) -> None:
    """Write the images of a dataset, which decodes in parallel itself, and their labels; resized
    unless `size` is None."""
    import tensorflow_datasets as tfds

    if size is None:
        done = 0
        for images, numbers in tfds.as_numpy(dataset.batch(512).prefetch(2)):
            out[done : done + len(images)] = images[
                ..., :3
            ]  # alpha is dropped; one channel broadcasts to three
            if labels is not None:
                labels[done : done + len(images)] = numbers
            done += len(images)
            if progress:
                progress(done, count)
        return
    pairs = ordered_map(
        lambda pair: (_fit(pair[0], size), pair[1]), tfds.as_numpy(dataset.prefetch(64))
    )
    for row, pair in enumerate(pairs):
        if isinstance(pair, Exception):
            raise pair
        out[row], number = pair
        if labels is not None:
            labels[row] = number
        if progress and (row % 256 == 255 or row + 1 == count):
            progress(row + 1, count)


def _only(dataset: Any, positions: NDArray[np.int64], decode: Any) -> Any:
    """The images at some positions of a dataset whose images are not decoded yet."""
    import tensorflow as tf

    wanted = tf.constant(positions)
    chosen = dataset.enumerate().filter(lambda at, _: tf.reduce_any(wanted == at))
    return chosen.map(lambda _, each: decode(each))


def test_split_name(builder: Any) -> str | None:
    """The split to read once at the end: `test`, or `validation` for the sets whose test labels are
    not public."""
    return next((name for name in ("test", "validation") if name in builder.info.splits), None)


def _eight_bits(image: Any) -> Any:
    import tensorflow as tf

    if image.dtype == tf.uint8:
        return image
    return tf.cast(tf.round(tf.cast(image, tf.float32) / 257.0), tf.uint8)


def _fit(image: Any, size: Size) -> Any:
    rgb = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    return fit(rgb, size)


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 160 else text[:157] + "…"
