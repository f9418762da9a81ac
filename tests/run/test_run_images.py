"""The images of a run that have moved, changed, or were never recorded. Nothing here trains."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from rotkeras import UserError, recipe
from rotkeras.data.digests import digests
from rotkeras.run.folder import Run
from rotkeras.run.images import (
    NOT_RECORDED,
    check_names,
    load_run_images,
    load_source,
    recipe_of_images,
    record,
)
from rotkeras.run.places import parse_locations


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with photographs in two class folders."""
    home = tmp_path / "home"
    for number in range(10):
        draw(home / f"photos/cat/{number}.png", number)
        draw(home / f"photos/dog/{number}.png", 100 + number)
    monkeypatch.chdir(home)
    return home


def ended(path="runs/one", **data):
    """What a training leaves that has to do with images."""
    made = recipe.validate({"name": "one", "data": {"image_size": 8, **data}}, "test")
    run = Run(path)
    run.check(made)
    run.begin(made)
    source = load_source(made)
    run.model.touch()
    run.checkpoints.mkdir()
    np.savez(run.digests, **digests(source))
    run.write_summary({"images": {"skipped": [], "record": record(made, source)}})
    return run


COMMAND = ["rotkeras", "evaluate", "runs/one"]


def refused(run, data=None, **more):
    with pytest.raises(UserError) as error:
        load_run_images(run, data, command=COMMAND, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_images_that_have_not_changed_are_read_without_a_word(home):
    run, lines = ended(folder="photos"), []
    assert len(load_run_images(run, tell=lines.append).train) == 18
    assert lines == []


def test_changed_images_are_refused_with_counts_names_and_place(home):
    run = ended(folder="photos")
    draw(home / "photos/cat/99.png", 99)
    draw(home / "photos/dog/98.png", 98)
    said = refused(run)
    assert said == (
        "The images have changed since this run began: 18 training images then, 20 now; new:"
        f" 'cat/99.png' and 1 more (photos; training read {home}/photos). Restore them, or name"
        " the place of the run's images: rotkeras evaluate runs/one --set data.folder=NEW"
    )


def test_images_that_can_no_longer_be_split_are_said_to_be_fewer_than_in_training(home):
    run = ended(folder="photos")
    for number in range(1, 10):
        (home / f"photos/cat/{number}.png").unlink()
        (home / f"photos/dog/{number}.png").unlink()
    assert refused(run).endswith("This run was trained on 18 images.")
    shutil.rmtree(home / "photos/cat")
    (home / "photos/dog/0.png").unlink()
    assert refused(run).startswith("The image folder 'photos' holds no image")


def test_moved_images_are_read_where_they_are_said_to_be(home, tmp_path):
    run = ended(folder="photos")
    shutil.move(home / "photos", tmp_path / "My #1 pictures: a")
    said = refused(run)
    assert said == (
        f"The image folder 'photos' does not exist; training read '{home}/photos'. If the images"
        " have moved, name the new path: rotkeras evaluate runs/one --set data.folder=NEW"
    )
    with pytest.raises(UserError, match=r"""name the new path: data=\{"folder": "NEW"\}"""):
        load_run_images(run)  # from Python
    for place in (tmp_path / "My #1 pictures: a", str(tmp_path / "My #1 pictures: a")):
        assert load_run_images(run, {"folder": place}).name == "My #1 pictures: a"
    for number in range(18):
        draw(tmp_path / f"others/cat/{number}.png", 1000 + number)
    assert "then, 16 now" in refused(run, {"folder": tmp_path / "others"})


def test_a_relative_path_is_found_from_another_working_folder(home, tmp_path, monkeypatch):
    run, lines = ended(folder="photos"), []
    run = Run(run.path.absolute())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    source = load_run_images(run, tell=lines.append)
    assert source.name == "photos"
    assert lines == [
        f"data.folder 'photos' does not exist here; reading '{home}/photos', as training did"
    ]
    for number in range(6):  # another folder of that name
        draw(tmp_path / f"elsewhere/photos/{number}.png", number)
    assert f"training read {home}/photos" in refused(run)


def test_a_run_and_its_images_that_move_together_go_on(home, tmp_path, monkeypatch):
    ended(folder="photos")
    shutil.move(home, tmp_path / "new")
    monkeypatch.chdir(tmp_path / "new")
    assert len(load_run_images(Run("runs/one")).train) == 18


def test_images_may_come_from_another_kind_of_source_when_they_are_the_same(home):
    lines = []
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    np.savez("one.npz", images=pixels)
    np.savez("changed.npz", images=np.where(np.arange(40)[:, None, None, None] == 7, 0, pixels))
    run = ended(arrays="one.npz")
    shutil.move("one.npz", "two.npz")
    assert "The array file 'one.npz' does not exist" in refused(run)
    assert "--set data.arrays=NEW" in refused(run)
    assert len(load_run_images(run, {"arrays": "two.npz"}).train) == 36
    assert "other pixels" in refused(run, {"arrays": "changed.npz"})
    assert "changed: no. 7" in refused(run, {"arrays": "changed.npz"})
    folder = ended("runs/folder", folder="photos", test_folder="photos", cache="cache")
    source = load_source(folder.load_recipe())
    order = [*source.train.rows, *source.validation.rows]
    images, labels = np.empty_like(source.train.array[:]), np.empty(20, np.int64)
    images[order] = np.concatenate(
        [source.train.take(slice(None)), source.validation.take(slice(None))]
    )
    labels[order] = np.concatenate([source.train.labels, source.validation.labels])
    np.savez("photos.npz", images=images, labels=labels, class_names=["cat", "dog"])
    moved = load_run_images(folder, {"arrays": "photos.npz"}, tell=lines.append)
    assert moved.train.class_names == ("cat", "dog")
    assert lines == [
        "data.test_folder 'photos' is not used: it needs folder",
        "data.cache 'cache' is not used: it needs folder or list or tfds",
    ]


def test_each_missing_place_is_named_with_its_own_key(home, tmp_path):
    shutil.copytree("photos", "test")
    run = ended(folder="photos", test_folder="test")
    shutil.move("test", "test2")
    assert "The folder of test images 'test' does not exist" in refused(run)
    assert refused(run).endswith("--set data.test_folder=NEW")
    assert load_run_images(run, {"test_folder": "test2"}).test is not None
    sets = ended("runs/sets", folder="photos", data_dir="sets")
    load_run_images(sets)  # of no use for a folder
    assert refused(sets, {"tfds": "mnist"}).endswith("--set data.data_dir=NEW")
    assert "'none' does not exist" in refused(sets, {"tfds": "mnist"}, data_dir="none")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"image_size": 16}, "test_list, or one of these after 'probe.data.', got 'image_size'"),
        ({"folder": 3}, "data['folder'] must be a path or None, got 3."),
        ("photos", 'data must be a mapping such as {"folder": "photos"}, got \'photos\'.'),
        ({"folder": ""}, "data.folder"),
        ({"folder": None}, "names no images"),
    ],
)
def test_other_values_are_refused(home, data, words):
    assert words in refused(ended(folder="photos"), data)


