"""The three forms of a feature file, each written from chunks as they come.

Every writer takes (path, chunks, dimensions d, class names) and leaves a whole file at `path`;
memory does not grow with the features, only with the names, of which each takes its letters and
eight bytes.
"""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rotkeras.data.names import Names
from rotkeras.embedding.chunks import Chunk

_ROW_GROUP_BYTES = 2**24
_NEEDS_QUOTES = re.compile('[,"\r\n]')


def write_npz(
    path: Path, chunks: Iterable[Chunk], dimensions: int, class_names: tuple[str, ...]
) -> None:
    """An archive for `numpy.load`: features float32 (N, d), names (N,); with classes labels int64
    (N,) and class_names."""
    names = Names()
    labels = [np.empty(0, np.int64)]
    # An array's header holds its length, known at the end only. Till then rows are in a file
    # without a name: no kill leaves it.
    with tempfile.TemporaryFile(dir=path.parent) as rows:
        for chunk in chunks:
            rows.write(chunk.features.astype("<f4").tobytes())
            for name in chunk.names:
                names.append(name)
            if chunk.labels is not None:
                labels.append(chunk.labels)
        rows.seek(0)
        with zipfile.ZipFile(path, "w") as archive:
            with _array(archive, "features", "<f4", (len(names), dimensions)) as file:
                shutil.copyfileobj(rows, file, 2**20)
            width = max(map(len, names), default=1)
            with _array(
                archive, "names", f"<U{width}", (len(names),), zipfile.ZIP_DEFLATED
            ) as file:
                for start in range(0, len(names), 4096):
                    file.write(np.array(names[start : start + 4096], f"<U{width}").tobytes())
            if class_names:
                with _array(archive, "labels", "<i8", (len(names),)) as file:
                    file.write(np.concatenate(labels).astype("<i8").tobytes())
                classes = np.array(class_names)
                with _array(archive, "class_names", classes.dtype.str, classes.shape) as file:
                    file.write(classes.tobytes())


def _array(
    archive: zipfile.ZipFile,
    name: str,
    dtype: str,
    shape: tuple[int, ...],
    compression: int = zipfile.ZIP_STORED,
) -> Any:
    """A file in the archive that has the header of an array already and waits for its numbers."""
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = compression
    file = archive.open(member, "w", force_zip64=True)
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file


def write_csv(
    path: Path, chunks: Iterable[Chunk], dimensions: int, class_names: tuple[str, ...]
) -> None:
    """UTF-8 lines name,label,class,f0,f1…; label and class are empty without classes. The digits
    give back the same float32."""
    import pyarrow as arrow

    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(
            csv_line(["name", "label", "class", *(f"f{number}" for number in range(dimensions))])
        )
        for chunk in chunks:
            for row, (name, features) in enumerate(zip(chunk.names, chunk.features, strict=True)):
                about = (
                    ("", "")
                    if chunk.labels is None
                    else (str(chunk.labels[row]), class_names[chunk.labels[row]])
                )
                # The shortest digits that give back the same float32, as Python's `str` of each
                # number would, four times as fast.
                digits = arrow.array(features).cast(arrow.string()).to_pylist()
                file.write(csv_line([name, *about, *digits]))


def csv_line(fields: Sequence[str]) -> str:
    """A line of a CSV file (RFC 4180, with a line feed at its end): fields are in quotes where they
    need to be."""
    # Python's csv module leaves a carriage return in a file name bare when lines end in a line
    # feed, before Python 3.13.
    quoted = [
        '"' + each.replace('"', '""') + '"' if _NEEDS_QUOTES.search(each) else each
        for each in fields
    ]
    return ",".join(quoted) + "\n"


def write_parquet(
    path: Path, chunks: Iterable[Chunk], dimensions: int, class_names: tuple[str, ...]
) -> None:
    """Columns name, label, class (null without classes) and features, a list of d float32."""
    import pyarrow as arrow
    from pyarrow import parquet

    names = ("name", "label", "class", "features")
    types = (
        arrow.string(),
        arrow.int64(),
        arrow.string(),
        arrow.list_(arrow.float32(), dimensions),
    )
    schema = arrow.schema(list(zip(names, types, strict=True)))

    def table(chunk: Chunk) -> Any:
        labels = [None] * len(chunk.names) if chunk.labels is None else chunk.labels.tolist()
        classes = [None if label is None else class_names[label] for label in labels]
        features = arrow.FixedSizeListArray.from_arrays(
            arrow.array(chunk.features.ravel()), dimensions
        )
        values = (chunk.names, labels, classes)
        columns = [arrow.array(each, kind) for each, kind in zip(values, types[:3], strict=True)]
        return arrow.Table.from_arrays([*columns, features], schema=schema)

    # A row group for every few hundred rows would make the file slow to read.
    most = max(1, _ROW_GROUP_BYTES // (4 * dimensions))
    with parquet.ParquetWriter(path, schema, use_dictionary=["class"]) as writer:
        waiting: list[Any] = []
        for chunk in chunks:
            waiting.append(table(chunk))
            if sum(map(len, waiting)) >= most:
                writer.write_table(arrow.concat_tables(waiting), row_group_size=most)
                waiting = []
        if waiting:
            writer.write_table(arrow.concat_tables(waiting), row_group_size=most)


FORMATS: dict[str, Callable[[Path, Iterable[Chunk], int, tuple[str, ...]], None]] = {
    ".npz": write_npz,
    ".csv": write_csv,
    ".parquet": write_parquet,
}
"""The writer of each suffix."""
