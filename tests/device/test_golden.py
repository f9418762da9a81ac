import json
import shutil

import numpy as np
import pytest

from rotkeras.device.golden import check_golden
from rotkeras.errors import UserError


@pytest.fixture
def copied(exported, tmp_path):
    return shutil.copytree(
        exported, tmp_path / "export", ignore=shutil.ignore_patterns("saved_model")
    )


def test_every_file_answers_as_it_did(exported):
    checks = check_golden(exported)
    assert len(checks) == 10
    assert all(check.passed for check in checks)
    assert {check.file for check in checks} == {each.name for each in exported.glob("*.tflite")}


def test_numbers_are_raw_and_of_the_first_held_out_images(exported):
    record = json.loads((exported / "golden" / "golden.json").read_text())
    images = np.fromfile(exported / "golden" / "images.bin", np.uint8).reshape(
        record["images"]["shape"]
    )
    assert images.shape == (4, 16, 16, 3)
    entry = record["answers"]["encoder-int8.tflite"]
    raw = np.fromfile(exported / "golden" / entry["file"], np.int8).reshape(entry["shape"])
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported / "encoder-int8.tflite"))
    runner = interpreter.get_signature_runner("embed")
    assert (
        np.abs(runner(images=images[:1])["embedding"].astype(int) - raw[:1]).max()
        <= entry["tolerance"]
    )


@pytest.mark.parametrize("kernels", ["BUILTIN_WITHOUT_DEFAULT_DELEGATES", "BUILTIN_REF"])
def test_the_tolerance_covers_other_kernels(exported, kernels):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    record = json.loads((exported / "golden" / "golden.json").read_text())
    images = np.fromfile(exported / "golden" / "images.bin", np.uint8).reshape(
        record["images"]["shape"]
    )
    for name, entry in record["answers"].items():
        interpreter = Interpreter(
            str(exported / name), experimental_op_resolver_type=OpResolverType[kernels]
        )
        run = interpreter.get_signature_runner(entry["signature"])
        given = np.concatenate(
            [run(images=image[None])[entry["output"]] for image in images]
        ).astype(float)
        golden = np.fromfile(exported / "golden" / entry["file"], entry["dtype"]).reshape(
            entry["shape"]
        )
        assert np.abs(given - golden).max() <= entry["tolerance"], name


def test_a_file_of_another_network_is_found_out(copied):
    shutil.copy(copied / "encoder-float32.tflite", copied / "encoder-float16.tflite")
    images = np.fromfile(copied / "golden" / "images.bin", np.uint8)
    (255 - images).tofile(copied / "golden" / "images.bin")
    assert not any(
        check.passed for check in check_golden(copied) if check.file.startswith("encoder")
    )


def test_a_device_that_has_one_file_checks_that_one(copied):
    for each in copied.glob("*.tflite"):
        if each.name != "encoder-int8.tflite":
            each.unlink()
    (check,) = check_golden(copied)
    assert (check.file, check.passed, check.intact) == ("encoder-int8.tflite", True, True)
    content = bytearray((copied / "encoder-int8.tflite").read_bytes())
    content.extend(b"\0")  # one byte more: still runs, and is another file
    (copied / "encoder-int8.tflite").write_bytes(content)
    (check,) = check_golden(copied)
    assert (check.passed, check.intact) == (False, False)
    (copied / "encoder-int8.tflite").unlink()
    with pytest.raises(
        UserError,
        match=r"must hold one of encoder-float32\.tflite, encoder-float16\.tflite, encoder-dynamic\.tflite, encoder-mixed\.tflite, encoder-int16x8\.tflite, encoder-int8\.tflite, encoder-mediapipe\.tflite,",
    ):
        check_golden(copied)


def test_missing_and_damaged_pairs_are_told(copied, tmp_path):
    with pytest.raises(UserError, match=r"holds no intact golden pairs"):
        check_golden(tmp_path)
    (copied / "golden" / "images.bin").write_bytes(b"short")
    with pytest.raises(
        UserError,
        match=r"holds no intact golden pairs",
    ):
        check_golden(copied)
