import json
import re
from dataclasses import replace

import keras
import numpy as np
import pytest

from rotkeras import UserError, data
from rotkeras.backbones import taps
from rotkeras.data import load
from rotkeras.data.fingerprint import sampled_digest, source_fingerprint
from rotkeras.evaluate import Options, evaluate, worth_it
from rotkeras.evaluate.record import Record, result
from rotkeras.probes import extract, ridge
from rotkeras.probes.settings import FAST
from rotkeras.run.folder import Run

CHEAP = Options(probes=("ridge", "knn-5"))


def content_of(run, name="evaluation"):
    return json.loads((run.path / f"{name}.json").read_text())


def test_rows_are_the_probes_and_the_test_part_is_judged_by_them(run, source):
    content = evaluate(run, CHEAP, source)
    assert content == content_of(run)
    assert [(row["tap"], row["probe"], row["mode"]) for row in content["rows"]] == [
        (f"conv{tap}", probe, mode)
        for mode in ("frozen", "random")
        for probe in ("ridge", "knn-5")
        for tap in (1, 2, 3)
    ]
    extractor = taps.extractor(keras.models.load_model(run.model))
    train, validation, test = (
        extract(extractor, part) for part in (source.train, source.validation, source.test)
    )
    row = content["rows"][1]
    probe = ridge(train["conv2"], source.train.labels)
    assert row["validation"]["accuracy"] == probe.accuracy(
        validation["conv2"], source.validation.labels
    )
    # the test set is read through the classifier on disk: the same scores in float32
    assert row["test"]["accuracy"] == pytest.approx(
        probe.accuracy(test["conv2"], source.test.labels), abs=0.003
    )
    confusion = np.array(row["test"]["confusion"])
    assert confusion.sum() == len(source.test) == content["images"]["test"]
    assert (
        len({file.name for file in (run.path / "evaluation").iterdir()}) == 2
    )  # ridge, trained and untrained
    assert np.trace(confusion) / confusion.sum() == pytest.approx(row["test"]["accuracy"])
    assert row["seconds"] >= 0
    assert row["peak_memory_mib"] > 100


def test_a_second_call_adds_what_is_missing_and_repeats_nothing(run, source, monkeypatch, eagerly):
    evaluate(run, Options(probes=("ridge",), modes=("frozen",), taps=("conv1",)), source)
    before = content_of(run)
    fitted = []
    content = evaluate(
        run,
        CHEAP,
        source,
        done=lambda unit, rows: fitted.append((unit.probe, unit.mode, unit.taps)),
    )
    assert content["rows"][0] == before["rows"][0]
    assert fitted == [
        ("ridge", "frozen", ("conv2", "conv3")),
        ("knn-5", "frozen", ("conv1", "conv2", "conv3")),
        ("ridge", "random", ("conv1", "conv2", "conv3")),
        ("knn-5", "random", ("conv1", "conv2", "conv3")),
    ]
    assert [read["rows"] for read in content["test_reads"]] == [1, 11]
    monkeypatch.setattr(
        "rotkeras.evaluate.evaluation.fit", lambda *_, **__: pytest.fail("fitted again")
    )
    written = (run.path / "evaluation.json").stat().st_mtime_ns
    assert evaluate(run, CHEAP, source) == content
    assert (run.path / "evaluation.json").stat().st_mtime_ns == written


def test_the_test_set_is_read_for_the_rows_that_are_chosen_alone(run, source, eagerly):
    def of_second_tap(rows):
        assert len(rows) == 6
        return [row for row in rows if row["tap"] == "conv2"]

    options = Options(probes=("ridge", "knn-5"), modes=("frozen",))
    for _ in range(2):  # a row that has its result keeps it
        content = evaluate(run, options, source, test_rows=of_second_tap)
        assert [row["tap"] for row in content["rows"] if row["test"]] == ["conv2", "conv2"]
        assert [each["rows"] for each in content["test_reads"]] == [2]
    assert len(evaluate(run, options, source)["test_reads"]) == 2


