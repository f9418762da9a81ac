"""Read back by walking the flatbuffer by hand, as TFLite's metadata_schema.fbs lays it out."""

import struct
import zipfile

import pytest
from flatbuffer_tables import metadata_of


def test_the_file_says_what_it_is(exported):
    root = metadata_of(exported / "encoder-mediapipe.tflite")
    assert root.text(0) == "small (mediapipe)"
    assert "predicting image rotations" in root.text(1)
    assert (root.text(4), root.text(5)) == ("A. Author", "CC0-1.0")
    (graph,) = root.tables(3)
    (images,), (embedding,) = graph.tables(2), graph.tables(3)
    assert images.text(0) == "images"
    assert "16×16 pixels, uint8, 0 to 255" in images.text(1)
    content = images.table(3)
    assert content.byte(0) == 2  # ImageProperties
    image = content.table(1)
    assert image.byte(0) == 1  # RGB
    assert (image.table(1).number(0), image.table(1).number(1)) == (16, 16)
    (unit,) = images.tables(4)
    assert unit.byte(0) == 1  # NormalizationOptions
    mean, deviation = unit.table(1).follow(0), unit.table(1).follow(1)
    assert struct.unpack_from("<If", root.data, mean) == (1, 0.0)
    assert struct.unpack_from("<If", root.data, deviation) == (1, 1.0)
    assert embedding.text(0) == "embedding"
    assert embedding.table(3).byte(0) == 1  # FeatureProperties


def test_every_signature_of_the_learner_is_described_in_the_order_of_its_tensors(exported):
    root = metadata_of(exported / "learner.tflite")
    graphs = {graph.text(0): graph for graph in root.tables(3)}
    assert set(graphs) == {"embed", "classify", "learn", "get_head", "set_head"}
    names = [tensor.text(0) for tensor in graphs["learn"].tables(2)]
    assert set(names) == {"embeddings", "labels", "learning_rate", "momentum", "weight_decay"}
    assert all(tensor.text(1) for tensor in graphs["learn"].tables(2))


def test_the_angles_are_labels_of_the_rotation_head(exported):
    (graph,) = metadata_of(exported / "orient.tflite").tables(3)
    (probabilities,) = graph.tables(3)
    (file,) = probabilities.tables(6)
    assert (file.text(0), file.byte(2)) == ("angles.txt", 2)  # TENSOR_AXIS_LABELS
    with zipfile.ZipFile(exported / "orient.tflite") as archive:
        assert archive.read("angles.txt").split() == [b"0", b"90", b"180", b"270"]


@pytest.mark.parametrize("name", ["encoder-float32.tflite", "learner.tflite"])
def test_files_without_labels_end_with_their_flatbuffer(exported, name):
    assert not zipfile.is_zipfile(exported / name)
