import pytest
from small_training import SMALL

from rotkeras.recipe.files import validate
from rotkeras.run import Run
from rotkeras.train import load_source, train


@pytest.fixture(scope="session")
def ended_run(tmp_path_factory):
    """A run of one epoch on the digits, and its images; copy the folder to write into it."""
    recipe = validate({**SMALL, "train": {**SMALL["train"], "epochs": 1}}, "small")
    run = Run(tmp_path_factory.mktemp("runs") / "small")
    run.check(recipe)
    source = load_source(recipe)
    train(recipe, run, source)
    return run, source


@pytest.fixture
def run(ended_run, tmp_path):
    """A copy of the run that a test may write into."""
    import shutil

    shutil.copytree(ended_run[0].path, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.fixture
def source(ended_run):
    """Its images."""
    return ended_run[1]
