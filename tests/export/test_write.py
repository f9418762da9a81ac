import hashlib
import importlib.metadata
import json
import shutil

import numpy as np
import pytest
from small_training import three_taps

from rotkeras.data.source import Images, Source
from rotkeras.errors import UserError
from rotkeras.export import PROFILES, to_tflite, write
from rotkeras.pretext import Rotation
from rotkeras.recipe import Export


def everything(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def proof(exported):
    return json.loads((exported / "verify.json").read_text())


def test_all_that_was_promised_lies_there(exported, proof):
    names = {each.name for each in exported.iterdir()}
    examples = {"example.py", "example.kt", "example.cpp"}
    files = {each.file for each in PROFILES.values() if each.runtime == "tflite"}
    assert names == files | examples | {
        "saved_model",
        "golden",
        "verify.json",
        "calibration.json",
        "model_card.md",
    }
    assert set(proof["files"]) == files
    assert proof["gate"] == {"max_drop": 100, "passed": True, "rejected": {}, "undecided": []}
    assert proof["versions"]["ai-edge-litert"] == importlib.metadata.version("ai-edge-litert")


def test_hashes_sizes_and_operators_are_of_the_files(exported, proof):
    for name, each in proof["files"].items():
        content = (exported / name).read_bytes()
        assert each["sha256"] == hashlib.sha256(content).hexdigest()
        assert each["bytes"] == len(content)
        assert {"CONV_2D"} < set(each["operators"])
    for name, digest in proof["saved_model"]["sha256"].items():
        assert digest == hashlib.sha256((exported / "saved_model" / name).read_bytes()).hexdigest()


def test_the_proof_is_what_numpy_and_keras_say(exported, proof, exported_run):
    import keras
    from sklearn.linear_model import RidgeClassifier

    from rotkeras.device import Encoder
    from rotkeras.export import parts_of

    recipe = exported_run.load_recipe()
    source = __import__("rotkeras.training.trainer", fromlist=["load_source"]).load_source(recipe)
    parts = parts_of(
        keras.models.load_model(exported_run.model, compile=False), proof["encoder"]["tap"]
    )
    images = source.validation.take(slice(None))
    assert proof["held_out"]["images"] == len(images)
    given = Encoder(exported / "encoder-int8.tflite").embed(images)
    expected = parts.embed.predict(images, verbose=0)
    cosine = (
        (given * expected).sum(axis=1)
        / np.linalg.norm(given, axis=1)
        / np.linalg.norm(expected, axis=1)
    )
    record = proof["files"]["encoder-int8.tflite"]
    assert record["agreement"]["cosine_min"] == pytest.approx(cosine.min(), abs=1e-4)
    assert record["agreement"]["max_error"] == pytest.approx(
        np.abs(given - expected).max(), rel=1e-3
    )
    train = parts.embed.predict(source.train.take(slice(None)), verbose=0)
    mean, scale = train.mean(0), train.std(0)
    # An independent ridge regression: its penalty is another, so its accuracy is near, not equal.
    linear = RidgeClassifier(1.0).fit((train - mean) / scale, source.train.labels)
    accuracy = linear.score((expected - mean) / scale, source.validation.labels)
    assert record["drops"]["ridge"]["keras"] == pytest.approx(accuracy, abs=0.05)
    assert set(record["drops"]) == {"ridge", "knn-20"}
    assert set(proof["files"]["orient.tflite"]["drops"]) == {"prediction"}
    assert proof["files"]["orient.tflite"]["drops"]["prediction"]["answers"] == 4 * (
        len(images) // 4
    )


def test_the_orienter_has_the_temperatures_of_the_proof(exported):
    from rotkeras.device import Orienter

    proof = json.loads((exported / "verify.json").read_text())
    given = Orienter(exported / "orient.tflite").temperatures
    assert given == pytest.approx(proof["temperatures"], rel=1e-3)
    assert given != (1.0, 1.0)
    assert "Confidences of `orient.tflite` are calibrated" in (
        exported / "model_card.md"
    ).read_text(encoding="utf-8")


def test_calibration_images_are_training_images_that_are_kept_by_name(exported, exported_run):
    from rotkeras.training.build import load_source

    kept = json.loads((exported / "calibration.json").read_text())
    source = load_source(exported_run.load_recipe())
    assert len(set(kept["rows"])) == 200
    assert set(kept["rows"]) <= set(source.train.rows.tolist())
    assert not set(kept["rows"]) & set(source.validation.rows.tolist())
    assert (kept["seed"], kept["part"]) == (0, "train")


@pytest.fixture
def network():
    import keras

    keras.utils.set_random_seed(1)
    return Rotation().build_model(three_taps())


@pytest.fixture
def source(digit_source):
    return Source("digits", digit_source.train.draw(300), digit_source.validation.draw(100))


def export(network, source, folder, *, overwrite=False, task=None, **settings):
    """`rotkeras.export.export` with its settings as arguments."""
    return write.export(network, source, folder, Export(**settings), overwrite=overwrite, task=task)


def test_a_file_that_loses_too_much_is_kept_aside_and_the_old_export_stays(
    network, source, tmp_path, monkeypatch
):
    target = tmp_path / "export"
    good = {"profiles": ["float32"], "saved_model": False, "max_drop": 0.5}
    first = export(network, source, target, **good)
    assert first.folder == target
    assert not first.rejected
    before = everything(target)

    from rotkeras.export.tflite import to_tflite

    def broken(parts, path, *rest, **named):
        """An encoder whose weights were mixed up on the way, as a converter's defect would."""
        other = Rotation().build_model(three_taps())
        return to_tflite(write.parts_of(other, parts.tap), path, *rest, **named)

    monkeypatch.setattr(write, "to_tflite", broken)
    second = export(network, source, target, overwrite=True, **good)
    assert second.folder == tmp_path / "export-rejected"
    assert list(second.rejected) == ["encoder-float32.tflite"]
    assert "points of accuracy lost" in second.rejected["encoder-float32.tflite"]
    assert everything(target) == before
    aside = json.loads((second.folder / "verify.json").read_text())
    assert aside["gate"]["passed"] is False
    assert "was rejected" in (second.folder / "model_card.md").read_text()
    assert (second.folder / "encoder-float32.tflite").exists()
    assert {each.name for each in tmp_path.iterdir()} == {"export", "export-rejected"}


def test_a_full_disk_leaves_the_old_export(network, source, tmp_path, monkeypatch):
    target = tmp_path / "export"
    target.mkdir()
    (target / "verify.json").write_text("{}")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "write_golden", full)
    with pytest.raises(
        UserError,
        match=r"\(No space left on device\)\. Give another folder with -o, or free space on its disk and in the folder for temporary files\.",
    ):
        export(network, source, target, profiles=["float32"], saved_model=False, overwrite=True)
    assert everything(tmp_path) == {"export/verify.json": b"{}"}


