"""The EXIF orientation: its arithmetic, and changing it in place without touching anything else.

The eight orientations are the ways in which a viewer turns or mirrors stored pixels before it shows
them. They form a group: an orientation followed by a quarter turn is another orientation. So a
photograph is put upright by one number, and its pixels stay.
"""

import re
import struct
from dataclasses import dataclass

from rotkeras.errors import UserError

ORIENTATION = 0x0112

# Each row goes on by a quarter turn counter-clockwise of what is shown: 1 shows the pixels as
# stored, 2 mirrors them left to right.
_CYCLES = ((1, 8, 3, 6), (2, 5, 4, 7))

# TIFF types of which viewers take an orientation: SHORT, the standard's, and LONG.
_FORMATS = {3: "H", 4: "L"}

_IN_XMP = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)([0-9])(?=\s*["'<])""")


def turned(orientation: int, turns: int) -> int:
    """The orientation that shows the same stored pixels turned further.

    Args:
        orientation: 1 … 8; anything else counts as 1, as viewers take it.
        turns: quarter turns counter-clockwise of what is shown.

    Returns:
        1 … 8, such that shown(turned(o, t)) == numpy.rot90(shown(o), t).
    """
    cycle = _CYCLES[orientation in _CYCLES[1]]
    position = cycle.index(orientation) if orientation in cycle else 0
    return cycle[(position + turns) % 4]


def orientation_of(block: bytes) -> int | None:
    """The orientation that a TIFF block carries, as it stands there, or None without one.

    Args:
        block: the content of an EXIF segment or chunk from its byte order mark on; or a TIFF file.

    Raises:
        UserError: for a block that is damaged.
    """
    return _directory(block).orientation


def with_orientation(block: bytes, orientation: int) -> bytes:
    """A TIFF block with another orientation.

    Where the tag is there, its value bytes alone differ. Else IFD0 is written anew at the end of
    the block with the tag in it and everything that was there stays at its offset, so that
    thumbnails, GPS and maker notes are found as before.

    Args:
        block: from its byte order mark on; b"" makes a block of this tag alone.
        orientation: 1 … 8.

    Raises:
        UserError: for a block that is damaged.
    """
    if not block:
        return struct.pack(">2sHLHHHLHHL", b"MM", 42, 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)
    found = _directory(block)
    if found.place is not None:
        return _replaced(block, found.place, struct.pack(found.order + found.format, orientation))
    start = len(block) + len(block) % 2  # offsets of directories are even
    entry = struct.pack(found.order + "HHLHH", ORIENTATION, 3, 1, orientation, 0)
    entries = sorted(
        [*found.entries, entry], key=lambda each: struct.unpack(found.order + "H", each[:2])
    )
    directory = struct.pack(found.order + "H", len(entries)) + b"".join(entries) + found.next
    longer = block.ljust(start, b"\0") + directory
    return _replaced(longer, 4, struct.pack(found.order + "L", start))


def without_thumbnail(block: bytes) -> bytes:
    """A TIFF block whose link from IFD0 to IFD1, the thumbnail, is cut: for pixels that were
    turned, it would lie on its side."""
    found = _directory(block)
    if not found.whole:
        return block
    return _replaced(block, found.start + 2 + 12 * len(found.entries), bytes(4))


def has_more_pages(block: bytes) -> bool:
    """Whether a second directory follows: of a TIFF file, another page."""
    return _directory(block).next != bytes(4)


def without_orientation(block: bytes) -> bytes:
    """A TIFF block for pixels that were turned as it said: its orientation is 1, if it has one, and
    its thumbnail is cut off."""
    block = block if orientation_of(block) is None else with_orientation(block, 1)
    return without_thumbnail(block)


def xmp_with_orientation(packet: bytes, orientation: int) -> bytes:
    """An XMP packet whose own tiff:Orientation, if it has one, is another digit; no other byte
    differs."""
    return _IN_XMP.sub(lambda match: match[1] + b"%d" % orientation, packet)


@dataclass(frozen=True)
class _Directory:
    order: str
    start: int
    entries: list[bytes]
    next: bytes
    orientation: int | None = None
    place: int | None = None
    format: str = "H"
    whole: bool = True


def _directory(block: bytes) -> _Directory:
    """IFD0 of a TIFF block. Damage beside the orientation does not matter: its value is changed in
    place. Damage that leaves its place in doubt is refused."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        raise _damaged(
            f"starts with {block[:4].hex(' ') or 'nothing'} instead of a byte order mark"
        )
    if len(block) < 8:
        raise _damaged("is cut short")
    (start,) = struct.unpack(order + "L", block[4:8])
    if not 8 <= start <= len(block) - 2:
        raise _damaged("names a directory outside of itself")
    (count,) = struct.unpack(order + "H", block[start : start + 2])
    end = start + 2 + 12 * count
    whole = end + 4 <= len(block)
    last = min(end, len(block) - 11)
    entries = [block[place : place + 12] for place in range(start + 2, last, 12)]
    following = block[end : end + 4] if whole else bytes(4)
    places = [
        number
        for number, entry in enumerate(entries)
        if struct.unpack(order + "H", entry[:2])[0] == ORIENTATION
    ]
    if not places and not whole:
        raise _damaged("is cut short")
    if not places:
        return _Directory(order, start, entries, following)
    if len(places) > 1:
        raise _damaged("names its orientation twice")
    kind, values = struct.unpack(order + "HL", entries[places[0]][2:8])
    if kind not in _FORMATS or values != 1:
        raise _damaged("holds an orientation that is not a number")
    place, form = start + 2 + 12 * places[0] + 8, _FORMATS[kind]
    (orientation,) = struct.unpack_from(order + form, block, place)
    return _Directory(order, start, entries, following, orientation, place, form, whole)


def _replaced(block: bytes, place: int, value: bytes) -> bytes:
    return block[:place] + value + block[place + len(value) :]


def _damaged(what: str) -> UserError:
    return UserError(
        f"its EXIF block {what}; repair it with a program such as exiftool, or remove it."
    )
