"""Where the labelled images of `probe.data` lie, and whether they are those of training. Nothing
here trains."""

import shutil

import numpy as np
import pytest
from PIL import Image

from rotkeras import UserError, recipe
from rotkeras.cli.advice import places_as_options
from rotkeras.report.images import sample_of_run
from rotkeras.run.folder import Run
from rotkeras.run.images import load_run_images, load_source, recipe_of_images, record
from rotkeras.run.places import parse_locations
from rotkeras.run.probe_images import load_labelled_images, load_probe_images

COMMAND = ["rotkeras", "evaluate", "run"]


def draw(path, seed, side=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run on crops of a photograph, with labelled images in three class folders."""
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "photograph.png", 0, 64)
    for number in range(30):
        draw(tmp_path / f"labelled/{'abc'[number % 3]}/{number}.png", number)
    data = {"folder": "photograph.png", "image_size": 8, "crops": {"count": 40}}
    content = {"name": "one", "data": data, "probe": {"data": {"folder": "labelled"}}}
    made, run = recipe.validate(content, "test"), Run("run")
    run.check(made)
    run.begin(made)
    source, labelled = load_source(made), load_probe_images(made, 8)
    run.model.touch()
    run.write_summary({"images": {"skipped": [], "record": record(made, source, labelled)}})
    return run


def refused(function, *arguments, **more):
    with pytest.raises(UserError) as error:
        function(*arguments, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_place_that_moved_can_be_named(run, tmp_path):
    assert len(load_labelled_images(run).train) == 27
    shutil.move("labelled", "moved")
    for command, how in (
        (COMMAND, "rotkeras evaluate run --set probe.data.folder=NEW"),
        ((), 'data={"probe.data.folder": "NEW"}'),
    ):
        assert refused(load_labelled_images, run, command=command) == (
            f"probe.data: The image folder 'labelled' does not exist; training read"
            f" '{tmp_path}/labelled'. If the images have moved, name the new path: {how}"
        )
    places = parse_locations(["probe.data.folder=moved"])
    assert places == {"probe.data.folder": "moved"}
    assert len(load_labelled_images(run, places).train) == 27
    assert len(sample_of_run(run, 8, 5, data=places).images) == 5
    assert places_as_options(places) == ["--set", "probe.data.folder=moved"]


def test_another_working_folder_finds_what_training_read(run, tmp_path, monkeypatch):
    run = Run(run.path.absolute())
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    lines = []
    assert len(load_labelled_images(run, tell=lines.append).train) == 27
    assert lines == [
        f"probe.data.folder 'labelled' does not exist here; reading '{tmp_path}/labelled', as"
        " training did"
    ]
    assert sample_of_run(run, 8, 5).images.labels is not None


def test_the_photograph_is_not_needed_to_evaluate_on_labelled_images(run, tmp_path):
    (tmp_path / "photograph.png").rename("elsewhere.png")
    assert len(load_labelled_images(run).train) == 27
    recipe_of_images(run, command=COMMAND, labelled=True)
    assert sample_of_run(run, 8, 5).images.labels is not None
    # Crops have no labels: nothing that is evaluated may become crops by another place.
    said = refused(load_labelled_images, run, {"folder": "elsewhere.png"}, command=COMMAND)
    assert said == (
        "data.folder says where the images of training are, but the features of this run are"
        " evaluated on those of probe.data. If these have moved, name the new path: rotkeras"
        " evaluate run --set probe.data.folder=NEW"
    )
    assert "evaluated on those of probe.data" in refused(
        sample_of_run, run, 8, 5, data={"folder": "elsewhere.png"}
    )
    assert len(load_run_images(run, {"folder": "elsewhere.png"}).train) == 36  # the crops
    said = refused(load_run_images, run, {"probe.data.folder": "labelled"}, command=COMMAND)
    assert "here the images of training are read" in said


def test_the_report_refuses_other_labelled_images_as_the_evaluation_does(run, tmp_path):
    assert sample_of_run(run, 8, 5).of == 30
    shutil.rmtree("labelled/a")
    assert "images of probe.data have changed" in refused(load_labelled_images, run)
    assert refused(sample_of_run, run, 8, 5) == (
        "The images of probe.data have changed since this run began: 30 images then, 20 now."
    )


def test_a_broken_labelled_file_is_not_a_change(run, tmp_path):
    (tmp_path / "labelled/a/bad.png").write_text("no image")
    assert "30 images then, 31 now" in refused(sample_of_run, run, 8, 5)
    summary = run.load_summary()
    made = run.load_recipe()
    summary["images"]["record"] = record(made, load_source(made), load_probe_images(made, 8))
    run.write_summary(summary)
    assert sample_of_run(run, 8, 31).of == 31


def test_resume_may_name_another_place_of_the_labelled_images(run):
    content = run.load_recipe().model_dump()
    content["probe"]["data"]["folder"] = "moved"
    moved = recipe.validate(content, "test")
    run.check(moved, resume=True)
    run.begin(moved)
    assert run.load_recipe() == moved
    content["probe"]["data"]["image_size"] = 9
    with pytest.raises(UserError, match=r"has probe\.data\.image_size: None"):
        run.check(recipe.validate(content, "test"), resume=True)


def test_a_run_without_labelled_images_has_no_place_of_them(run):
    content = run.load_recipe().model_dump()
    content["probe"]["data"] = None
    plain = Run("plain")
    made = recipe.validate(content, "test")
    plain.check(made)
    plain.begin(made)
    said = refused(recipe_of_images, plain, {"probe.data.folder": "x"}, labelled=True)
    assert "the run has no probe.data" in said
    for wrong in ({"probe.data.size": "x"}, {"probe.folder": "x"}, {"data.folder": "x"}, {3: "x"}):
        assert "The keys of data must say where images are" in refused(
            recipe_of_images, plain, wrong
        )