def test_images_without_labels_are_proven_by_their_rotations(network, digit_source, tmp_path):
    plain = Images.of(digit_source.train.take(slice(0, 240)))
    source = Source("photographs", plain, None)
    done = export(
        network,
        source,
        tmp_path / "export",
        profiles=["dynamic"],
        saved_model=False,
        tap="conv1",
        max_drop=50,
    )
    assert done.proof["probes"]["ask"] == "rotation"
    drops = done.proof["files"]["encoder-dynamic.tflite"]["drops"]
    assert (
        drops["ridge"]["answers"]
        == 4 * drops["ridge"]["images"]
        == 4 * (done.proof["held_out"]["images"] // 4)
    )
    assert done.proof["held_out"]["part"] == "train"
    assert drops["ridge"]["keras"] > 0.4  # digits do tell by how much they were turned
    assert "no labels" in (done.folder / "model_card.md").read_text()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"profiles": ["int16"]}, "'auto', got 'int16'; did you mean 'int16x8'?"),
        ({"tap": "conv7"}, "must be one of 'conv1', 'conv2', 'conv3', got 'conv7'"),
        ({"calibration_images": 50}, "calibration_images must be at least 100, got 50."),
        ({"calibration_images": 400}, "calibrated on 400 training images, and there are 300"),
        ({"max_drop": -1}, "max_drop must be at least 0, got -1."),
        ({"verify_images": 0}, "verify_images must be at least 1, got 0."),
        (
            {"input_size": 24},
            "images are 16×16 and the files take 24×24: load them with image_size=24",
        ),
        ({"profiles": [], "saved_model": False}, "Nothing is left to export"),
        ({"classes": 1}, "classes must be at least 2, got 1."),
        (
            {"resize": True},
            "resize needs input_size, the pixels of each side of the images to resize.",
        ),
        (
            {"l2_normalization": True},
            "The profile int8 does not support l2_normalization, because int8 rounds the square root and lengths are 10 to 20 % off.",
        ),
        (
            {"profiles": ["orient"], "task": Rotation(angles=[0, 180])},
            "The profile orient needs the network's own prediction, and 'encoder_conv2' has none:",
        ),
    ],
)
def test_settings_that_do_not_fit_say_so_and_leave_nothing(
    network, source, tmp_path, settings, words
):
    with pytest.raises(UserError) as error:
        export(network, source, tmp_path / "export", **settings)
    assert words in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_backbone_alone_has_no_orient_file(source, tmp_path):
    with pytest.raises(
        UserError,
        match="The profile orient needs the network's own prediction, and 'encoder_conv2' has none: give",
    ):
        export(three_taps(), source, tmp_path / "export", profiles=["orient"])


def test_folders_of_others_are_left_alone(network, source, tmp_path, exported):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="it is a file, not a folder"):
        export(network, source, tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="not empty and holds no export"):
        export(network, source, tmp_path / "full", overwrite=True)
    copy = shutil.copytree(exported, tmp_path / "copy")
    with pytest.raises(UserError, match="holds an export already: add --overwrite"):
        export(network, source, copy)


