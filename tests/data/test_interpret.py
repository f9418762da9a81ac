from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rotkeras.data import load
from rotkeras.data.interpret import guess_kind, interpret
from rotkeras.errors import UserError


def make(folder, *names, size=8):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), (number, 0, 0)).save(folder / name)
    return folder


def class_names(classes, count):
    return [f"{name}/{number}.png" for name in classes for number in range(count)]


def images(count=20):
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("digits", "embedded"),
        ("cifar10", "tfds"),
        ("imagenette/160px-v2", "tfds"),
        ("mine.npz", "arrays"),
        (Path("mine.npz"), "arrays"),
        ("./photos", "folder"),
        ("../photos", "folder"),
        ("~/photos", "folder"),
        ("/data/photos", "folder"),
        (Path("photos"), "folder"),
        (Path("digits"), "folder"),
        ("./digits", "folder"),
        ("embedded:digits", "embedded"),
        ("tfds:cifar10", "tfds"),
        (np.zeros((1, 2, 2, 3), np.uint8), "arrays"),
        ((np.zeros((1, 2, 2, 3), np.uint8), [0]), "arrays"),
    ],
)
def test_guess_kind(source, kind):
    assert guess_kind(source) == kind


def test_guess_kind_of_a_folder_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert guess_kind("photos") == "folder"
    assert guess_kind("pictures") == "tfds"


