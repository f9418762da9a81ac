"""Encoded images in records with random access: ArrayRecord files of tensorflow-datasets."""

import hashlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.cache import default_cache
from rotkeras.data.decode import Progress, ordered_map, reason_of
from rotkeras.data.headers import Headers, load_arrays, save_arrays
from rotkeras.data.source import BadImage
from rotkeras.images import read_size


class Records:
    """The encoded images of one split.

    Args:
        builder: of `rotkeras.data.tfds_source.open_builder`, prepared as ArrayRecord.
        split: one of its splits.
        image_key: the feature that is an image.
        rows: int64 (N,), records of the split; None for all.
    """

    def __init__(
        self, builder: Any, split: str, image_key: str, rows: NDArray[np.int64] | None = None
    ) -> None:
        import tensorflow_datasets as tfds

        self.name = f"{builder.name} {split}"
        self.key = image_key
        self._records = builder.as_data_source(
            split=split, decoders={image_key: tfds.decode.SkipDecoding()}
        )
        self.labels: NDArray[np.int64] | None = None
        count = len(self._records)
        self.rows = np.arange(count, dtype=np.int64) if rows is None else rows

    def __repr__(self) -> str:
        return repr(self.name)

    def __len__(self) -> int:
        return len(self.rows)

    def example(self, row: int) -> dict[str, Any]:
        """The features of a record; the image is bytes."""
        found: dict[str, Any] = self._records[int(self.rows[row])]
        return found

    def open(self, row: int) -> io.BytesIO:
        """The encoded image."""
        return io.BytesIO(self.example(row)[self.key])

    def where(self, row: int) -> str:
        """The split and the number of the record."""
        return f"{self.name}, record {self.rows[row]}"

    def group(self, row: int) -> str:
        """The class, where there is one."""
        return "" if self.labels is None else str(self.labels[row])

    def only(
        self, positions: NDArray[np.int64], labels: NDArray[np.int64] | None = None
    ) -> "Records":
        """The records at some positions (n,) of these, with their labels (n,)."""
        less = object.__new__(Records)
        less.__dict__ = {**self.__dict__, "rows": self.rows[positions], "labels": labels}
        return less


def is_random_access(builder: Any) -> bool:
    """Whether the records of a prepared set can be read in any order."""
    return getattr(builder.info.file_format, "value", "") == "array_record"


def read_labels_and_headers(
    records: Records, builder: Any, split: str, label_key: str | None, progress: Progress | None
) -> tuple[Headers, NDArray[np.int64] | None, NDArray[np.int64], list[BadImage]]:
    """What the records of a split say besides pixels, read once and kept in `headers/` of the
    default cache.

    Args:
        records: all of the split.
        builder, split: whose they are.
        label_key: the feature that is a class, or None.
        progress: called now and then with (done, all) while they are read.

    Returns:
        (headers of the images that could be read, labels or None, positions, images that could not
        be read).
    """
    what = f"{builder.data_path} {split} {builder.info.splits[split].num_bytes} {len(records)}"
    digest = hashlib.sha256(what.encode()).hexdigest()[:16]
    place = default_cache() / "headers" / f"{builder.name}-{split}-{digest}.npz"
    names = ("shapes", "ways", "labels")
    kept = load_arrays(place, names)
    bad: list[BadImage] = []
    if kept is None or len(kept["ways"]) != len(records):
        kept = {
            "shapes": np.zeros((len(records), 2), np.int32),
            "ways": np.zeros(len(records), np.uint8),
            "labels": np.zeros(len(records), np.int64),
        }

        def read(row: int) -> tuple[int, int, int, int]:
            example = records.example(row)
            label = -1 if label_key is None else int(example[label_key])
            try:
                return (*read_size(io.BytesIO(example[records.key])), label)
            except Exception:
                kept["labels"][row] = label
                raise

        for row, result in enumerate(ordered_map(read, range(len(records)))):
            if isinstance(result, Exception):
                bad.append(BadImage.of(records.where(row), reason_of(result)))
            else:
                kept["shapes"][row], kept["ways"][row] = result[:2], result[2]
                kept["labels"][row] = result[3]
            if progress and (row % 256 == 255 or row + 1 == len(records)):
                progress(row + 1, len(records))
        if not bad:
            save_arrays(place, **kept)
    positions = np.flatnonzero(kept["ways"])
    headers = Headers(kept["shapes"][positions], kept["ways"][positions])
    labels = None if label_key is None else kept["labels"][positions]
    return headers, labels, positions, bad
