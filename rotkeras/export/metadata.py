"""TFLite metadata: what a file says of itself, in the flatbuffer, and the files that travel at its
end.

The layout is that of TFLite's metadata_schema.fbs (file identifier M001). The only library that
writes it today is MediaPipe, which brings a hundred megabytes of its own; with `flatbuffers`, which
TensorFlow needs anyway, it is a page.
"""

import io
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from rotkeras.export.tables import Aligned, Kind, floats, table, vector

NAME = "TFLITE_METADATA"
_FEATURE, _IMAGE, _BOX = 1, 2, 3  # of the union ContentProperties
_RGB = 1
_BOUNDARIES, _RATIO = 1, 0  # of BoundingBoxType and CoordinateType
_NORMALIZATION, _THRESHOLD = 1, 3  # of the union ProcessUnitOptions
_AXIS_LABELS = 2  # of AssociatedFileType
_VERSION, _WITH_CUSTOM = "1.0.0", "1.5.0"  # of the schema, which can read what is written


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
        names: tensor name -> what metadata call it, where that is another name.
        boxes: names of tensors that hold boxes.
        least_scores: tensor name -> below which scores mean nothing, unless an app says otherwise.
        custom: name -> a flatbuffer of its own schema, such as `rotkeras.export.mediapipe` makes;
            of the first signature.
    """

    name: str
    text: str
    version: str
    author: str
    licence: str
    tensors: Mapping[str, str]
    labels: Mapping[str, tuple[str, Sequence[str]]] = field(default_factory=dict)
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    boxes: Collection[str] = ()
    least_scores: Mapping[str, float] = field(default_factory=dict)
    custom: Mapping[str, bytes] = field(default_factory=dict)


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
    builder = Aligned(size)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


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
    builder = Aligned(1024)
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
        written = {0: name, 2: vector(builder, inputs), 3: vector(builder, outputs)}
        if index == 0 and description.custom:
            written[9] = _custom(builder, description.custom)
        graphs.append(table(builder, {slot: ("table", each) for slot, each in written.items()}))
    parsed_by = _WITH_CUSTOM if description.custom else _VERSION
    made = {
        0: builder.CreateString(description.name),
        1: builder.CreateString(description.text),
        2: builder.CreateString(description.version),
        3: vector(builder, graphs),
        4: builder.CreateString(description.author),
        5: builder.CreateString(description.licence),
        7: builder.CreateString(parsed_by),
    }
    root = table(builder, {slot: ("table", each) for slot, each in made.items()})
    builder.Finish(root, b"M001")
    return bytes(builder.Output())


def _ordered(maps: Any, order: Any) -> list[tuple[str, int]]:
    """(name, tensor number) of a signature's tensors, in the order of the subgraph's own."""
    names = {each.tensorIndex: _text(each.name) for each in maps or []}
    return [(names.get(int(number), ""), int(number)) for number in order]


def _custom(builder: Any, custom: Mapping[str, bytes]) -> int:
    """The vector `custom_metadata` of a subgraph."""
    made = []
    for name, content in custom.items():
        data = builder.CreateNumpyVector(np.frombuffer(content, np.uint8))
        text = builder.CreateString(name)
        made.append(table(builder, {0: ("table", text), 1: ("table", data)}))
    return vector(builder, made)


def _tensor(builder: Any, graph: Any, name: str, number: int, description: Description) -> int:
    label = builder.CreateString(description.names.get(name, name))
    text = builder.CreateString(description.tensors.get(name, ""))
    fields: dict[int, tuple[Kind, int]] = {0: ("table", label), 1: ("table", text)}
    units = []
    if name == "images":
        _, height, width, _ = graph.tensors[number].shape
        size = table(builder, {0: ("uint32", int(width)), 1: ("uint32", int(height))})
        image = table(builder, {0: ("uint8", _RGB), 1: ("table", size)})
        fields[3] = ("table", _union(builder, _IMAGE, image))
        # Mean 0 and deviation 1: pixels go in as they are, the network normalises them.
        one, zero = floats(builder, [1]), floats(builder, [0])
        options = table(builder, {0: ("table", zero), 1: ("table", one)})
        units.append(_union(builder, _NORMALIZATION, options))
    elif name in description.boxes:
        # MediaPipe asks for these of raw boxes too; no other form is let in.
        box = table(builder, {1: ("uint8", _BOUNDARIES), 2: ("uint8", _RATIO)})
        fields[3] = ("table", _union(builder, _BOX, box))
    else:
        fields[3] = ("table", _union(builder, _FEATURE, table(builder, {})))
    if name in description.least_scores:
        least = table(builder, {0: ("float32", description.least_scores[name])})
        units.append(_union(builder, _THRESHOLD, least))
    if units:
        fields[4] = ("table", vector(builder, units))
    if name in description.labels:
        file = builder.CreateString(description.labels[name][0])
        made = table(builder, {0: ("table", file), 2: ("uint8", _AXIS_LABELS)})
        fields[6] = ("table", vector(builder, [made]))
    return table(builder, fields)


def _union(builder: Any, kind: int, value: int) -> int:
    """A table whose one field is a union: which of its tables it holds, and that one."""
    return table(builder, {0: ("uint8", kind), 1: ("table", value)})


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
