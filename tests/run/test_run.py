import os

import pytest

from rotkeras import UserError, recipe
from rotkeras.files import write_json, write_text, write_whole
from rotkeras.run.folder import Run

DIGITS = {"data": {"embedded": "digits"}}
RECIPE = recipe.validate({"name": "one", **DIGITS}, "test")


def begin(run, made=RECIPE, **arguments):
    run.check(made, **arguments)
    run.begin(made)


def test_a_new_run_holds_its_recipe_with_versions(tmp_path):
    run = Run(tmp_path / "runs" / "one")
    begin(run)
    assert run.load_recipe() == RECIPE
    text = run.recipe.read_text()
    assert "# tensorflow 2." in text
    assert "# keras 3." in text
    assert run.load_summary() is None


def test_an_existing_run_is_never_overwritten_unasked(tmp_path):
    run = Run(tmp_path / "one")
    begin(run)
    write_json(run.summary, {"epochs": 3})
    with pytest.raises(
        UserError, match="already holds a run: add --resume .* --overwrite .* --run-dir"
    ):
        run.check(RECIPE)
    assert run.load_summary() == {"epochs": 3}
    run.check(RECIPE, overwrite=True)
    assert run.load_summary() == {"epochs": 3}, "deleted before the new run began"
    run.begin(RECIPE)
    assert run.load_summary() is None
    assert run.load_recipe() == RECIPE


def test_what_is_drawn_may_differ_and_a_run_of_before_it_was_drawn_goes_on(tmp_path):
    run = Run(tmp_path / "one")
    begin(run)
    text = run.recipe.read_text()
    run.recipe.write_text(text[: text.index("attention:")])  # as an earlier version wrote it
    other = {"name": "one", **DIGITS, "attention": {"every_epochs": 3}, "report": None}
    run.check(recipe.validate(other, "test"), resume=True)
    assert run.resuming


def test_resume_wants_the_same_recipe_and_names_the_difference(tmp_path):
    run = Run(tmp_path / "one")
    begin(run, resume=True)  # nothing there yet: begin
    begin(run, resume=True)
    other = recipe.validate({"name": "one", **DIGITS, "train": {"epochs": 7}}, "test")
    with pytest.raises(
        UserError,
        match=r"has train\.epochs: 100 and the new one 7\. Restore that value, or start a new run with --run-dir or --overwrite\.",
    ):
        run.check(other, resume=True)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for arguments in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(UserError, match="is not empty and holds no run"):
            Run(tmp_path).check(RECIPE, **arguments)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(UserError, match="is a file"):
        Run(tmp_path / "thesis.txt").check(RECIPE)


def test_checking_writes_nothing(tmp_path):
    Run(tmp_path / "one").check(RECIPE)
    assert not list(tmp_path.iterdir())


def test_resuming_sweeps_up_what_a_kill_interrupted(tmp_path):
    run = Run(tmp_path / "one")
    begin(run)
    run.checkpoints.mkdir()
    for left in (
        run.path / ".part-123-model.keras",
        run.checkpoints / ".part-123-epoch-0001.weights.h5",
    ):
        left.write_bytes(b"half")
    begin(run, resume=True)
    assert not list(run.path.rglob(".part-*"))


def test_resume_and_overwrite_together_are_refused(tmp_path):
    with pytest.raises(UserError, match="one of the two"):
        Run(tmp_path / "one").check(RECIPE, resume=True, overwrite=True)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail(working):
        working.write_text("half of the n")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


OF_DIGITS = """
name: old
data:
  tfds: null
  data_dir: null
  folder: null
  test_folder: null
  arrays: null
  embedded: null
  image_size: null
  labels: auto
  validation_fraction: 0.1
  train_images: null
  on_bad_image: skip
  cache: null
"""


def test_a_run_of_an_earlier_version_without_a_source_was_trained_on_the_digits(tmp_path):
    run = Run(tmp_path)
    write_text(run.recipe, OF_DIGITS)
    made = run.load_recipe()
    assert made.data.embedded == "digits"
    assert recipe.load(str(run.recipe)) == made  # to resume it
    with pytest.raises(UserError, match="names no images"):
        recipe.load(str(run.recipe), ["data.folder=null"])


@pytest.mark.parametrize("path", ["", "  "])
def test_a_run_folder_must_be_named(path):
    with pytest.raises(UserError, match="run folder must not be empty"):
        Run(path)


def test_an_ended_run_without_its_model_is_not_said_to_train(tmp_path):
    run = Run(tmp_path / "run")
    begin(run)
    run.write_summary({"epochs": 3})
    with pytest.raises(UserError, match=r"has ended, but its model\.keras is missing"):
        run.check_ended()


@pytest.mark.parametrize("content", ["[1]", "{", '{"epochs": "many"}', '{"seconds": null}'])
def test_a_damaged_summary_is_a_sentence(tmp_path, content):
    run = Run(tmp_path / "run")
    begin(run)
    run.summary.write_text(content)
    with pytest.raises(UserError, match=r"summary\.json is damaged"):
        run.load_summary()
