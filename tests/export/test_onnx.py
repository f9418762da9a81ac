import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError, backbones, taps
from rotkeras.data import Source
from rotkeras.export import export, profiles, to_onnx, to_tflite
from rotkeras.export.onnx import OnnxFile, onnx_operators
from rotkeras.recipe import Export

onnx = pytest.importorskip("onnx", reason="pip install 'rotkeras[onnx]'")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: backbones.nin(blocks=3, width=0.05),
        lambda: backbones.revnet50(width=0.05, input_shape=(32, 32, 3)),
        lambda: backbones.keras_applications(
            "MobileNetV3Small", arguments={"alpha": 0.35}, input_shape=(32, 32, 3)
        ),
    ],
    ids=["nin", "revnet50", "MobileNetV3Small"],
)
def test_it_computes_what_keras_computes_in_any_batch(make, tmp_path):
    backbone = make()
    encoder = taps.cut(backbone, taps.names(backbone)[1])
    file = OnnxFile(to_onnx(encoder, tmp_path / "encoder.onnx"))
    assert file.inputs("embed") == {"images": "uint8 (B, 32, 32, 3)"}
    assert list(file.outputs("embed")) == ["embedding"]
    for images in (IMAGES[:1], IMAGES):
        expected = np.asarray(encoder(images))
        found = file.run("embed", images=images)["embedding"]
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert onnx_operators(tmp_path / "encoder.onnx")["Conv"] > 0


def test_it_is_exported_with_the_proof_of_the_other_files(digit_source, tmp_path):
    keras.utils.set_random_seed(0)
    source = Source("digits", digit_source.train.draw(200), digit_source.validation.draw(60))
    settings = Export(profiles=["float32", "onnx"], saved_model=False, tap="conv2")
    done = export(three_taps(), source, tmp_path / "export", settings)
    assert not done.rejected
    record = done.proof["files"]["encoder.onnx"]
    assert record["agreement"]["cosine_min"] > 0.99999
    assert record["drops"]["ridge"]["drop"] == 0
    assert record["operators"]["Conv"] == 2
    written = onnx.load(str(done.folder / "encoder.onnx"))
    assert {each.key: each.value for each in written.metadata_props}["name"] == "three_taps (onnx)"
    assert "Pre-trained without labels" in written.doc_string
    assert "encoder.onnx" in (done.folder / "model_card.md").read_text()
    assert not (done.folder / "golden" / "encoder.bin").exists()


def test_what_cannot_be(tmp_path, monkeypatch, digit_source):
    with pytest.raises(
        UserError, match=r"The profile onnx is no TFLite file; use rotkeras\.export"
    ):
        to_tflite(three_taps(), tmp_path / "x.tflite", "onnx")
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="ONNX Runtime cannot load"):
        OnnxFile(tmp_path / "broken.onnx")
    monkeypatch.setattr(profiles.importlib.util, "find_spec", lambda _name: None)
    words = r"The profile onnx needs tf2onnx, onnx, onnxruntime: pip install 'rotkeras\[onnx\]'"
    with pytest.raises(UserError, match=words):
        to_onnx(three_taps(), tmp_path / "encoder.onnx")
    source = Source("digits", digit_source.train.draw(200), digit_source.validation.draw(60))
    with pytest.raises(UserError, match=words):
        export(three_taps(), source, tmp_path / "export", Export(profiles=["onnx"]))
