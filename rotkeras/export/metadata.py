"""TFLite metadata: what a file says of itself, in the flatbuffer, and the files that travel at its
end.

The layout is that of TFLite's metadata_schema.fbs (file identifier M001). The only library that
writes it today is MediaPipe, which brings a hundred megabytes of its own; with `flatbuffers`, which
TensorFlow needs anyway, it is a page.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

NAME = "TFLITE_METADATA"
_FEATURE, _IMAGE = 1, 2  # of the union ContentProperties
_RGB = 1
_NORMALIZATION = 1  # of the union ProcessUnitOptions
_AXIS_LABELS = 2  # of AssociatedFileType


@dataclass(frozen=True)
class Description:
    """What a file says of itself.

    Attributes:
        name: of the model.
        text: what it is, in some sentences.
        version: of the model.
        author: who made it.
        licence: under which it may be used.
        tensors: tensor name -> description, for inputs and outputs of the signatures.
        labels: tensor name -> (file name, one label for each number of its last axis).
        files: further files that travel with the model: file name -> lines.
    """

    name: str
    text: str
    version: str
    author: str
    licence: str
    tensors: Mapping[str, str]
    labels: Mapping[str, tuple[str, Sequence[str]]] = field(default_factory=dict)
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)


def add_metadata(model: bytes, description: Description) -> bytes:
    """A TFLite file with metadata inside and its label files as a zip archive at its end.

    Args:
        model: the file without metadata.
        description: what to say.

    Returns:
        The new file. Buffers stay aligned to 16 bytes, as interpreters without an allocator of
        their own need them.
    """
    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model)))
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = NAME, len(tree.buffers)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_build(tree, description), np.uint8)
    tree.buffers.append(buffer)
    tree.metadata = [each for each in tree.metadata or [] if _text(each.name) != NAME] + [metadata]
    tree.description = description.name
    texts = [*description.labels.values(), *description.files.items()]
    files = {name: "".join(f"{line}\n" for line in lines) for name, lines in texts}
    return packed(tree, len(model) + 4096) + _archive(files)


def packed(tree: Any, size: int) -> bytes:
    """A TFLite file of a `ModelT`, whose buffers begin at multiples of 16.

    Args:
        tree: the model as an object.
        size: about how many bytes it will have.
    """
    builder = _Aligned(size)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Aligned(flatbuffers.Builder):
    """Byte vectors, which hold weights, begin at multiples of 16, as `force_align: 16` in TFLite's
    schema asks."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

    def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802
        if x.dtype.itemsize != 1:
            return super().CreateNumpyVector(x)
        self.StartVector(1, x.size, 16)
        begin: int = self.Head() - x.size
        self.head = begin
        self.Bytes[begin : begin + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()


def _archive(files: Mapping[str, str]) -> bytes:
    if not files:
        return b""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(
                zipfile.ZipInfo(name), text
            )  # of 1980, so that the same export has the same SHA-256
    return packed.getvalue()


def _build(tree: Any, description: Description) -> bytes:
    """The metadata flatbuffer: one entry for each subgraph that a signature names, in their
    order."""
    builder = flatbuffers.Builder(1024)
    graphs = []
    signatures = {each.subgraphIndex: each for each in tree.signatureDefs or []}
    for index in range(len(tree.subgraphs)):
        if index not in signatures:
            break  # those that follow are parts of others
        signature, graph = signatures[index], tree.subgraphs[index]
        inputs = [
            _tensor(builder, graph, *each, description)
            for each in _ordered(signature.inputs, graph.inputs)
        ]
        outputs = [
            _tensor(builder, graph, *each, description)
            for each in _ordered(signature.outputs, graph.outputs)
        ]
        name = builder.CreateString(_text(signature.signatureKey))
        lists = {2: ("table", _vector(builder, inputs)), 3: ("table", _vector(builder, outputs))}
        graphs.append(_table(builder, {0: ("table", name), **lists}))
    fields = {
        0: ("table", builder.CreateString(description.name)),
        1: ("table", builder.CreateString(description.text)),
        2: ("table", builder.CreateString(description.version)),
        3: ("table", _vector(builder, graphs)),
        4: ("table", builder.CreateString(description.author)),
        5: ("table", builder.CreateString(description.licence)),
        7: ("table", builder.CreateString("1.0.0")),
    }
    builder.Finish(_table(builder, fields), b"M001")
    return bytes(builder.Output())


def _ordered(maps: Any, order: Any) -> list[tuple[str, int]]:
    """(name, tensor number) of a signature's tensors, in the order of the subgraph's own."""
    names = {each.tensorIndex: _text(each.name) for each in maps or []}
    return [(names.get(int(number), ""), int(number)) for number in order]


def _tensor(builder: Any, graph: Any, name: str, number: int, description: Description) -> int:
    files = []
    if name in description.labels:
        file, _ = description.labels[name]
        text = builder.CreateString(file)
        files.append(_table(builder, {0: ("table", text), 2: ("int8", _AXIS_LABELS)}))
    label, text = (
        builder.CreateString(name),
        builder.CreateString(description.tensors.get(name, "")),
    )
    fields = {0: ("table", label), 1: ("table", text)}
    if name == "images":
        _, height, width, _ = graph.tensors[number].shape
        size = _table(builder, {0: ("uint32", int(width)), 1: ("uint32", int(height))})
        image = _table(builder, {0: ("int8", _RGB), 1: ("table", size)})
        fields[3] = ("table", _table(builder, {0: ("uint8", _IMAGE), 1: ("table", image)}))
        # Mean 0 and deviation 1: pixels go in as they are, the network normalises them.
        one, zero = (
            builder.CreateNumpyVector(np.ones(1, np.float32)),
            builder.CreateNumpyVector(np.zeros(1, np.float32)),
        )
        options = _table(builder, {0: ("table", zero), 1: ("table", one)})
        unit = _table(builder, {0: ("uint8", _NORMALIZATION), 1: ("table", options)})
        fields[4] = ("table", _vector(builder, [unit]))
    else:
        content = _table(builder, {0: ("uint8", _FEATURE), 1: ("table", _table(builder, {}))})
        fields[3] = ("table", content)
    if files:
        fields[6] = ("table", _vector(builder, files))
    return _table(builder, fields)


def _table(builder: Any, fields: Mapping[int, tuple[str, int]]) -> int:
    """A table of {slot: (kind, value)}; values of kind "table" are offsets of what was written
    before."""
    builder.StartObject(8)
    for slot, (kind, value) in fields.items():
        if kind == "table":
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        elif kind == "uint32":
            builder.PrependUint32Slot(slot, value, 0)
        else:
            builder.PrependUint8Slot(slot, value, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
