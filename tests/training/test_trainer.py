"""Real trainings of a small network on the real digits: end to end, and from a folder of
photographs."""

import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from small_training import LEAN, SMALL, quick_nin

from rotkeras import UserError, backbones, data, recipe
from rotkeras.run.folder import Run
from rotkeras.training.callbacks.metrics_log import read_metrics
from rotkeras.training.trainer import train


def run_in_process(path, content=LEAN, source=None, callbacks=(), **sections):
    made = recipe.validate({**content, **sections}, "test")
    run = Run(path)
    run.check(made)
    return train(made, run, source, callbacks), run


@pytest.fixture
def quickly(monkeypatch):
    """Recipes train `quick_nin`: tracing the NIN takes most of a short training."""
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)


@pytest.fixture(scope="module")
def unlabelled(digit_source):
    """102 digits to train on, 26 for validation, without labels: probes, which cost as much as
    training, are left out."""
    return data.load(digit_source.train.take(slice(0, 128)), validation_fraction=0.2)


def test_a_run_learns_and_leaves_everything_behind(trained):
    summary, run = trained
    names = {path.name for path in run.path.iterdir()}
    expected = {
        "recipe.yaml",
        "task.json",
        "metrics.jsonl",
        "summary.json",
        "model.keras",
        "encoder.keras",
        "encoder-last.keras",
    }
    assert names == expected | {"attention", "checkpoints", "tensorboard"}
    rows = read_metrics(run.metrics)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    needed = {
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "learning_rate",
        "views_per_second",
        "input_wait",
        "accuracy/90",
    }
    assert all(needed <= row.keys() for row in rows)
    assert [row["epoch"] for row in rows if "probe/conv2/ridge" in row] == [2, 4]
    assert "probe/conv2/knn-20" in rows[-1]
    assert rows[-1]["accuracy"] > 0.5, (
        "four epochs on digits tell rotations far better than chance (0.25)"
    )
    assert (
        summary["probes"]["trained"].keys()
        == summary["probes"]["untrained"].keys()
        == {"conv1", "conv2", "conv3"}
    )
    assert summary == json.loads(run.summary.read_text())
    assert list(run.tensorboard.rglob("events.out.tfevents*"))


def test_the_files_load_with_keras_alone(trained):
    _, run = trained
    code = """
import sys, keras, numpy as np
for name in sys.argv[1:]:
    model = keras.models.load_model(name)
    print(model(np.zeros((2, 16, 16, 3), "uint8")).shape, all(type(l).__module__.startswith("keras.") for l in model.layers))
assert not any(name.startswith("rotkeras") for name in sys.modules)
"""
    files = [str(run.model), str(run.path / "encoder.keras"), str(run.path / "encoder-last.keras")]
    lines = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines[0] == "(2, 4) True"
    assert all(line.endswith(" True") for line in lines)


def test_the_model_tells_rotations_as_the_log_says(trained):
    from rotkeras.data import evaluation_pipeline
    from rotkeras.pretext import Rotation
    from rotkeras.training.build import load_source

    _, run = trained
    model = keras.models.load_model(run.model)
    source = load_source(run.load_recipe())
    batches = list(evaluation_pipeline(source.validation, Rotation(), images_per_batch=64))
    right = np.concatenate([np.argmax(model(x), axis=1) == y for x, y in batches])
    assert right.mean() == pytest.approx(read_metrics(run.metrics)[-1]["val_accuracy"], abs=1e-6)


def test_the_seed_makes_the_run(tmp_path, unlabelled, eagerly, quickly):
    losses = []

    class StopAfterAStep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            losses.append(logs["loss"])
            raise KeyboardInterrupt

    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        with pytest.raises(KeyboardInterrupt):
            settings = {**SMALL["train"], "seed": seed}
            run_in_process(
                tmp_path / name, source=unlabelled, callbacks=[StopAfterAStep()], train=settings
            )
    one, same, other = losses
    assert one == same != other


