"""Flatbuffers read by hand, and the metadata of a file as one."""

import struct

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
        return self.bytes_at(slot).decode()

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

    def number(self, slot, kind="<I"):
        """Of a kind of `struct`; what is not written is 0."""
        place = self.at(slot)
        return 0 if place is None else struct.unpack_from(kind, self.data, place)[0]

    def bytes_at(self, slot):
        place = self.follow(slot)
        length = struct.unpack_from("<I", self.data, place)[0]
        return bytes(self.data[place + 4 : place + 4 + length])


def metadata_of(path):
    model = schema.Model.GetRootAs(path.read_bytes())
    found = [model.Metadata(index) for index in range(model.MetadataLength())]
    (entry,) = [each for each in found if each.Name() == b"TFLITE_METADATA"]
    data = bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    return root_of(data, b"M001")


def root_of(data, identifier):
    assert data[4:8] == identifier
    return Table(data, struct.unpack_from("<I", data, 0)[0])
