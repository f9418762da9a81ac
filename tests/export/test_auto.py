import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from small_training import three_taps

from rotkeras.cli import main
from rotkeras.data import Source
from rotkeras.export import export
from rotkeras.export.auto import candidates, recommend
from rotkeras.export.profiles import PROFILES
from rotkeras.export.verify import time_together
from rotkeras.recipe import Export


def record(profile, size, milliseconds, cosine, drop=0.0, margin=0.2, chance=0.5):
    drops = {"ridge": {"drop": drop, "margin": margin, "chance": chance, "images": 5000}}
    return {
        "profile": profile,
        "bytes": size,
        "milliseconds": milliseconds,
        "agreement": {"cosine": cosine},
        "drops": drops,
    }


RECORDS = {
    each["profile"]: each
    for each in (
        record("float32", 1000, 2.0, 1.0),
        record("float16", 510, 2.0, 0.99999),
        record("dynamic", 300, 1.7, 0.999, drop=0.1, margin=0.5),
        record("mixed", 330, 1.0, 0.997, drop=0.4, margin=0.9),
        record("int8", 296, 4.0, 0.98, drop=0.6, margin=0.9),
    )
}


@pytest.mark.parametrize(
    ("aim", "max_drop", "profile", "losing", "undecided"),
    [
        # int8 is the smallest and loses 0.6
        ("size", 0.5, "dynamic", ("int8",), ()),
        # within 2 % of int8 the one that agrees better
        ("size", 1.0, "dynamic", (), ()),
        ("speed", 0.5, "mixed", ("int8",), ()),
        ("speed", 0.3, "dynamic", ("mixed", "int8"), ()),
        ("accuracy", 0.5, "float16", ("int8",), ("dynamic", "mixed")),
        ("accuracy", 0.6, "dynamic", (), ("mixed", "int8")),
        # nothing can be excluded: the file that computes as Keras does
        (
            "accuracy",
            0.1,
            "float32",
            ("mixed", "int8"),
            ("float16", "dynamic"),
        ),
    ],
)
def test_what_is_recommended(aim, max_drop, profile, losing, undecided):
    found = recommend(RECORDS, aim, max_drop)
    assert (found.profile, found.losing, found.undecided) == (profile, losing, undecided)


def test_the_reason_has_the_figures():
    assert recommend(RECORDS, "speed", 0.5).why == (
        "0.33 of the size of float32, 0.50 of its time, drop ridge +0.4 ± 0.9 points"
    )


def test_of_files_as_fast_as_each_other_the_more_exact_is_taken():
    def fastest(milliseconds):
        int8 = record("int8", 296, milliseconds, 0.98, drop=0.4, margin=0.9)
        return recommend({**RECORDS, "int8": int8}, "speed", 0.5).profile

    assert (fastest(0.95), fastest(0.8)) == ("mixed", "int8")


def test_a_file_that_takes_many_times_as_long_is_not_taken():
    slow = record("int16x8", 250, 6.1, 1.0)
    assert recommend({**RECORDS, "int16x8": slow}, "size", 0.5).profile == "dynamic"
    assert recommend(
        {**RECORDS, "int16x8": {**slow, "milliseconds": 6.0}}, "size", 0.5
    ).profile == ("int16x8")


def test_candidates_and_those_that_are_left_out():
    def names(**settings):
        chosen, left_out = candidates(Export(**settings), 150)
        return [each.name for each in chosen], left_out

    assert names(profiles=["float32", "int8"]) == ([], {})
    every = ["float32", "float16", "dynamic", "mixed", "int16x8", "int8"]
    assert names(profiles=["auto"], calibration_images=150) == (every, {})
    chosen, left_out = names(profiles=["auto"])
    assert chosen == every[:3]
    assert left_out == dict.fromkeys(
        every[3:], "calibrated on 200 training images, and 150 are free"
    )
    chosen, left_out = names(profiles=["auto"], calibration_images=150, l2_normalization=True)
    assert chosen == every[:5]
    assert left_out == {"int8": "int8 rounds the square root of l2_normalization"}


@pytest.fixture(scope="module")
def source(digit_source):
    return Source("digits", digit_source.train.draw(300), digit_source.validation.draw(60))


@pytest.fixture(scope="module")
def done(source, tmp_path_factory):
    keras.utils.set_random_seed(0)
    settings = Export(
        profiles=["float16", "auto"], saved_model=False, tap="conv2", max_drop=5, aim="size"
    )
    return export(three_taps(), source, tmp_path_factory.mktemp("auto") / "export", settings)