def test_set_takes_keys_of_places_alone_and_their_text_as_it_is(home):
    assert parse_locations(["data.folder=a: b #1", "data.cache=null"]) == {
        "folder": "a: b #1",
        "cache": None,
    }
    for empty in ("data.folder=", "data.data_dir=  "):
        with pytest.raises(UserError, match="must not be empty"):
            parse_locations([empty])
    assert list(parse_locations(["data.folder=a", "data.arrays=b", "data.folder=c"]).items()) == [
        ("arrays", "b"),
        ("folder", "c"),
    ]
    for wrong in ("data.image_size=8", "train.epochs=3", "folder=x", "data.folder", "data.=x"):
        with pytest.raises(
            UserError, match=r"must name where the run's images are, one of data\.folder"
        ):
            parse_locations([wrong])


@pytest.mark.parametrize("name", ["null", "~", "~x", "[x] #1: 100%"])
def test_a_path_given_in_python_is_taken_as_it_is(home, name):
    (home / "photos").rename(home / name)
    run = ended(folder=f"./{name}")
    assert len(load_run_images(run, {"folder": f"./{name}"}).train) == 18
    assert recipe_of_images(run, {"folder": f"./{name}"}).data.folder == f"./{name}"
    if name != "~":
        assert len(load_run_images(run, {"folder": name}).train) == 18


