import fcntl
import os

import pytest
from small_training import SMALL

from rotkeras.recipe.files import validate
from rotkeras.run.folder import Run


@pytest.fixture(scope="session")
def evaluated_run(tmp_path_factory):
    """A run of two epochs on the digits, evaluated: ridge on every tap, trained and untrained, and
    from few labels.

    It is made once for all workers.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "evaluated-run"
    shared.mkdir(exist_ok=True)
    run = Run(shared / "small")
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            make_evaluated_run(run)
            (shared / "done").touch()
    return run


def make_evaluated_run(run):
    from rotkeras.evaluate import Options, evaluate
    from rotkeras.training.build import load_source
    from rotkeras.training.trainer import train

    changes = {
        "train": {**SMALL["train"], "epochs": 2},
        "probe": {"every_epochs": 1, "train_images": 100},
        "quality": {"every_epochs": 1, "images": 64},
    }
    recipe = validate(
        {
            **SMALL,
            **changes,
            "attention": {"every_epochs": 1, "images": 3},
            "report": {"points": 60, "queries": 2},
        },
        "small",
    )
    run.check(recipe)
    source = load_source(recipe)
    train(recipe, run, source)
    every = Options(probes=("ridge",), modes=("frozen", "random"))
    few = Options(probes=("ridge",), modes=("frozen",), taps=("conv2",), labels_per_class=(2, 5))
    evaluate(run, [every, few], source)


@pytest.fixture
def run(evaluated_run, tmp_path):
    """A copy of the run that a test may write into."""
    import shutil

    shutil.copytree(evaluated_run.path, tmp_path / "small")
    return Run(tmp_path / "small")


@pytest.fixture(scope="session")
def page(evaluated_run, tmp_path_factory):
    """Its page, with all pictures."""
    from rotkeras.report import write_report

    return write_report([evaluated_run.path], tmp_path_factory.mktemp("page") / "page.html")