@pytest.mark.parametrize(
    ("name", "prefixed", "kind"),
    [
        ("digits", "embedded:digits", "embedded"),
        ("cifar10", "tfds:cifar10", "tfds"),
        ("imagenette", "tfds:imagenette", "tfds"),
    ],
)
@pytest.mark.parametrize("make_it", [Path.mkdir, Path.touch], ids=["folder", "file"])
def test_a_word_that_names_a_path_and_a_set_must_be_written_otherwise(
    name, prefixed, kind, make_it, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert interpret(name) == (kind, name)
    make_it(tmp_path / name)
    with pytest.raises(UserError, match=f"write ./{name} for the (folder|file), or {prefixed} for"):
        interpret(name)
    assert interpret(f"./{name}") == ("folder", f"./{name}")
    assert interpret(Path(name)) == ("folder", Path(name))
    assert interpret(prefixed) == (kind, name)


def test_a_set_that_is_prepared_in_the_data_folder_is_known_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds").mkdir()
    assert interpret("birds")[0] == "folder"
    (tmp_path / "sets" / "birds").mkdir(parents=True)
    with pytest.raises(UserError, match="tfds:birds for the set"):
        interpret("birds", tmp_path / "sets")


@pytest.mark.parametrize(
    ("name", "inside"),
    [("mnist", "3.jpg"), ("mnist", "train/3.jpg"), ("cifar10", "x")],
)
def test_a_path_with_a_separator_is_no_set(name, inside, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name / inside
    path.parent.mkdir(parents=True)
    path.touch()
    assert interpret(f"{name}/{inside}") == ("folder", f"{name}/{inside}")
    assert interpret(f"{name}/") == ("folder", f"{name}/")


def test_a_prepared_configuration_of_a_set_is_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds" / "small").mkdir(parents=True)
    assert interpret("birds/small")[0] == "folder"
    (tmp_path / "sets" / "birds" / "small").mkdir(parents=True)
    with pytest.raises(UserError, match="tfds:birds/small for the set"):
        interpret("birds/small", tmp_path / "sets")


def test_other_ways_to_write_the_name_of_a_set_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Cifar10").mkdir()  # tensorflow-datasets takes this for cifar10
    with pytest.raises(UserError, match="write ./Cifar10 for the folder, or tfds:Cifar10"):
        interpret("Cifar10")


@pytest.mark.parametrize("name", ["~x", "My #1", "[x]", "100% mine", "@home", "cat.jpg", "a: b"])
def test_what_cannot_be_the_name_of_a_set_is_a_path(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        load(name)
    make(tmp_path, f"{name}/1.png", f"{name}/2.png")
    assert load(name, image_size=8, validation_fraction=0).name == name


def test_a_folder_may_be_called_like_an_array_file(tmp_path):
    make(tmp_path, "x.npz/1.png", "x.npz/2.png")
    assert load(tmp_path / "x.npz", validation_fraction=0).train.names is not None


def test_a_file_is_not_taken_for_a_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo").touch()
    with pytest.raises(UserError, match="'photo' is a file"):
        load("photo")


@pytest.mark.parametrize("kind", ["tfds", "folder", "arrays", "embedded"])
@pytest.mark.parametrize("source", ["", " ", None])
def test_an_empty_source_of_a_given_kind_is_refused(source, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "1.png", "2.png")
    with pytest.raises(UserError, match=r"The source of kind '\w+' must be .*, got "):
        load(source, kind=kind)


@pytest.mark.parametrize("name", ["tfds:", "embedded:", "tfds: "])
def test_a_prefix_without_a_name_is_refused(name):
    with pytest.raises(UserError, match=r"The source of kind '\w+' must be .*, got "):
        load(name)


@pytest.mark.parametrize("key", ["data_dir", "test_folder", "cache"])
def test_paths_must_not_be_blank(key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "1.png", "2.png")
    for value in ("", "  "):
        with pytest.raises(UserError, match=f"{key} must be a path, got '"):
            load(tmp_path, **{key: value})


def test_the_prefixed_digits_are_the_digits():
    assert load("embedded:digits").name == "digits"


@pytest.mark.parametrize("source", ["", "  ", None])
def test_an_empty_source_is_refused(source):
    with pytest.raises(UserError, match=r"The images must be .*'digits' or a name .*, got"):
        load(source)


def test_a_source_must_be_given():
    with pytest.raises(TypeError, match="source"):
        load()


NAMES = [
    "My #1",
    "100% mine",
    "@home",
    "a: b",
    "[x]",
    "2024",
    "1e5",
    "!x",
    "- x",
    "Фото 📷",
    "日本",
    " x ",
]


def test_names_of_folders_and_files_are_kept_as_they_are(tmp_path):
    top = tmp_path / "a: b #1"
    make(top, *(f"{name}/{each}.png" for name in NAMES for each in NAMES))
    source = load(top, image_size=8, validation_fraction=0)
    assert source.train.class_names == tuple(sorted(NAMES))
    assert sorted(source.train.names) == sorted(
        f"{name}/{each}.png" for name in NAMES for each in NAMES
    )
    assert source.name == "a: b #1"


def test_an_unknown_kind_is_a_user_error():
    with pytest.raises(UserError, match="did you mean 'folder'"):
        load("x", kind="foldr")


def test_an_unknown_embedded_set_is_a_user_error():
    with pytest.raises(UserError, match="digits"):
        load("digit", kind="embedded")


def test_the_default_split_is_a_tenth():
    source = load(images(20))
    assert (len(source.train), len(source.validation)) == (18, 2)


def test_the_split_is_the_same_twice_and_independent_of_labels():
    first, second = (
        load(images(), validation_fraction=0.25),
        load((images(), np.arange(20)), validation_fraction=0.25),
    )
    assert first.validation.rows.tolist() == second.validation.rows.tolist()
    assert sorted([*first.train.rows, *first.validation.rows]) == list(range(20))
    other = load(images(), validation_fraction=0.25, split_seed=5)
    assert other.validation.rows.tolist() != first.validation.rows.tolist()


def test_too_few_images_for_a_split_is_a_user_error():
    with pytest.raises(UserError, match=r"validation_fraction=0\.1 of 3 images"):
        load(images(3))


def test_train_images_draws_after_the_split():
    whole = load((images(), np.arange(20)), validation_fraction=0.25)
    few = load((images(), np.arange(20)), validation_fraction=0.25, train_images=6)
    assert len(few.train) == 6
    assert few.validation.rows.tolist() == whole.validation.rows.tolist()
    assert set(few.train.rows) < set(whole.train.rows)
    assert few.train.labels.tolist() == few.train.rows.tolist()
    assert few.train.take(slice(None))[:, 0, 0, 0].tolist() == few.train.rows.tolist()
    again = load((images(), np.arange(20)), validation_fraction=0.25, train_images=6)
    assert again.train.rows.tolist() == few.train.rows.tolist()


def test_more_train_images_than_there_are_takes_all():
    assert len(load(images(), train_images=1000).train) == 18


def test_labels_none_drops_the_labels_of_arrays_and_digits(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        images=images(),
        labels=np.arange(20),
        test_images=images(2),
        test_labels=[0, 1],
    )
    for source in (load(tmp_path / "a.npz", labels="none"), load("digits", labels="none")):
        for part in (source.train, source.validation, source.test):
            assert part.labels is None
            assert part.class_names == ()
    assert load(tmp_path / "a.npz").test.labels.tolist() == [0, 1]


def test_a_folder_is_read_at_96_pixels_unless_told(tmp_path):
    make(tmp_path / "photos", *class_names("ab", 5))
    source = load(tmp_path / "photos")
    assert source.image_shape == (96, 96, 3)
    assert source.name == "photos"
    assert source.train.class_names == ("a", "b")
    assert source.test is None
    assert load(str(tmp_path / "photos"), image_size=8).image_shape == (8, 8, 3)


def test_a_folder_reports_what_it_skipped_and_its_progress(tmp_path):
    make(tmp_path, *class_names("ab", 5))
    (tmp_path / "a" / "bad.jpg").write_text("x")
    calls = []
    source = load(tmp_path, image_size=8, progress=lambda *each: calls.append(each))
    assert [Path(bad.path).name for bad in source.skipped] == ["bad.jpg"]
    assert calls[-1] == (11, 11)


def test_labels_none_on_class_folders(tmp_path):
    make(tmp_path / "train", *class_names("ab", 5))
    make(tmp_path / "test", *class_names("cd", 2))
    source = load(tmp_path / "train", image_size=8, labels="none", test_folder=tmp_path / "test")
    assert source.train.labels is None
    assert source.validation.labels is None
    assert source.test.labels is None
    assert len(source.test) == 4


def test_test_folder_is_read_late_with_the_class_numbers_of_training(tmp_path):
    make(tmp_path / "train", *class_names("abc", 4))
    source = load(tmp_path / "train", image_size=8, test_folder=tmp_path / "test")
    make(tmp_path / "test", *class_names("bc", 2))
    (tmp_path / "test" / "c" / "bad.png").write_text("x")
    assert source.skipped == []
    assert source.test.labels.tolist() == [1, 1, 2, 2]
    assert source.test.class_names == ("a", "b", "c")
    assert [Path(bad.path).name for bad in source.skipped] == ["bad.png"]


@pytest.mark.parametrize(
    "names",
    [["a/0.png", "b/0.png", "c/0.png"], ["b/0.png", "b/1.png"]],
    ids=["one each", "one class"],
)
def test_a_small_test_folder_keeps_its_labels(tmp_path, names):
    make(tmp_path / "train", *class_names("abc", 4))
    make(tmp_path / "test", *names)
    source = load(tmp_path / "train", image_size=8, test_folder=tmp_path / "test")
    assert source.test.labels is not None
    assert [source.test.class_names[label] for label in source.test.labels] == [
        name[0] for name in names
    ]


def test_a_test_folder_with_an_unknown_class_is_refused(tmp_path):
    make(tmp_path / "train", *class_names("ab", 4))
    make(tmp_path / "test", *class_names("az", 2))
    source = load(tmp_path / "train", image_size=8, test_folder=tmp_path / "test")
    with pytest.raises(UserError, match=r"class folder 'z'"):
        source.test  # noqa: B018


def test_a_missing_test_folder_is_a_user_error(tmp_path):
    make(tmp_path / "train", *class_names("ab", 4))
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "train", image_size=8, test_folder=tmp_path / "nowhere").test  # noqa: B018


def test_an_unlabelled_folder_has_an_unlabelled_test_folder(tmp_path):
    make(tmp_path / "train", *(f"{number}.png" for number in range(10)))
    make(tmp_path / "test", *class_names("ab", 2))
    source = load(tmp_path / "train", image_size=8, test_folder=tmp_path / "test")
    assert source.train.labels is None
    assert source.test.labels is None


def test_a_missing_folder_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "nowhere")


def test_where_images_are_kept_is_said_and_goes_with_every_part(tmp_path):
    make(tmp_path / "photos", *class_names("ab", 10))
    source = load(tmp_path / "photos", image_size=8, labels="none", train_images=5)
    assert (
        source.kept == source.train.kept == source.validation.kept == "decoded into memory, 3.8 KiB"
    )
    cached = load(
        tmp_path / "photos", image_size=8, cache=tmp_path / "cache", test_folder=tmp_path / "photos"
    )
    assert cached.kept.startswith(f"decoded into the cache {tmp_path}/cache/photos-8-")
    assert cached.kept.endswith(", 3.8 KiB, and read from there as they are needed")
    assert cached.test.kept.startswith(f"found in the cache {tmp_path}/cache/photos-8-")
    assert load(images()).kept == load("digits").kept == ""


def test_a_cache_goes_with_images_that_are_decoded(tmp_path):
    for source in (images(), "digits"):
        with pytest.raises(UserError, match="cache needs images that are decoded from files, got"):
            load(source, cache=tmp_path)