def test_an_interruption_keeps_finished_rows_and_leaves_the_test_part_unread(run, source, eagerly):
    class StoppedError(Exception):
        pass

    def stop(unit, rows):
        if unit.mode == "random":
            raise StoppedError

    unread = data.Source(
        source.name,
        source.train,
        source.validation,
        [],
        lambda: pytest.fail("the test set was read"),
    )
    with pytest.raises(StoppedError):
        evaluate(run, CHEAP, unread, done=stop)
    rows = content_of(run)["rows"]
    assert len(rows) == 9
    assert all(row["test"] is None for row in rows)
    content = evaluate(run, CHEAP, source)
    assert content["test_reads"][0]["rows"] == 12
    assert all(row["test"] for row in content["rows"])


def test_worth_it_finds_the_rows_it_asks_for_and_a_backbone_that_trains_moves_but_the_run_does_not(
    run, source, monkeypatch, eagerly
):
    tiny = {
        name: replace(settings, epochs=1, at_epochs=(), epoch_images=32)
        for name, settings in FAST.items()
    }
    monkeypatch.setattr("rotkeras.probes.settings.BUDGETS", {"fast": tiny})
    before = run.model.read_bytes()
    tuned = Options(
        probes=("linear",),
        modes=("fine_tuned",),
        taps=("conv1",),
        labels_per_class=(2,),
        draw="seeded",
    )
    content = evaluate(run, [*worth_it.options((2,), 1, "fast", "conv1"), tuned], source)
    assert run.model.read_bytes() == before
    assert len(content["test_reads"]) == 1
    compared = worth_it.compare(content, (2,), 1, "fast", "conv1", 1.0)
    assert set(compared["counts"][2]["methods"]) == {"scratch", "conv", "ridge"}
    assert compared["images"] == len(source.test)
    assert compared["counts"][2]["gain_margin"] > 0

    trained = keras.models.load_model(run.model).get_layer("block1_conv").get_weights()[0]
    moved = {}
    for row in content["rows"]:
        assert (row["labels_per_class"], row["draw"], row["budget"]) == (
            2,
            "seeded",
            "fast" if row["epochs"] else "closed form",
        )
        model = keras.models.load_model(
            run.path / "evaluation" / row["classifier"]
        )  # stock layers: no rotkeras needed
        moved[row["mode"], row["probe"]] = np.abs(
            model.get_layer("block1_conv").get_weights()[0] - trained
        ).max()
        if row["mode"] == "scratch":
            scores = model.predict(source.test.take(slice(None)), verbose=0)["conv1"]
            assert row["test"]["accuracy"] == pytest.approx(
                np.mean(scores.argmax(axis=1) == source.test.labels)
            )
            assert (row["epoch"], row["epochs"]) == (1, 1)
    assert moved["frozen", "conv"] == moved["frozen", "ridge"] == 0
    assert 0 < moved["fine_tuned", "linear"] < moved["scratch", "conv"]


def test_confusion_and_per_class_by_hand():
    labels, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    assert result(labels, predicted, ("a", "b", "never")) == {
        "accuracy": 0.6,
        "per_class": {"a": 0.5, "b": 2 / 3, "never": None},
        "confusion": [[1, 1, 0], [1, 2, 0], [0, 0, 0]],
    }


