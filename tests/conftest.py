"""Shared by all tests: quiet TensorFlow, real small images, and what is expensive to make."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # the kernels that the command line uses

import json
import warnings

import numpy as np
import pytest

LONGEST = (
    "test_hosts.py",
    "test_backbones.py",
    "test_jax.py",
    "test_tasks.py",
    "test_trainer.py",
    "test_tflite.py",
    "test_devices.py",
    "test_resume.py",
    "test_fits.py",
    "test_evaluation.py",
    "test_readme.py",
    "test_callbacks.py",
    "test_reproduce_table.py",
    "test_probe_accuracy.py",
    "test_augmentation.py",
    "test_batches.py",
)


def pytest_collection_modifyitems(items):
    """The longest files first, so that two workers end together; tests marked `long` only with
    ROTKERAS_ALL=1, as `.ci/run` sets it."""
    if not os.environ.get("ROTKERAS_ALL"):
        reason = "takes long; ROTKERAS_ALL=1 runs it"
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(
        key=lambda item: (
            LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
        )
    )


@pytest.fixture(scope="session")
def digit_source():
    """The real digits, 16 × 16, split into train, validation and test."""
    from rotkeras.data import load

    return load("digits", image_size=16, validation_fraction=0.2)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of `small_training.SMALL` that was never stopped, and what `train` returned, by way of
    JSON.

    Made once for all workers, by the one that asks first; copy the folder to write into it.
    """
    import fcntl

    from small_training import SMALL

    from rotkeras import recipe
    from rotkeras.run.folder import Run

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "trained"
    folder.mkdir(exist_ok=True)
    run, returned = Run(folder / "run"), folder / "returned.json"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not returned.exists():
            from rotkeras.training.trainer import train

            made = recipe.validate(SMALL, "test")
            run.check(made, overwrite=True)  # of a worker that failed here
            returned.write_text(json.dumps(train(made, run)))
    return json.loads(returned.read_text()), run


@pytest.fixture(scope="session")
def exported_run(tmp_path_factory):
    """A run of digits with a small network that tells rotations, and its export with all profiles
    in `export/`.

    Made once for all workers; copy the folder to write into it.
    """
    import fcntl

    from small_training import make_run

    from rotkeras.run.folder import Run

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "exported"
    folder.mkdir(exist_ok=True)
    run = Run(folder / "run")
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not run.export.exists():
            from rotkeras.export import PROFILES, export_run
            from rotkeras.recipe.models import Export

            make_run(run)
            on_devices = [name for name, each in PROFILES.items() if each.runtime == "tflite"]
            settings = Export(
                profiles=on_devices, max_drop=100, author="A. Author", licence="CC0-1.0"
            )
            export_run(run, settings, command=["rotkeras", "export", "runs/small"])
    return run


@pytest.fixture(scope="session")
def exported(exported_run):
    """The folder of the export of `exported_run`."""
    return exported_run.export


@pytest.fixture(scope="session")
def loud_detector(tmp_path_factory, fine_tuned, labelled_sets):
    """A folder with `model.keras` and `detector-float32.tflite` of the detector of `fine_tuned`,
    its scores raised so far that it finds objects everywhere."""
    import keras
    from small_transfer import SIDE, recipe

    from rotkeras.transfer.detect.goal import Detect
    from rotkeras.transfer.detect.model import anchors_of
    from rotkeras.transfer.export import export_network
    from rotkeras.transfer.settings import Files

    folder = tmp_path_factory.mktemp("loud")
    network = keras.models.load_model(fine_tuned["detect"][1] / "model.keras")
    prediction = network.get_layer("classes_prediction")
    prediction.bias.assign_add(keras.ops.full(prediction.bias.shape, 4.0))
    network.save(folder / "model.keras")
    made = recipe("detect", labelled_sets["detect"])
    goal = Detect(made.task)
    labelled = goal.read(made.data, SIDE, 0, print)
    export_network(
        network,
        goal.predict(network, labelled.test, SIDE),
        goal,
        labelled,
        SIDE,
        Files(profiles=["float32"]),
        folder,
        name="loud",
        seed=0,
        extra={"anchors": {key: list(each) for key, each in vars(anchors_of(4.0)).items()}},
    )
    return folder


@pytest.fixture
def eagerly():
    """Steps are not traced: a `fit` or `predict` of few steps costs a third. What is promised of
    compiled steps is tested without."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def random_images():
    """Noise: every pixel differs, so a wrong turn or crop cannot go unseen."""
    return np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)


@pytest.fixture
def small_backbone():
    from rotkeras.backbones import nin

    return nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3))


@pytest.fixture
def quick_backbone():
    from small_training import three_taps

    return three_taps()


@pytest.fixture(scope="session")
def labelled_sets(tmp_path_factory):
    """Task -> the folder of a drawn set (`small_transfer`), and "encoder" -> a `.keras` file. Not
    to be written into. Made once for all workers, which share what is fine-tuned on them."""
    import fcntl

    from small_transfer import WRITERS, strided

    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "labelled"
    base.mkdir(exist_ok=True)
    folders = {task: base / task for task in WRITERS}
    folders["encoder"] = base / "encoder.keras"
    with open(base / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "made").exists():
            for task, write in WRITERS.items():
                write(folders[task])
            strided().save(folders["encoder"])
            (base / "made").touch()
    return folders


@pytest.fixture(scope="session")
def fine_tuned(tmp_path_factory, labelled_sets):
    """Task -> (what the command said, its folder) of `rotkeras finetune` with one epoch.

    Made once for all workers; copy a folder to write into it.
    """
    import fcntl

    import tensorflow as tf
    from small_transfer import SIDE

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "fine-tuned"
    folder.mkdir(exist_ok=True)
    made = {}
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for task in ("classify", "detect", "segment"):
            said = folder / f"{task}.txt"
            if not said.exists():
                from click.testing import CliRunner

                from rotkeras.cli import main

                small = ["task.channels=8", "task.convolutions=1"] if task == "detect" else []
                settings = [f"data.image_size={SIDE}", "train.epochs=1", "train.images_per_batch=4"]
                settings += ["train.schedule.warmup_epochs=0", "export.max_drop=100"]
                arguments = ["finetune", task, labelled_sets["encoder"], "-o", folder / task]
                arguments += ["--data", labelled_sets[task], "--overwrite"]
                arguments += [part for each in [*small, *settings] for part in ("--set", each)]
                tf.config.run_functions_eagerly(True)  # two steps are not worth a trace
                try:
                    with warnings.catch_warnings():
                        warnings.filterwarnings("ignore", "The structure of `inputs`")
                        result = CliRunner().invoke(main, [str(each) for each in arguments])
                finally:
                    tf.config.run_functions_eagerly(False)
                assert result.exit_code == 0, result.output
                said.write_text(result.output)
            made[task] = (said.read_text(), folder / task)
    return made
