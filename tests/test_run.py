import os

import pytest

from rotkeras import UserError, recipe
from rotkeras.files import write_json, write_text, write_whole
from rotkeras.run import Run

RECIPE = recipe.validate({"name": "one"}, "test")


def test_a_new_run_holds_its_recipe_with_versions(tmp_path):
    run = Run(tmp_path / "runs" / "one")
    run.open(RECIPE)
    assert run.load_recipe() == RECIPE
    text = run.recipe.read_text()
    assert "# tensorflow 2." in text
    assert "# keras 3." in text
    assert run.load_summary() is None


def test_an_existing_run_is_never_overwritten_unasked(tmp_path):
    run = Run(tmp_path / "one")
    run.open(RECIPE)
    write_json(run.summary, {"epochs": 3})
    with pytest.raises(UserError, match="holds a run already: add --resume .* --overwrite .* --run-dir"):
        run.open(RECIPE)
    assert run.load_summary() == {"epochs": 3}
    run.open(RECIPE, overwrite=True)
    assert run.load_summary() is None
    assert run.load_recipe() == RECIPE


def test_resume_wants_the_same_recipe_and_names_the_difference(tmp_path):
    run = Run(tmp_path / "one")
    run.open(RECIPE, resume=True)  # nothing there yet: begin
    run.open(RECIPE, resume=True)
    other = recipe.validate({"name": "one", "train": {"epochs": 7}}, "test")
    with pytest.raises(UserError, match=r"has train.epochs: 100, and the recipe to resume with has 7"):
        run.open(other, resume=True)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for arguments in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(UserError, match="is not empty and holds no run"):
            Run(tmp_path).open(RECIPE, **arguments)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(UserError, match="is a file"):
        Run(tmp_path / "thesis.txt").open(RECIPE)


def test_resume_and_overwrite_together_are_refused(tmp_path):
    with pytest.raises(UserError, match="one of the two"):
        Run(tmp_path / "one").open(RECIPE, resume=True, overwrite=True)


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
