"""The smaller callbacks, each in a real `fit` of a small model."""

import io
import json
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from rich.console import Console
from small_training import three_taps

from rotkeras import UserError
from rotkeras.pretext import Rotation
from rotkeras.text import clock
from rotkeras.training.callbacks import (
    EncoderCheckpoint,
    MetricsLog,
    ProbeAccuracy,
    Progress,
    RunCheckpoint,
    StopOnBadLoss,
    Throughput,
)
from rotkeras.training.callbacks.metrics_log import read_metrics
from rotkeras.training.callbacks.progress import epoch_line
from rotkeras.training.callbacks.run_checkpoint import restore

X = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), dtype=np.uint8)
Y = np.arange(32) % 4


class Inject(keras.callbacks.Callback):
    """Put given values into the logs of each epoch, or run a function."""

    def __init__(self, logs=(), batch_end=None):
        super().__init__()
        self.logs, self.batch_end = logs, batch_end

    def on_epoch_end(self, epoch, logs=None):
        if epoch < len(self.logs):
            logs.update(self.logs[epoch])

    def on_train_batch_end(self, batch, logs=None):
        if self.batch_end:
            self.batch_end(batch)


def compiled(backbone):
    model = Rotation().build_model(backbone)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9), Rotation().loss(), metrics=Rotation().metrics()
    )
    model.optimizer.build(
        model.trainable_variables
    )  # else Keras does so in the first step, and traces it twice
    return model


def fit(model, callbacks, epochs=1, **arguments):
    """Fit a compiled model, or one made of a backbone; the model."""
    model = model if model.compiled else compiled(model)
    model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks, **arguments)
    return model


def test_metrics_log_has_a_row_per_epoch_and_replaces_repeated_ones(tmp_path, quick_backbone):
    path = tmp_path / "run" / "metrics.jsonl"
    log = MetricsLog(path)
    model = fit(quick_backbone, [log], epochs=3, validation_data=(X, Y))
    rows = read_metrics(path)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "learning_rate",
        "accuracy/90",
        "val_accuracy/270",
    } <= rows[0].keys()
    assert rows[0]["learning_rate"] == pytest.approx(0.01)
    fit(model, [MetricsLog(path)], epochs=4, initial_epoch=1)
    again = read_metrics(path)
    assert [row["epoch"] for row in again] == [1, 2, 3, 4]
    assert again[0] == rows[0]
    assert again[1] != rows[1]
    assert list(path.parent.iterdir()) == [path]


def test_metrics_log_writes_null_for_what_is_not_finite(tmp_path, quick_backbone):
    fit(
        quick_backbone,
        [Inject([{"odd": float("nan"), "far": float("inf")}]), MetricsLog(tmp_path / "m.jsonl")],
    )
    row = json.loads((tmp_path / "m.jsonl").read_text(), parse_constant=pytest.fail)
    assert row["odd"] is None
    assert row["far"] is None


def test_throughput_leaves_out_the_first_execution_and_counts_views(quick_backbone):
    seen = {}

    class Clock:
        seconds = 0.0

    def wait(batch):
        time.sleep(0.5 if batch == 0 else 0.05)
        Clock.seconds += 0.02

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.update(logs)

    fit(quick_backbone, [Inject(batch_end=wait), Throughput(32, Clock()), Keep()])
    # three steps of 32 views in at least 0.15 s; with the slow first one it would be under 200
    assert 3 * 32 / 2 < seen["views_per_second"] < 3 * 32 / 0.15
    assert 0 < seen["input_wait"] <= 0.06 / 0.15