@pytest.mark.parametrize(
    "settings",
    [
        {
            "train": {
                "placement": "resident",
                "steps_per_execution": 3,
                "optimizer": {"name": "adam", "weight_decay_as": "decoupled"},
                "learning_rate": 0.001,
            },
        },
        {
            "task": {"views": "one", "angles": [0, 180]},
            "train": {"precision": "mixed_bfloat16", "label_smoothing": 0.1},
        },
        {
            "task": {"angles": list(range(0, 360, 45))},
            "train": {"precision": "mixed_float16"},
            "encoder": {"tap": "conv3", "pooling": "none"},
        },
    ],
    ids=[
        "resident_adam_executions",
        "one_half_turn_bfloat16_smoothed",
        "eight_angles_float16_probed",
    ],
)
def test_every_way_of_training_trains(tmp_path, settings, unlabelled, quickly):
    section = {
        "epochs": 1,
        "images_per_batch": 16,
        "learning_rate": 0.02,
        **settings.get("train", {}),
    }
    probed = settings["train"].get("precision") == "mixed_float16"
    small = {**SMALL["data"], "train_images": 96}
    content, source = (SMALL, None) if probed else (LEAN, unlabelled)
    summary, run = run_in_process(
        tmp_path / "run", content, source, **{**settings, "train": section, "data": small}
    )
    assert np.isfinite(summary["metrics"]["loss"])
    assert (summary["probes"]["trained"] is not None) == probed
    model = keras.models.load_model(run.model)
    assert model(np.zeros((1, 16, 16, 3), np.uint8)).shape == (
        1,
        len(settings.get("task", {}).get("angles", range(4))),
    )
    if "encoder" in settings:
        encoder = keras.models.load_model(run.path / "encoder.keras")
        assert encoder.output_shape == (None, 4, 4, 8)
        assert encoder.output.dtype == "float32"


def test_a_folder_of_unlabelled_photographs_trains_without_probes(tmp_path, eagerly, quickly):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(24):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(
            tmp_path / "photos" / f"{number}.png"
        )
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    content = {
        **LEAN,
        "data": {"folder": str(tmp_path / "photos"), "image_size": 16},
        "augmentation": [{"name": "random_resized_crop"}],
        "train": {"epochs": 2, "images_per_batch": 8},
    }
    summary, run = run_in_process(tmp_path / "run", content)
    assert summary["probes"]["trained"] is None
    assert summary["encoder"]["best"]["tap"] == "conv2"
    assert [bad["path"] for bad in summary["images"]["skipped"]] == [
        str(tmp_path / "photos" / "broken.jpg")
    ]
    assert (run.path / "encoder.keras").exists()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"train": {"images_per_batch": 5000}},
            "images_per_batch must be from 1 to 320, the number of training images, got 5000;",
        ),
        (
            {"augmentation": [{"name": "random_resized_crop", "size": 24}]},
            "set data.image_size to 24",
        ),
        (
            {
                "augmentation": [
                    {
                        "name": "keras_cv",
                        "layer": "RandomCropAndResize",
                        "arguments": {
                            "target_size": [24, 24],
                            "crop_area_factor": [0.8, 1.0],
                            "aspect_ratio_factor": [1.0, 1.0],
                        },
                    }
                ]
            },
            "set data.image_size to 24",
        ),
        (
            {"encoder": {"tap": "conv5"}},
            "tap must be one of 'conv1', 'conv2', 'conv3', got 'conv5'",
        ),
        ({"train": {"devices": 64, "images_per_batch": 64}}, "train.devices must be at most"),
        (
            {"probe": {"train_images": 1}},
            "probe.train_images must be enough for two classes, got 1",
        ),
    ],
)
def test_settings_that_do_not_fit_say_so(tmp_path, sections, words):
    with pytest.raises(UserError) as error:
        run_in_process(tmp_path / "run", **sections)
    assert words in str(error.value)
    assert not (tmp_path / "run").exists(), (
        "a mistake leaves no run folder that a second try would stumble over"
    )


@pytest.mark.parametrize("images_per_batch", [16, 102])
def test_a_run_that_diverges_stops_and_keeps_no_broken_checkpoint(
    tmp_path, images_per_batch, unlabelled, eagerly, quickly
):
    """With one step an epoch the loss is still finite when the weights are not."""
    settings = {"epochs": 2, "images_per_batch": images_per_batch, "learning_rate": 1e30}
    with pytest.raises(
        UserError,
        match=r"became nan in epoch 1.*, at learning rate 1e\+30\.",
    ):
        run_in_process(tmp_path / "run", train=settings, source=unlabelled)
    assert not (tmp_path / "run" / "checkpoints" / "state.json").exists()
    assert not (tmp_path / "run" / "encoder.keras").exists()


