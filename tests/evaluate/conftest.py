import pytest
from small_training import SMALL, three_taps

from rotkeras.recipe.files import validate
from rotkeras.run.folder import Run
from rotkeras.training.build import load_source


@pytest.fixture(scope="session")
def ended_run(tmp_path_factory):
    """What an evaluation reads of a run that has ended, recipe and network, and its images; copy
    the folder to write into it.

    The network has seen the images, so that its batch statistics are not the initial ones, but has
    learned nothing: a run that has is evaluated in tests/reproduce.
    """
    import keras

    recipe = validate(SMALL, "small")
    run = Run(tmp_path_factory.mktemp("runs") / "small")
    run.check(recipe)
    run.begin(recipe)
    source = load_source(recipe)
    keras.utils.set_random_seed(0)
    network = three_taps()
    for _ in range(20):
        network(source.train.take(slice(None)), training=True)
    network.save(run.model)
    run.checkpoints.mkdir()
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