def test_throughput_says_once_by_how_much_the_first_execution_took_longer(monkeypatch):
    now, clock = [0.0], SimpleNamespace(seconds=0.0)
    monkeypatch.setattr("rotkeras.training.callbacks.throughput.time.perf_counter", lambda: now[0])
    throughput = Throughput(32, clock)
    throughput.set_params({"steps": 2})
    found = []
    for steps in (
        ((5.0, 1.5), (0.5, 0.25)),
        ((9.0, 0.0), (0.5, 0.0)),
    ):  # seconds of each execution, and of waiting in it
        throughput.on_epoch_begin(len(found))
        for number, (seconds, waited) in enumerate(steps):
            throughput.on_train_batch_begin(number)
            now[0] += seconds
            clock.seconds += waited
            throughput.on_train_batch_end(number)
        found.append(logs := {})
        throughput.on_epoch_end(len(found), logs)
    assert found[0]["compile_seconds"] == (5.0 - 1.5) - (0.5 - 0.25)
    assert "compile_seconds" not in found[1]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_loss_stops_with_words_that_help(quick_backbone, bad):
    model = Rotation().build_model(quick_backbone)
    model.compile(keras.optimizers.SGD(0.5), lambda y, p: keras.ops.mean(p) * 0 + bad)
    with pytest.raises(
        UserError,
        match=(r"became (nan|inf) in epoch 1, step 1, at learning rate 0\.5\."),
    ):
        model.fit(X, Y, batch_size=8, verbose=0, callbacks=[StopOnBadLoss()])


def probed(conv1, conv2):
    return {"probe/conv1/ridge": conv1, "probe/conv2/ridge": conv2, "probe/conv3/ridge": 0.1}


def test_the_best_encoder_is_that_of_the_best_probe_and_the_last_that_of_the_last_epoch(
    tmp_path, quick_backbone
):
    checkpoint = EncoderCheckpoint(tmp_path)
    logs = Inject([{}, probed(0.5, 0.6), probed(0.7, 0.4), probed(0.6, 0.65)])
    model = fit(quick_backbone, [logs, checkpoint], epochs=4, validation_data=(X, Y))
    assert checkpoint.best == {"epoch": 3, "tap": "conv1", "measure": "ridge probe", "value": 0.7}
    assert checkpoint.last == {"epoch": 4, "tap": "conv2", "measure": "ridge probe", "value": 0.65}
    best, last = (
        keras.models.load_model(tmp_path / name) for name in ("encoder.keras", "encoder-last.keras")
    )
    assert (best.output_shape, last.output_shape) == ((None, 4), (None, 8))
    maps = keras.Model(model.input, model.get_layer("conv2").output)(X[:2])
    np.testing.assert_allclose(last(X[:2]), np.mean(maps, axis=(1, 2)), rtol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "encoder-last.keras",
        "encoder.keras",
    ]


def test_without_probes_rotation_accuracy_chooses_and_the_second_tap_is_cut(
    tmp_path, quick_backbone
):
    checkpoint = EncoderCheckpoint(tmp_path, pooling="none")
    logs = Inject([{"val_accuracy": v} for v in (0.5, 0.9, 0.7)])
    model = fit(quick_backbone, [logs, checkpoint], epochs=3)
    assert checkpoint.best == {
        "epoch": 2,
        "tap": "conv2",
        "measure": "accuracy",
        "value": 0.9,
    }
    assert keras.models.load_model(tmp_path / "encoder.keras").output_shape == (None, 4, 4, 8)
    checkpoint = EncoderCheckpoint(tmp_path)
    fit(model, [checkpoint], epochs=2)
    assert checkpoint.best["epoch"] == 2


def test_among_taps_that_do_not_differ_significantly_the_second_is_taken(
    tmp_path, quick_backbone, digit_source
):
    probing = ProbeAccuracy(digit_source, train_images=50)
    images = np.arange(18)
    probing.correct = {f"conv{at}": {"ridge": images < n} for at, n in ((1, 12), (2, 11), (3, 9))}
    logs = {f"probe/{tap}/ridge": each["ridge"].mean() for tap, each in probing.correct.items()}
    checkpoint = EncoderCheckpoint(tmp_path, probe_accuracy=probing)
    fit(quick_backbone, [Inject([logs]), checkpoint])
    assert checkpoint.best == {
        "epoch": 1,
        "tap": "conv2",
        "measure": "ridge probe",
        "value": 11 / 18,
        "images": 18,
        "rivals": ["conv1", "conv2", "conv3"],
        "arbitrary": True,
        "by": "default",
    }
    json.dumps(checkpoint.best)
    probing.correct["conv1"]["ridge"] = images >= 0
    logs["probe/conv1/ridge"] = 1.0
    checkpoint = EncoderCheckpoint(tmp_path, probe_accuracy=probing)
    fit(quick_backbone, [Inject([logs]), checkpoint])
    assert (checkpoint.best["tap"], checkpoint.best["rivals"]) == ("conv1", ["conv1"])


