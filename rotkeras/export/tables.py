"""Tables of a flatbuffer, written without code that is generated of a schema."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import flatbuffers
import numpy as np

Kind = Literal["table", "uint8", "int32", "uint32", "float32", "bool"]
_SLOTS = 12
"""At least as many as the greatest table has; those at the end that are not used take no bytes."""


class Aligned(flatbuffers.Builder):
    """Byte vectors begin at multiples of 16, as `force_align: 16` in the schemas of TFLite and of
    its metadata asks."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        """Begin a vector."""
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

    def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802
        """Write an array of one axis."""
        if x.dtype.itemsize != 1:
            return super().CreateNumpyVector(x)
        self.StartVector(1, x.size, 16)
        begin: int = self.Head() - x.size
        self.head = begin
        self.Bytes[begin : begin + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()


def table(builder: Any, fields: Mapping[int, tuple[Kind, Any]]) -> int:
    """Write a table.

    Args:
        builder: of the flatbuffer.
        fields: slot -> (kind, value), by the order of fields in the schema, where a union takes
            two slots; values of kind "table" are offsets of what was written before.

    Returns:
        Its offset.
    """
    builder.StartObject(_SLOTS)
    prepend: dict[Kind, Callable[[int, Any, Any], None]] = {
        "table": builder.PrependUOffsetTRelativeSlot,
        "uint8": builder.PrependUint8Slot,
        "int32": builder.PrependInt32Slot,
        "uint32": builder.PrependUint32Slot,
        "float32": builder.PrependFloat32Slot,
        "bool": builder.PrependBoolSlot,
    }
    for slot, (kind, value) in fields.items():
        prepend[kind](slot, value, 0)
    return int(builder.EndObject())


def vector(builder: Any, offsets: Sequence[int]) -> int:
    """Write a vector of tables, in their order, and return its offset."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def floats(builder: Any, values: Sequence[float]) -> int:
    """Write a vector of float32 and return its offset."""
    return int(builder.CreateNumpyVector(np.asarray(values, np.float32)))