def test_every_mistake_is_one_sentence_and_nothing_is_written(run, source, tmp_path):
    def refused(match, images=source, options=CHEAP, where=run):
        with pytest.raises(UserError, match=match):
            evaluate(where, options, images)

    refused(
        r"does not exist\. Give a folder that `rotkeras train` wrote, such as runs/quickstart\.",
        where=Run(tmp_path / "none"),
    )
    refused(
        r"is not a run folder\. Give a folder that `rotkeras train` wrote, such as runs/quickstart\.",
        where=Run(tmp_path),
    )
    refused(
        "must be one of 'conv1', 'conv2', 'conv3', got 'conv9'",
        options=Options(probes=("ridge",), taps=("conv9",)),
    )
    refused(
        "labels_per_class must be from 1 to 33, the training images of class '0', got 5000;",
        options=Options(labels_per_class=(5000,)),
    )
    pixels, labels = source.train.take(slice(None)), source.train.labels
    refused("the images of arrays have none; evaluate on labelled", data.load(pixels))
    refused("at least two classes", data.load((pixels, labels * 0)))
    refused("needs labelled validation images", data.load((pixels, labels), validation_fraction=0))
    refused("takes images of 16×16, and those of digits are 8×8", data.load("digits"))
    assert not (run.path / "evaluation.json").exists()
    assert not (run.path / "evaluation").exists()
    run.model.write_bytes(b"no model")
    refused("could not be loaded")
    run.model.unlink()
    refused(
        r"is not finished: it has no model\.keras\. Wait while it trains, or resume it with: rotkeras train"
    )


NETWORK = {"file": "model.keras", "sha256": "a"}


def images_of(source):
    """What an evaluation records of its images."""
    return {
        "source": source.name,
        "train": len(source.train),
        "validation": len(source.validation),
        "fingerprint": source_fingerprint(source),
    }