def test_the_recommended_file_is_kept_and_all_are_in_the_proof(done):
    found = done.proof["candidates"]
    records = {each["profile"]: each for each in found["records"]}
    assert list(records) == ["float32", "float16", "dynamic", "mixed", "int16x8", "int8"]
    kept = {"float16", found["recommended"]}
    assert {each["profile"] for each in done.proof["files"].values()} == kept
    assert {path.name for path in done.folder.glob("*.tflite")} == {
        f"encoder-{name}.tflite" for name in kept
    }
    assert json.loads((done.folder / "verify.json").read_text())["candidates"] == found
    assert found["recommended"] == recommend(records, "size", 5).profile
    for name, least in (("float32", 0.99999), ("dynamic", 0.99), ("mixed", 0.99), ("int8", 0.99)):
        assert records[name]["agreement"]["cosine"] > least
    card = (done.folder / "model_card.md").read_text()
    assert f"recommended: {found['recommended']} (" in card
    assert f"| {found['recommended']} * |" in card
    golden = json.loads((done.folder / "golden" / "golden.json").read_text())
    assert set(golden["answers"]) == {f"encoder-{name}.tflite" for name in kept}


def test_a_candidate_that_cannot_be_made_is_left_out_by_name(source, tmp_path, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr("rotkeras.export.per_operator.quantize", broken)
    settings = Export(profiles=["auto"], saved_model=False, tap="conv2", max_drop=100)
    found = export(three_taps(), source, tmp_path / "export", settings).proof["candidates"]
    assert [each["profile"] for each in found["records"]] == ["float32", "float16", "int8"]
    assert found["left_out"]["mixed"].startswith(
        "litert-quantizer could not make the profile mixed (no such kernel). Use another profile"
    )


def test_files_are_timed_in_turns(done, source):
    kept = {each["profile"]: PROFILES[each["profile"]] for each in done.proof["files"].values()}
    reference = SimpleNamespace(images=source.validation.take(slice(None)), examples=None)
    times = time_together(done.folder, kept, reference)
    assert set(times) == set(kept)
    assert all(0 < each < 1000 for each in times.values())


def test_the_command_shows_the_table_and_the_reason(exported_run, tmp_path):
    arguments = ["--profile", "auto", "--aim", "speed", "--no-saved-model", "--max-drop", "50"]
    result = CliRunner().invoke(
        main, ["export", str(exported_run.path), "-o", str(tmp_path / "out"), *arguments]
    )
    assert result.exit_code == 0, result.output
    assert "* recommended for speed: " in result.output
    assert "of the size of float32" in result.output
    assert "rotkeras benchmark FILE on the device itself" in " ".join(result.output.split())
    for name in ("float32", "dynamic", "mixed", "int16x8"):
        assert name in result.output
    assert len([*(tmp_path / "out").glob("*.tflite")]) == 1
    alone = CliRunner().invoke(main, ["export", str(exported_run.path), "--aim", "speed"])
    assert alone.exit_code == 2
    assert "--aim says what --profile auto takes, got --aim speed without it" in alone.output
    wrong = CliRunner().invoke(main, ["export", str(exported_run.path), "--aim", "beauty"])
    assert wrong.exit_code == 2
    assert "'beauty' is not one of 'size', 'speed', 'accuracy'" in wrong.output


def test_numbers_of_a_table_are_of_the_records(done):
    from rotkeras.export.card import comparison

    headings, rows = comparison(done.proof)
    assert headings[:6] == ["profile", "size", "ratio", "ms", "ratio", "cosine"]
    found = done.proof["candidates"]["records"]
    for row, each in zip(rows, found, strict=True):
        assert row[0].removesuffix(" *") == each["profile"]
        np.testing.assert_allclose(float(row[2]), each["bytes"] / found[0]["bytes"], atol=0.005)


def test_a_candidate_that_cannot_be_run_is_left_out_too(source, tmp_path, monkeypatch):
    from rotkeras import UserError
    from rotkeras.export import write

    verify = write.verify_file

    def broken(path, kind, *arguments):
        if kind.name == "int16x8":
            raise UserError("it cannot be opened")
        return verify(path, kind, *arguments)

    monkeypatch.setattr(write, "verify_file", broken)
    settings = Export(profiles=["auto"], saved_model=False, tap="conv2", max_drop=100)
    done = export(three_taps(), source, tmp_path / "export", settings)
    assert done.proof["candidates"]["left_out"] == {"int16x8": "it cannot be opened"}
    assert not (done.folder / "encoder-int16x8.tflite").exists()


@pytest.mark.parametrize(("aim", "kept"), [("speed", {"mixed"}), ("size", {"dynamic", "int8"})])
def test_the_aim_and_the_times_of_the_turns_decide(source, tmp_path, monkeypatch, aim, kept):
    from rotkeras.export import write

    times = {"float32": 9.0, "float16": 8.0, "dynamic": 7.0, "mixed": 1.0, "int16x8": 6, "int8": 5}
    given = {}

    def told(_folder, kinds, _reference):
        given.update(kinds)
        return {name: times.get(name, 3.0) for name in kinds}

    monkeypatch.setattr(write, "time_together", told)
    settings = Export(
        profiles=["auto", "learner"], saved_model=False, tap="conv2", max_drop=100, aim=aim
    )
    found = export(three_taps(), source, tmp_path / "export", settings).proof
    assert found["candidates"]["recommended"] in kept
    # All files of the table are timed in one way, those that auto does not compare too.
    assert set(given) == {*times, "learner"}
    shown = {each["profile"]: each["milliseconds"] for each in found["candidates"]["records"]}
    assert shown == times
    assert found["files"]["learner.tflite"]["milliseconds"] == 3.0


def test_max_drop_decides(source, tmp_path, monkeypatch):
    from rotkeras.export import write

    verify = write.verify_file

    def lossy(path, kind, *arguments):
        record = verify(path, kind, *arguments)
        if kind.name != "float32":
            for drop in record["drops"].values():
                drop["drop"] = 2.0
        return record

    monkeypatch.setattr(write, "verify_file", lossy)
    for most in (3.0, 1.0):
        settings = Export(profiles=["auto"], saved_model=False, tap="conv2", max_drop=most)
        done = export(three_taps(), source, tmp_path / f"{most}", settings)
        assert (done.proof["candidates"]["recommended"] == "float32") == (most == 1.0)
    # The images that set ranges are named where a file that is kept was calibrated.
    assert not (tmp_path / "1.0" / "calibration.json").exists()


def test_of_files_alike_in_size_the_one_that_may_have_lost_least_is_taken():
    alike = {
        "float32": record("float32", 1000, 2.0, 1.0),
        "dynamic": record("dynamic", 300, 1.0, 0.999, drop=0.4, margin=0.9),
        "int8": record("int8", 301, 1.0, 0.98, drop=0.3, margin=0.3),
    }
    assert recommend(alike, "size", 0.5).profile == "int8"
    alike["int8"]["drops"]["ridge"]["drop"] = -2.0  # a gain counts as none
    alike["dynamic"]["drops"]["ridge"] |= {"drop": 0.0, "margin": 0.3}
    assert recommend(alike, "size", 0.5).profile == "dynamic"  # as sure; its cosine decides


def test_where_proof_is_made_on_training_images_calibration_leaves_it_half(source):
    from rotkeras.export.draws import draw

    alone = Source("digits", source.train.draw(250), None)
    settings = Export(profiles=["auto"], verify_images=200)
    drawn = draw(alone, settings, 0)
    assert (drawn.calibration, drawn.spare, len(drawn.held_out)) == (None, 125, 125)
    drawn = draw(alone, Export(profiles=["auto"], calibration_images=120), 0)
    assert len(drawn.calibration) == 120
    assert not set(drawn.calibration.rows) & set(drawn.held_out.rows)


def test_the_table_fits_a_terminal():
    from rich.console import Console

    from rotkeras.cli.export_console import ExportConsole
    from rotkeras.export.card import comparison, predictions

    records = [
        {**each, "bytes": 123_456_789, "milliseconds": 123.45, "agreement": {"cosine": 0.99999}}
        for each in RECORDS.values()
    ]
    drop = {"drop": -10.0, "margin": 10.0}
    for each in records:
        each["drops"] = {"ridge": drop, "knn-20": drop}
    orient = {
        "profile": "orient",
        "bytes": 1e6,
        "milliseconds": 1.0,
        "drops": {"prediction": drop},
    }
    proof = {
        "files": {"orient.tflite": orient},
        "candidates": {"recommended": "float16", "records": records},
    }
    console = Console(record=True, width=200, force_terminal=True)
    shown = ExportConsole(console)
    for headings, rows in (comparison(proof), predictions(proof)):
        console.print(shown._table(headings, rows))
    lines = console.export_text().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert any("orient" in line and "-10.0 ±10.0" in line for line in lines)