def test_a_run_of_an_earlier_version_goes_on_and_says_so(home):
    run, lines = ended(folder="photos"), []
    run.write_summary({"images": {"train": 18}})
    draw(home / "photos/cat/99.png", 99)
    load_run_images(run, tell=lines.append)
    assert lines == [NOT_RECORDED]
    run.write_summary({})
    run.summary.write_text("{")
    load_run_images(run, tell=lines.append)
    assert lines == [NOT_RECORDED] * 2


def test_names_that_are_listed_are_compared_without_decoding(home):
    run = ended(folder="photos")
    names = [f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(10)]
    check_names(run, names, 20)
    with pytest.raises(UserError, match="20 images then, 21 now"):
        check_names(run, [*names, "x.png"], 21)
    with pytest.raises(UserError, match="20 images then, 19 now"):
        check_names(run, names[1:], 19)
    with pytest.raises(UserError, match="other file names"):
        check_names(run, [*names[:-1], "x.png"], 20)
    summary = run.load_summary()
    summary["images"]["skipped"] = [{"path": "photos/bad.png", "reason": "broken"}]
    run.write_summary(summary)
    check_names(run, [*names, "bad.png"], 21)  # a file that training could not read
    check_names(run, names, 20, "test")  # nothing is recorded of it
    test = {"images": 5, "names": None}
    (run.path / "evaluation.json").write_text(json.dumps({"images": {"test_fingerprint": test}}))
    with pytest.raises(UserError, match="5 test images then, 20 now"):
        check_names(run, names, 20, "test")


def test_a_sample_of_a_folder_with_parts_is_of_one_part_and_compared(home):
    from rotkeras.report.images import sample_of_run

    shutil.copytree("photos", "split/train")
    shutil.copytree("photos", "split/val")
    run = ended(folder="split")
    sample = sample_of_run(run, 8, 5)
    assert (sample.of, sample.part, len(sample.images.class_names)) == (20, "source", 2)
    draw(home / "split/train/cat/99.png", 99)
    with pytest.raises(UserError, match="20 training images then, 21 now"):
        sample_of_run(run, 8, 5)
    shutil.copytree("photos", "split/test")
    (home / "split/test/dog/1.png").unlink()
    sample = sample_of_run(run, 8, 5)
    assert (sample.of, sample.part) == (19, "test")


def test_resume_may_name_another_place_when_images_are_recorded(home):
    run = ended(folder="photos")
    moved = recipe.validate({"name": "one", "data": {"image_size": 8, "folder": "new"}}, "test")
    header = run.recipe.read_text().split("name:")[0]
    run.check(moved, resume=True)
    run.begin(moved)  # once training has compared the images
    assert run.load_recipe() == moved
    assert run.recipe.read_text().startswith(header)
    other = recipe.validate({"name": "one", "data": {"image_size": 9, "folder": "new"}}, "test")
    with pytest.raises(UserError, match="has data.image_size: 8"):
        run.check(other, resume=True)
    run.summary.unlink()
    back = recipe.validate({"name": "one", "data": {"image_size": 8, "folder": "photos"}}, "test")
    with pytest.raises(UserError, match="has data.folder: 'new'"):
        run.check(back, resume=True)


def test_without_a_record_only_where_sets_and_caches_lie_may_differ(home):
    run = ended(folder="photos", cache="cache")
    run.summary.unlink()

    def resumed(**data):
        content = {"name": "one", "data": {"image_size": 8, "folder": "photos", **data}}
        run.check(recipe.validate(content, "test"), resume=True)

    resumed(cache="elsewhere")
    resumed(data_dir="sets")
    with pytest.raises(UserError, match="has data.folder: 'photos'"):
        resumed(folder="new")


def test_folders_and_files_whose_names_are_not_utf_8_are_recorded_and_found(home, monkeypatch):
    shutil.move("photos", "ph\udcffotos [b]")
    shutil.move("ph\udcffotos [b]/cat/3.png", "ph\udcffotos [b]/cat/\udcff\n3.png")
    run = ended(folder="ph\udcffotos [b]")
    assert run.recorded_images()["location"] == {"folder": f"{home}/ph\udcffotos [b]"}
    run.summary.read_bytes().decode("utf-8")
    monkeypatch.chdir(home / "runs")
    assert len(load_run_images(Run("one")).train) == 18
    draw(home / "ph\udcffotos [b]/cat/\udcff\n3.png", 333)
    said = refused(Run("one"))
    assert "changed: 'cat/\\udcff\\n3.png'" in said
    said.encode()  # it can be printed