def noise(count=20, seed=0, labels=(0, 1)):
    """Small labelled images."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)
    return load((pixels, np.resize(labels, count)), validation_fraction=0.2)


IMAGES = images_of(noise())


def row(**more):
    made = {
        "tap": "conv1",
        "probe": "conv",
        "mode": "frozen",
        "labels_per_class": "all",
        "draw": "all",
        "seed": 0,
        "budget": "fast",
    }
    return {**made, "settings": {"epochs": 10}, "test": None, "classifier": "x.keras", **more}


def test_rows_of_another_network_or_other_images_are_not_mixed(tmp_path):
    path = tmp_path / "evaluation.json"
    Record(path, NETWORK, IMAGES).add([row()])
    assert Record(path, NETWORK, IMAGES).rows == [row()]
    with pytest.raises(UserError, match="holds an evaluation of another network than model.keras"):
        Record(path, {**NETWORK, "sha256": "b"}, IMAGES)
    for other, words in (
        (noise(25), "16 training images then, 20 now (arrays)"),
        (noise(seed=1), "the same number of training images, but other pixels"),
        (noise(labels=(1, 0)), "the same number of training images, but other labels"),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            Record(path, NETWORK, images_of(other))
    moved = Record(path, NETWORK, {**IMAGES, "source": "the same in a folder of another name"})
    assert moved.rows == [row()]
    for broken in (
        "{}",
        "[]",
        "{",
        json.dumps({"network": NETWORK, "images": IMAGES, "rows": [{"tap": "conv1"}]}),
    ):
        path.write_text(broken)
        with pytest.raises(UserError, match="could not be read as an evaluation"):
            Record(path, NETWORK, IMAGES)


def test_a_row_of_other_settings_is_replaced_and_never_taken_for_ours(tmp_path):
    record = Record(tmp_path / "evaluation.json", NETWORK, IMAGES)
    record.add([row(), row(tap="conv2")])
    assert record.find(row()) == row()
    assert record.find(row(settings={"epochs": 20})) is None
    record.add([row(settings={"epochs": 20})])
    assert record.rows == [row(tap="conv2"), row(settings={"epochs": 20})]


def test_another_test_part_is_refused(tmp_path):
    record = Record(tmp_path / "evaluation.json", NETWORK, IMAGES)
    test, other = noise(50).train, noise(50, seed=1).train
    record.begin_test(3, test)
    record.begin_test(1, test)
    assert [read["rows"] for read in record.content["test_reads"]] == [3, 1]
    with pytest.raises(UserError, match="The test images have changed .* but other pixels"):
        record.begin_test(1, other)


def test_an_evaluation_of_an_earlier_version_goes_on_with_its_images_alone(tmp_path):
    path, source = tmp_path / "evaluation.json", noise()
    earlier = f"{sampled_digest(source.train)}-{sampled_digest(source.validation)}"
    old = {**IMAGES, "fingerprint": earlier, "test_fingerprint": sampled_digest(source.train)}
    record = Record(path, NETWORK, old)
    record.add([row()])
    with pytest.raises(UserError, match="other images or labels"):
        Record(path, NETWORK, images_of(noise(seed=1)), "another")
    with pytest.raises(UserError, match="The test images have changed"):
        Record(path, NETWORK, IMAGES, earlier).begin_test(1, source.validation)
    Record(path, NETWORK, IMAGES, earlier).begin_test(1, source.train)
    content = Record(path, NETWORK, IMAGES, "no longer needed").content
    assert content["images"]["fingerprint"] == IMAGES["fingerprint"]
    assert content["images"]["test_fingerprint"] == source.train.fingerprint().content


def test_a_lost_classifier_is_fitted_again_and_rows_that_wait_are_judged_by_the_next_call(
    run, source, eagerly
):
    def stop(unit, rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(
            run, Options(probes=("ridge",), modes=("frozen",), taps=("conv1",)), source, done=stop
        )
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            run, Options(probes=("knn-3",), modes=("frozen",), taps=("conv1",)), source, done=stop
        )
    assert [row["test"] for row in content_of(run)["rows"]] == [None, None]
    for classifier in (run.path / "evaluation").glob("*.keras"):
        classifier.unlink()
    content = evaluate(run, Options(probes=("ridge",), modes=("frozen",), taps=("conv1",)), source)
    assert sorted((row["probe"], row["test"] is None) for row in content["rows"]) == [
        ("knn-3", False),
        ("ridge", False),
    ]


def test_images_of_a_class_that_training_has_not_are_left_out_and_named(run, source, eagerly):
    train, validation = (
        part.part(np.flatnonzero(part.labels < 9)) for part in (source.train, source.validation)
    )
    names = tuple("012345678")
    train, validation = (
        data.Images(each.array, each.rows, each.labels, names) for each in (train, validation)
    )
    images = data.Source("nine", train, validation, [], lambda: source.test)
    options, lines = Options(probes=("ridge",), modes=("frozen",), taps=("conv1",)), []
    content = evaluate(run, options, images, tell=lines.append)
    nines = int((source.test.labels == 9).sum())
    line = f"class '9' has no training image: its {nines} test images are left out of the probes"
    assert line in lines
    assert content["images"]["test"] == len(source.test) - nines
    row = content["rows"][0]["test"]
    assert "9" not in row["per_class"]
    predicted = np.array(row["confusion"])
    assert predicted.sum() == len(source.test) - nines
    assert row["accuracy"] == pytest.approx(predicted.trace() / predicted.sum())
    images = data.Source("nine", train, source.validation, [], lambda: None)
    content = evaluate(run, options, images, tell=lines.append, name="without-nines")
    left = int((source.validation.labels == 9).sum())
    assert f"its {left} validation images are left out of the probes" in lines[-1]
    assert content["images"]["validation"] == len(source.validation) - left
    again = np.array(content["rows"][0]["validation"]["confusion"])
    assert again.sum() == content["images"]["validation"]
    unlabelled = data.Source(
        "nine", train, validation, [], lambda: data.load(source.test.take(slice(None))).train
    )
    content = evaluate(
        run,
        options,
        unlabelled,
        name="other",
    )
    assert content["test_part"] == "without labels"
    assert content["rows"][0]["test"] is None


def test_two_evaluations_of_one_run_do_not_write_over_each_other(run, source):
    from rotkeras.files import one_writer

    with (
        one_writer(run.path / "evaluation.json"),
        pytest.raises(UserError, match="is being written by another process"),
    ):
        evaluate(run, CHEAP, source)
    assert not (run.path / "evaluation.json").exists()
