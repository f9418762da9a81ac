"""The segments of a JPEG file, taken apart and put together byte for byte, and its orientation
set."""

import re
import struct
from collections.abc import Sequence

from rotkeras.device.chunks import Part, damaged
from rotkeras.device.exif import with_orientation, without_orientation, xmp_with_orientation
from rotkeras.errors import UserError

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_LONGEST_SEGMENT = 65533  # bytes of content: two more count the length itself
_MARKER = re.compile(
    rb"\xff+([^\x00\xd0-\xd7\xff])"
)  # after entropy-coded data: neither a stuffed zero nor a restart


def jpeg_parts(data: bytes) -> tuple[list[Part], bytes]:
    """The segments of a JPEG before its first scan, and all that follows, from the scan's marker
    on.

    Raises:
        UserError: for data that is no whole JPEG.
    """
    if data[:2] != b"\xff\xd8":
        raise UserError("it is not a JPEG file, which starts with FF D8.")
    parts: list[Part] = []
    place = 2
    while True:
        marker = _MARKER.match(data, place)
        if marker is None:
            raise damaged("JPEG", place)
        if marker[1] == b"\xda":
            return parts, data[place:]
        length = int.from_bytes(data[marker.end() : marker.end() + 2], "big")
        end = marker.end() + length
        if length < 2 or end > len(data) or marker[1] in b"\xd8\xd9":
            raise damaged("JPEG", place)
        parts.append(Part(marker[1], data[marker.end() + 2 : end], data[place:end]))
        place = end


def join_jpeg(parts: Sequence[Part], rest: bytes) -> bytes:
    """The reverse of `jpeg_parts`.

    Raises:
        UserError: for a segment that became longer than JPEG allows.
    """
    if any(len(part.content) > _LONGEST_SEGMENT for part in parts):
        raise UserError(
            "its EXIF block has no room for an orientation, because it would exceed 64 kB; remove"
            " its thumbnail."
        )
    segments = [
        part.raw or b"\xff" + part.kind + struct.pack(">H", len(part.content) + 2) + part.content
        for part in parts
    ]
    return b"\xff\xd8" + b"".join(segments) + rest


def after_jpeg(rest: bytes) -> bytes:
    """What follows the end of the picture: further pictures, a video, padding. `rest` begins at the
    first scan's marker."""
    place = 0
    while marker := _MARKER.search(rest, place):
        if marker[1] == b"\xd9":
            return rest[marker.end() :]
        place = marker.end() + int.from_bytes(rest[marker.end() : marker.end() + 2], "big")
    raise UserError("its picture is cut short; copy it again.")


def jpeg_with_orientation(data: bytes, orientation: int) -> bytes:
    """A JPEG with another orientation; entropy-coded data, other segments and what follows the
    picture stay byte for byte.

    The value changes in place. Without the tag, IFD0 moves to the end of the EXIF block and has it;
    without EXIF, an APP1 segment of 36 bytes is put behind APP0. The tiff:Orientation of an XMP
    packet, which programs may believe, changes with it.

    Args:
        data: the file.
        orientation: 1 … 8.

    Raises:
        UserError: for damaged EXIF or JPEG structure, and where what has to be added would break
            offsets of other segments.
    """
    parts, rest = jpeg_parts(data)
    return join_jpeg(oriented(parts, orientation), rest)


def oriented(parts: Sequence[Part], orientation: int) -> list[Part]:
    """The segments of `jpeg_parts` with another orientation; see `jpeg_with_orientation`."""
    parts = list(parts)
    found = [place for place, part in enumerate(parts) if is_exif(part)]
    longer = True
    if found:
        place = found[0]
        block = parts[place].content[len(_EXIF) :]
        content = _EXIF + with_orientation(block, orientation)
        longer = len(content) > len(parts[place].content)
        if longer and len(found) > 1:
            raise UserError(
                "its EXIF spans several segments and has no orientation; rewrite its EXIF as one"
                " segment."
            )
        parts[place] = Part(b"\xe1", content)
    else:
        # Behind JFIF's APP0, which must come first, and APP0's extension.
        place = next(
            (place for place, part in enumerate(parts) if part.kind != b"\xe0"), len(parts)
        )
        parts.insert(place, Part(b"\xe1", _EXIF + with_orientation(b"", orientation)))
    if longer and any(is_multi_picture(part) for part in parts[:place]):
        # Its offsets count from itself: bytes put in behind it would shift the pictures they lead
        # to.
        raise UserError(
            "its EXIF has no orientation and cannot grow without breaking its list of pictures"
            " (MPF); left as it is."
        )
    for number, part in enumerate(parts):
        if part.kind == b"\xe1" and part.content.startswith(_XMP):
            packet = xmp_with_orientation(part.content, orientation)
            parts[number] = part if packet == part.content else Part(b"\xe1", packet)
    return parts


def jpeg_with_picture(data: bytes, made: bytes) -> bytes:
    """A JPEG with the picture of another; its application segments and comments stay, but for the
    orientation, which becomes 1.

    Args:
        data: the file.
        made: a JPEG with the pixels turned; its tables, frame and scans are taken, and Adobe's
            APP14, which tells its colours.

    Raises:
        UserError: when more follows the picture, whose place its segments may tell.
    """
    before, rest = jpeg_parts(data)
    if any(map(is_multi_picture, before)) or after_jpeg(rest).strip(b"\0"):
        raise UserError(
            "more follows its picture (another picture, or a video), which turning pixels would"
            " lose; left as it is."
        )
    kept = [
        part
        for part in before
        if (b"\xe0" <= part.kind <= b"\xef" and part.kind != b"\xee") or part.kind == b"\xfe"
    ]
    for place, part in enumerate(kept):
        if is_exif(part):
            kept[place] = Part(b"\xe1", _EXIF + without_orientation(part.content[len(_EXIF) :]))
        elif part.kind == b"\xe1" and part.content.startswith(_XMP):
            kept[place] = Part(b"\xe1", xmp_with_orientation(part.content, 1))
    parts, scans = jpeg_parts(made)
    return join_jpeg([*kept, *(part for part in parts if part.kind != b"\xe0")], scans)


def is_exif(part: Part) -> bool:
    """Whether a segment of a JPEG is EXIF."""
    return part.kind == b"\xe1" and part.content.startswith(_EXIF)


def is_multi_picture(part: Part) -> bool:
    """Whether a segment of a JPEG lists further pictures behind the first (MPF)."""
    return part.kind == b"\xe2" and part.content.startswith(b"MPF\0")