def test_overwrite_deletes_nothing_before_the_new_run_can_begin(tmp_path, trained):
    _, finished = trained
    run = Run(tmp_path / "run")
    shutil.copytree(finished.path, run.path)
    wrong = recipe.validate({**SMALL, "data": {"folder": str(tmp_path / "nowhere")}}, "test")
    run.check(wrong, overwrite=True)
    with pytest.raises(UserError, match="does not exist"):
        train(wrong, run)
    assert run.load_summary()["epochs"] == 4
    assert run.load_recipe() == finished.load_recipe()


def test_a_folder_in_which_another_process_trains_is_left_alone(tmp_path):
    from rotkeras.files import one_writer

    made = recipe.validate(LEAN, "test")
    run = Run(tmp_path / "runs" / "small")
    run.check(made)
    run.path.parent.mkdir()
    with (
        one_writer(run.path),
        pytest.raises(UserError, match="small is being written by another process"),
    ):
        train(made, run)
    assert not run.path.exists()
    assert not list(run.path.parent.iterdir())  # the lock goes with its holder


def test_a_resumed_training_compares_its_images(tmp_path, eagerly, quickly):
    """A folder that changed stops it; one that only moved does not, and the recipe follows."""
    for number in range(40):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"photos/{number}.png")

    def made(folder):
        settings = {**LEAN["train"], "epochs": 2}
        data = {"folder": str(tmp_path / folder), "image_size": 16}
        return recipe.validate({**LEAN, "data": data, "train": settings}, "test")

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    run, lines = Run(tmp_path / "run"), []
    run.check(made("photos"))
    with pytest.raises(KeyboardInterrupt):
        train(made("photos"), run, callbacks=[Stop()])
    state = json.loads(run.state.read_text())["images"]
    assert state["fingerprint"]["train"]["images"] == 36
    assert state["location"] == {"folder": str(tmp_path / "photos")}

    (tmp_path / "photos").rename(tmp_path / "moved")
    shutil.copy(tmp_path / "moved/3.png", tmp_path / "moved/new.png")
    run.check(made("moved"), resume=True)
    with pytest.raises(UserError, match="36 training images then, 37 now; new: 'new.png'"):
        train(made("moved"), run)
    (tmp_path / "moved/new.png").unlink()
    summary = train(made("moved"), run, tell=lines.append)
    # Two steps are too few for the statistics of batch norm, which is said.
    assert [line[:13] for line in lines] == ["backbone nin:", "note: batch n"]
    assert summary["epochs"] == 2
    assert summary["images"]["record"]["location"] == {"folder": str(tmp_path / "moved")}
    assert summary["images"]["record"]["fingerprint"] == state["fingerprint"]
    assert run.load_recipe() == made("moved")


def test_a_run_of_an_earlier_version_resumes_and_says_that_its_images_cannot_be_compared(
    tmp_path, unlabelled, eagerly, quickly
):
    settings = {**LEAN["train"], "epochs": 2}
    _, run = run_in_process(tmp_path / "run", source=unlabelled, train=settings)
    state = json.loads(run.state.read_text())
    run.summary.unlink()
    run.state.write_text(json.dumps({k: v for k, v in state.items() if k != "images"}))
    lines = []
    run.check(run.load_recipe(), resume=True)
    train(run.load_recipe(), run, unlabelled, tell=lines.append)
    assert lines[0] == (
        "This run was made before images were recorded, so they cannot be compared."
    )


def test_a_keras_cv_layer_is_made_in_a_deterministic_process_that_drew_nothing(monkeypatch):
    from tensorflow.python.ops import stateful_random_ops

    from rotkeras.training import devices
    from rotkeras.training.build import build_augmentation

    devices.make_deterministic()
    monkeypatch.setattr(stateful_random_ops, "global_generator", None)
    layer = {"name": "keras_cv", "layer": "RandomFlip"}
    made = recipe.validate({**SMALL, "augmentation": [layer]}, "test")
    assert len(build_augmentation(made)) == 1
