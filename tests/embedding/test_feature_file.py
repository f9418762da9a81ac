import csv
import resource

import numpy as np
import pytest
from PIL import Image

from rotkeras import embedding
from rotkeras.embedding.feature_file import check_file
from rotkeras.errors import UserError

SIZE = 12  # of the encoders in conftest.py
SUFFIXES = (".npz", ".csv", ".parquet")


def test_the_three_files_agree(photographs, encoder_file, tmp_path):
    from pyarrow import parquet

    done = [
        embedding.embed(encoder_file, photographs, tmp_path / f"a{suffix}", images_per_batch=5)
        for suffix in SUFFIXES
    ]
    assert [(each.images, each.dimensions, each.skipped) for each in done] == [(12, 7, [])] * 3
    assert all(each.path.exists() and each.seconds > 0 for each in done)
    archive = np.load(tmp_path / "a.npz")
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "a.parquet")
    assert archive["names"].tolist() == [row["name"] for row in rows] == table["name"].to_pylist()
    assert (
        archive["labels"].tolist()
        == [int(row["label"]) for row in rows]
        == table["label"].to_pylist()
    )
    classes = [row["class"] for row in rows]
    assert (
        archive["class_names"][archive["labels"]].tolist()
        == classes
        == table["class"].to_pylist()
        == ["cat"] * 4 + ["dog"] * 4 + ["owl"] * 4
    )
    from_csv = np.array([[row[f"f{number}"] for number in range(7)] for row in rows]).astype(
        np.float32
    )
    np.testing.assert_array_equal(archive["features"], from_csv)
    np.testing.assert_array_equal(
        archive["features"], np.array(table["features"].to_pylist(), np.float32)
    )
    import keras

    pixels = np.stack(
        [
            np.asarray(embedding.open_images(photographs)(SIZE).read(photographs / name, SIZE))
            for name in archive["names"]
        ]
    )
    expected = keras.models.load_model(encoder_file).predict(pixels, verbose=0)
    np.testing.assert_allclose(archive["features"], expected, rtol=1e-5, atol=1e-5)


def test_one_image_and_names_with_commas_quotes_and_letters(tmp_path, quick_encoder):
    folder = tmp_path / "in"
    folder.mkdir()
    name = 'Ñandú, "Жук" 日本.png'
    Image.new("RGB", (9, 5), (10, 20, 30)).save(folder / name)
    for source in (folder, folder / name):
        for suffix in SUFFIXES:
            done = embedding.embed(quick_encoder, source, tmp_path / f"a{suffix}", overwrite=True)
            assert done.images == 1
        assert np.load(tmp_path / "a.npz")["names"].tolist() == [name]
        np.testing.assert_allclose(
            np.load(tmp_path / "a.npz")["features"], [[10, 20, 30] * 2], rtol=1e-5
        )
        with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
            assert next(iter(csv.DictReader(file)))["name"] == name


def test_a_file_that_is_there_is_kept_unless_told(photographs, quick_encoder, tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("precious")
    with pytest.raises(UserError, match="exists already: add --overwrite"):
        embedding.embed(quick_encoder, photographs, path)
    assert path.read_text() == "precious"
    embedding.embed(quick_encoder, photographs, path, overwrite=True)
    assert len(np.load(path)["features"]) == 12


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_or_failed_run_leaves_nothing_new(
    photographs, quick_encoder, tmp_path, suffix, there, monkeypatch
):
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / f"a{suffix}"
    if there:
        path.write_text("old")
    monkeypatch.setattr(
        "rotkeras.embedding.chunks._MOST_IMAGES", 4
    )  # three chunks, of which the first is written

    def interrupt(done, _all):
        if done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedding.embed(quick_encoder, photographs, path, overwrite=True, progress=interrupt)
    (photographs / "owl" / "bad.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"bad.jpg could not be read"):
        embedding.embed(quick_encoder, photographs, path, overwrite=True, on_bad_image="error")
    assert [each.name for each in folder.iterdir()] == [path.name] * there
    assert not there or path.read_text() == "old"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_told_and_leaves_nothing(quick_encoder, tmp_path, suffix):
    many = np.random.default_rng(0).integers(0, 256, (3000, SIZE, SIZE, 3), dtype=np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # no file may become larger
    try:
        with pytest.raises(UserError, match=r"The disk became full while .* make room"):
            embedding.embed(quick_encoder, many, tmp_path / f"a{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_no_file_when_no_image_could_be_read(tmp_path, quick_encoder):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_text("no image")
    with pytest.raises(
        UserError,
        match=(
            r"None of the image files could be read \(1\); the first: .*\(its content is not an image\)"
        ),
    ):
        embedding.embed(quick_encoder, folder, tmp_path / "a.npz")
    assert [each.name for each in tmp_path.iterdir()] == ["in"]


def test_what_was_skipped_is_reported(photographs, quick_encoder, tmp_path):
    (photographs / "owl" / "bad.jpg").write_text("no image")
    done = embedding.embed(quick_encoder, photographs, tmp_path / "a.npz")
    assert [each.path for each in done.skipped] == [str(photographs / "owl" / "bad.jpg")]
    assert done.images == 12


def test_sizes_that_differ_name_both(quick_encoder, tmp_path):
    with pytest.raises(UserError, match="are 16×16 and the encoder takes 12×12: add --resize"):
        embedding.embed(quick_encoder, np.zeros((2, 16, 16, 3), np.uint8), tmp_path / "a.npz")
    assert (
        embedding.embed(
            quick_encoder, np.zeros((2, 16, 16, 3), np.uint8), tmp_path / "a.npz", resize=True
        ).images
        == 2
    )


def test_the_path_is_checked_first(tmp_path):
    def refused(path, **options):
        with pytest.raises(UserError) as error:
            check_file(path, SUFFIXES, **options)
        return str(error.value)

    assert "must end in .npz, .csv or .parquet, which chooses the format, got .npy." in refused(
        tmp_path / "a.npy"
    )
    assert (
        "must end in .npz, .csv or .parquet, which chooses the format, got no ending."
        in refused(tmp_path / "a")
    )
    assert "does not exist: make it" in refused(tmp_path / "no" / "a.npz")
    (tmp_path / "b.npz").mkdir()
    assert "is a folder" in refused(tmp_path / "b.npz", overwrite=True)
    assert check_file(str(tmp_path / "A.NPZ"), SUFFIXES) == tmp_path / "A.NPZ"
