import hashlib
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from rotkeras import recipe
from rotkeras.backbones import taps

FOLDERS = sorted(
    path.parent for path in (Path(__file__).parents[1] / "saved_models").glob("*/encoder.keras")
)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_encoder_is_the_one_the_card_speaks_of_and_embeds(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert (
        re.search(r"SHA-256 .*`([0-9a-f]{64})`", card)[1]
        == hashlib.sha256((folder / "encoder.keras").read_bytes()).hexdigest()
    )
    summary = json.loads((folder / "summary.json").read_text())
    assert f"{100 * summary['encoder']['best']['value']:.1f} %" in card
    made = recipe.load(str(folder / "recipe.yaml"))
    assert made.name == summary["name"] == folder.name
    encoder = keras.models.load_model(folder / "encoder.keras")
    images = np.random.default_rng(0).integers(
        0, 256, (4, *encoder.input_shape[1:]), dtype=np.uint8
    )
    vectors = encoder.predict(images, verbose=0)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert len({vector.tobytes() for vector in vectors}) == 4
    assert summary["encoder"]["best"]["tap"] in taps.names(encoder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_export_reproduces_its_golden_pairs(folder):
    from rotkeras.device import check_golden

    checks = check_golden(folder / "export")
    assert {check.file for check in checks} == {
        path.name for path in (folder / "export").glob("*.tflite")
    }
    assert len(checks) >= 2
    assert all(check.passed for check in checks), checks


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_export_is_the_one_its_proof_and_card_speak_of(folder):
    export = folder / "export"
    proof = json.loads((export / "verify.json").read_text())
    assert proof["gate"]["passed"]
    assert proof["name"] == folder.name
    hashes = {name: each["sha256"] for name, each in proof["files"].items()}
    in_folder = proof.get("saved_model", {"sha256": {}})["sha256"]
    hashes |= {f"saved_model/{name}": digest for name, digest in in_folder.items()}
    for name, digest in hashes.items():
        assert hashlib.sha256((export / name).read_bytes()).hexdigest() == digest, name
    card = (export / "model_card.md").read_text(encoding="utf-8")
    assert all(name in card for name in proof["files"])
    assert not re.search("/(home|tmp|work)/", card + json.dumps(proof))


@pytest.mark.parametrize(
    "folder",
    [each for each in FOLDERS if (each / "export" / "saved_model").exists()],
    ids=lambda folder: folder.name,
)
def test_the_saved_model_gives_the_golden_embeddings(folder):
    import tensorflow as tf

    golden = json.loads((folder / "export" / "golden" / "golden.json").read_text())
    images = np.fromfile(folder / "export" / "golden" / "images.bin", np.uint8).reshape(
        golden["images"]["shape"]
    )
    entry = golden["answers"]["encoder-float32.tflite"]
    expected = np.fromfile(folder / "export" / "golden" / entry["file"], np.float32).reshape(
        entry["shape"]
    )
    given = tf.saved_model.load(str(folder / "export" / "saved_model")).signatures["embed"](
        images=tf.constant(images)
    )["embedding"]
    np.testing.assert_allclose(given, expected, atol=entry["tolerance"])


def test_there_are_two():
    assert [folder.name for folder in FOLDERS] == ["cifar10-cpu", "photographs"]