def test_what_lies_where_a_rejected_export_would_go_is_left_alone(network, source, tmp_path):
    (tmp_path / "export-rejected").mkdir()
    (tmp_path / "export-rejected" / "thesis.tex").write_text("x")
    with pytest.raises(
        UserError, match="where a rejected export would be kept, is not empty and holds no export"
    ):
        export(network, source, tmp_path / "export", profiles=["float32"], overwrite=True)
    assert everything(tmp_path) == {"export-rejected/thesis.tex": b"x"}


def test_a_saved_model_that_answers_otherwise_is_rejected(network, source, tmp_path, monkeypatch):
    other = Rotation().build_model(three_taps())
    original = write.to_saved_model
    monkeypatch.setattr(
        write,
        "to_saved_model",
        lambda parts, path: original(write.parts_of(other, parts.tap), path),
    )
    done = export(network, source, tmp_path / "[export] #1", profiles=[])
    assert "signature embed differs from Keras by" in done.rejected["saved_model"]
    assert done.folder.name == "[export] #1-rejected"


def test_a_learner_that_does_not_learn_is_rejected(network, source, tmp_path, monkeypatch):
    from rotkeras.export.learner import SoftmaxHead

    learn = SoftmaxHead.learn

    def lazily(self, embeddings, labels, learning_rate, momentum, weight_decay):
        return learn(self, embeddings, labels, 0.0 * learning_rate, momentum, weight_decay)

    monkeypatch.setattr(SoftmaxHead, "learn", lazily)
    done = export(
        network, source, tmp_path / "export", profiles=["learner"], saved_model=False, max_drop=100
    )
    assert "signature learn differs from NumPy by" in done.rejected["learner.tflite"]


def test_a_learner_is_proven_signature_by_signature(proof):
    learns = proof["files"]["learner.tflite"]["learns"]
    assert set(learns) == {"classify", "learn", "head"}
    assert max(learns.values()) < 1e-3


def test_links_leftovers_and_the_current_folder(network, source, tmp_path, monkeypatch):
    # Where the files go is looked at here, not what is in them.
    monkeypatch.setattr(
        write, "_write", lambda *_: ({"files": {}, "encoder": {}, "held_out": {}}, [])
    )
    monkeypatch.setattr(write.card, "write", lambda *_: None)
    quick = {"profiles": ["float32"], "tap": "conv1", "overwrite": True}
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / ".part-77-real").mkdir()  # of an export that was killed
    for _ in range(2):
        done = export(network, source, tmp_path / "link", **quick)
        assert done.folder == tmp_path / "real"
    assert {each.name for each in tmp_path.iterdir()} == {"real", "link"}
    # A kill between taking the old export away and putting the new one in place: the old one comes
    # back.
    (tmp_path / "real").rename(tmp_path / ".old-77-real")
    from rotkeras.export.target import clean

    clean(tmp_path / "real")
    assert (tmp_path / "real" / "verify.json").exists()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is the current folder, or holds it"):
        export(network, source, ".", **quick)


def test_a_disk_that_is_full_for_tensorflow_is_told_too(network, source, tmp_path, monkeypatch):
    import tensorflow as tf

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "write failed; No space left on device")

    monkeypatch.setattr(write, "to_saved_model", full)
    with pytest.raises(
        UserError,
        match=r"\(write failed; No space left on device\)\. Give another folder with -o, or free space on its disk and in the folder for temporary files\.",
    ):
        export(network, source, tmp_path / "export", profiles=[])
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_diagonal_angles_is_exported_by_its_features(source, tmp_path):
    angles = (45, 135, 225, 315)
    network = Rotation(angles=angles).build_model(three_taps())
    done = export(
        network,
        source,
        tmp_path / "export",
        profiles=["dynamic"],
        saved_model=False,
        task=Rotation(angles=angles),
        max_drop=100,
    )
    assert set(done.proof["files"]["encoder-dynamic.tflite"]["drops"]) == {"ridge", "knn-20"}


@pytest.mark.parametrize(
    ("policy", "profile"), [("mixed_bfloat16", "int8"), ("mixed_float16", "float32")]
)
def test_networks_trained_in_mixed_precision_are_exported_in_float32(
    source, tmp_path, policy, profile
):
    from rotkeras.device import Encoder
    from rotkeras.training import devices

    with devices.precision(policy):
        network = Rotation().build_model(three_taps())
    file = to_tflite(network, tmp_path / "encoder.tflite", profile, calibration=source.train)
    images = source.validation.take(slice(0, 30))
    import keras

    mixed = keras.Model(network.input, network.get_layer("conv2").output)(images)
    expected = np.asarray(keras.ops.cast(mixed, "float32")).mean(axis=(1, 2))
    given = Encoder(file).embed(images)
    assert (
        np.abs(given - expected).mean() < 0.02 * expected.max()
    )  # sixteen bits keep two or three digits
