import csv
import io
import zipfile

import numpy as np
import pytest

from rotkeras.embedding import Chunk
from rotkeras.embedding.formats import FORMATS, csv_line

NAMES = [
    "a,b.jpg",
    'the "best".jpg',
    "Ñandú Жук 日本.jpg",
    "line\nfeed.jpg",
    "return\r.jpg",
    " space ",
    "plain.jpg",
]
CLASSES = ("cats, big", "Hündchen")


def chunks(labelled=True, extreme=True):
    """Seven rows in three chunks, with numbers that are hard to write."""
    features = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    if extreme:
        features[0] = [0.1, 1e-38, 3.4e38, -0.0, 1 / 3]
    labels = np.array([0, 1, 1, 0, 0, 1, 0])
    made = [
        Chunk(
            np.arange(a, b),
            NAMES[a:b],
            labels[a:b] if labelled else None,
            np.zeros((b - a, 2, 2, 3), np.uint8),
            features[a:b],
        )
        for a, b in ((0, 3), (3, 4), (4, 7))
    ]
    return made, features, labels


def write(path, labelled=True):
    made, features, labels = chunks(labelled)
    FORMATS[path.suffix](path, iter(made), 5, CLASSES if labelled else ())
    return features, labels


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_npz_is_a_plain_archive(tmp_path):
    features, labels = write(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file.files == ["features", "names", "labels", "class_names"]
        assert (file["features"].dtype, file["labels"].dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(file["features"], features)
        assert file["names"].tolist() == NAMES
        np.testing.assert_array_equal(file["labels"], labels)
        assert file["class_names"].tolist() == list(CLASSES)
    assert zipfile.ZipFile(tmp_path / "a.npz").testzip() is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_csv_gives_back_the_same_numbers_and_names(tmp_path):
    features, labels = write(tmp_path / "a.csv")
    header, *rows = read_csv(tmp_path / "a.csv")
    assert header == ["name", "label", "class", "f0", "f1", "f2", "f3", "f4"]
    assert [row[0] for row in rows] == NAMES
    assert [int(row[1]) for row in rows] == labels.tolist()
    assert [row[2] for row in rows] == [CLASSES[label] for label in labels]
    np.testing.assert_array_equal(np.array([row[3:] for row in rows]).astype(np.float32), features)
    assert rows[0][3] == "0.1"  # the shortest digits, not 0.100000001


def test_parquet_has_typed_columns(tmp_path):
    import pyarrow as arrow
    from pyarrow import parquet

    features, labels = write(tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.schema.names == ["name", "label", "class", "features"]
    assert table.schema.types == [
        arrow.string(),
        arrow.int64(),
        arrow.string(),
        arrow.list_(arrow.float32(), 5),
    ]
    assert table["name"].to_pylist() == NAMES
    assert table["label"].to_pylist() == labels.tolist()
    assert table["class"].to_pylist() == [CLASSES[label] for label in labels]
    np.testing.assert_array_equal(np.array(table["features"].to_pylist(), np.float32), features)


def test_without_classes_there_are_no_labels(tmp_path):
    from pyarrow import parquet

    for suffix in FORMATS:
        write(tmp_path / f"a{suffix}", labelled=False)
    with np.load(tmp_path / "a.npz") as file:
        assert file.files == ["features", "names"]
    assert {tuple(row[1:3]) for row in read_csv(tmp_path / "a.csv")[1:]} == {("", "")}
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table["label"].null_count == table["class"].null_count == 7


def test_parquet_gathers_chunks_into_row_groups(tmp_path, monkeypatch):
    from pyarrow import parquet

    from rotkeras.embedding import formats

    monkeypatch.setattr(formats, "_ROW_GROUP_BYTES", 4 * 4 * 5)  # four rows
    written = []
    whole = parquet.ParquetWriter.write_table
    monkeypatch.setattr(
        parquet.ParquetWriter,
        "write_table",
        lambda *given, **how: (written.append(len(given[1])), whole(*given, **how)),
    )
    features, _ = write(tmp_path / "a.parquet")
    assert written == [4, 3]  # each as soon as it is full
    file = parquet.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [
        4,
        3,
    ]
    np.testing.assert_array_equal(
        np.array(file.read()["features"].to_pylist(), np.float32), features
    )


@pytest.mark.parametrize(
    "field", ["plain", "a,b", 'quo"te', "line\nfeed", "return\r", "", " ", "Ñ"]
)
def test_a_line_is_what_the_csv_module_reads(field):
    text = io.StringIO(csv_line([field, "1"]) + csv_line(["x", field]), newline="")
    assert list(csv.reader(text)) == [[field, "1"], ["x", field]]