def test_a_tap_that_is_not_there_stops_before_the_first_step(tmp_path, quick_backbone):
    with pytest.raises(UserError, match="got 'conv7'"):
        fit(quick_backbone, [EncoderCheckpoint(tmp_path, tap="conv7")])
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_brings_back_weights_optimizer_and_state_bit_for_bit(tmp_path, quick_backbone):
    model = fit(quick_backbone, [RunCheckpoint(tmp_path, lambda: {"note": 7})], epochs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-0002.weights.h5",
        "state.json",
    ]
    twin = Rotation().build_model(keras.models.clone_model(quick_backbone))
    twin.compile(keras.optimizers.SGD(0.01, momentum=0.9), Rotation().loss())
    assert restore(tmp_path, twin) == {"epoch": 2, "weights": "epoch-0002.weights.h5", "note": 7}
    for mine, theirs in (
        (model.variables, twin.variables),
        (model.optimizer.variables, twin.optimizer.variables),
    ):
        pairs = [(a, b) for a, b in zip(mine, theirs, strict=True)]
        assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)
    assert int(twin.optimizer.iterations) == 8
    assert any(np.any(v.numpy()) for v in twin.optimizer.variables[2:]), (
        "momentum came back as nothing"
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_checkpoint_of_mixed_precision_and_adam_comes_back_whole(tmp_path, policy):
    from rotkeras.training.devices import precision

    def build():
        with precision(policy):
            model = Rotation().build_model(three_taps())
            model.compile(keras.optimizers.Adam(0.01), Rotation().loss())
        return model

    model, twin = build(), build()
    assert ("LossScale" in type(model.optimizer).__name__) == (policy == "mixed_float16")
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[RunCheckpoint(tmp_path)])
    twin.optimizer.build(twin.trainable_variables)  # as a training does before it restores
    restore(tmp_path, twin)
    for fitted in (model, twin):
        fitted.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert all(
        np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights(), strict=True)
    )
    states = [[np.asarray(v) for v in each.optimizer.variables] for each in (model, twin)]
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))


def test_nothing_saved_is_none_and_a_damaged_checkpoint_says_so(tmp_path, quick_backbone):
    model = compiled(quick_backbone)
    assert restore(tmp_path, model) is None
    fit(model, [RunCheckpoint(tmp_path)])
    (tmp_path / "epoch-0001.weights.h5").write_bytes(b"half")
    with pytest.raises(
        UserError,
        match=r"could not be read \(Unable to synchronously open file \(file signature not found\)\)\.",
    ):
        restore(tmp_path, model)


def test_progress_prints_plain_lines_off_a_terminal(quick_backbone):
    file = io.StringIO()
    fit(quick_backbone, [Progress(Console(file=file, width=200))], epochs=2)
    lines = file.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss ")
    assert lines[0].endswith(" left")
    assert lines[1].endswith(" of training")
    assert "\x1b" not in file.getvalue()


def test_progress_on_a_terminal_shows_a_bar_with_the_time_left(quick_backbone):
    file = io.StringIO()
    fit(quick_backbone, [Progress(Console(file=file, width=100, force_terminal=True))], epochs=2)
    assert "left" in file.getvalue()
    assert "epoch 2/2" in file.getvalue()


def test_times_and_lines():
    assert [clock(s) for s in (0, 61, 3725)] == ["0:00", "1:01", "1:02:05"]
    logs = {
        "loss": 0.5,
        "accuracy": 0.75,
        "val_accuracy": 0.7,
        "views_per_second": 1234.5,
        **probed(0.3, 0.8),
    }
    line = epoch_line(3, 10, logs, "0:10 left", Rotation().monitor)
    assert (
        line
        == "epoch  3/10  loss 0.500  rotation 75.0 % (validation 70.0 %)  ridge probe conv2 80.0 % "
        " 1,234 views/s  0:10 left"
    )
