"""Read back by walking the flatbuffer by hand, as TFLite's metadata_schema.fbs lays it out."""

import struct
import zipfile

import pytest
from ai_edge_litert import schema_py_generated as schema


class Table:
    """A flatbuffer table: its fields by slot number."""

    def __init__(self, data, position):
        self.data, self.position = data, position

    def at(self, slot):
        vtable = self.position - struct.unpack_from("<i", self.data, self.position)[0]
        size = struct.unpack_from("<H", self.data, vtable)[0]
        entry = 4 + 2 * slot
        offset = struct.unpack_from("<H", self.data, vtable + entry)[0] if entry < size else 0
        return self.position + offset if offset else None

    def follow(self, slot):
        place = self.at(slot)
        return None if place is None else place + struct.unpack_from("<I", self.data, place)[0]

    def text(self, slot):
        place = self.follow(slot)
        length = struct.unpack_from("<I", self.data, place)[0]
        return bytes(self.data[place + 4 : place + 4 + length]).decode()

    def table(self, slot):
        return Table(self.data, self.follow(slot))

    def tables(self, slot):
        place = self.follow(slot)
        if place is None:
            return []
        places = [
            place + 4 + 4 * number
            for number in range(struct.unpack_from("<I", self.data, place)[0])
        ]
        return [
            Table(self.data, each + struct.unpack_from("<I", self.data, each)[0]) for each in places
        ]

    def byte(self, slot):
        return self.data[self.at(slot)]

    def number(self, slot):
        return struct.unpack_from("<I", self.data, self.at(slot))[0]


def metadata_of(path):
    model = schema.Model.GetRootAs(path.read_bytes())
    found = [model.Metadata(index) for index in range(model.MetadataLength())]
    (entry,) = [each for each in found if each.Name() == b"TFLITE_METADATA"]
    data = bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    assert data[4:8] == b"M001"
    return Table(data, struct.unpack_from("<I", data, 0)[0])


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
