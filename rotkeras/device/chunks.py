"""The chunks of PNG and WebP files, taken apart and put together byte for byte."""

import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from rotkeras.device.exif import without_orientation, xmp_with_orientation
from rotkeras.errors import UserError


@dataclass(frozen=True)
class Part:
    """A segment or chunk.

    Attributes:
        kind: of JPEG one byte, the marker's second; of PNG and WebP four letters.
        content: without length, checksum and padding.
        raw: as it stands in the file, for one that is not changed; empty for one that is new.
    """

    kind: bytes
    content: bytes
    raw: bytes = b""


def png_parts(data: bytes) -> list[Part]:
    """The chunks of a PNG; what follows IEND is a last part of kind b"".

    Raises:
        UserError: for data that is no whole PNG.
    """
    parts: list[Part] = []
    place = 8
    while not parts or parts[-1].kind != b"IEND":
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 12 + length
        if end > len(data):
            raise damaged("PNG", place)
        parts.append(Part(data[place + 4 : place + 8], data[place + 8 : end - 4], data[place:end]))
        place = end
    return [*parts, Part(b"", data[place:], data[place:])]


def join_png(parts: Sequence[Part]) -> bytes:
    """The reverse of `png_parts`."""
    chunks = [part.raw or _png_chunk(part) for part in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_with_picture(data: bytes, made: bytes, swapped: bool) -> bytes:
    """A PNG with the picture of another; all its other chunks stay, but for the orientation, which
    becomes 1.

    Args:
        data: the file.
        made: a PNG with the same pixels, turned; its IHDR and IDAT are taken.
        swapped: whether width and height changed places, so that those of a pixel do too.
    """
    picture = png_parts(made)
    parts: list[Part] = [picture[0]]
    for part in png_parts(data)[1:]:
        if part.kind == b"IDAT":
            if parts[-1].kind != b"IDAT":
                parts += [each for each in picture if each.kind == b"IDAT"]
        elif part.kind == b"eXIf":
            parts.append(Part(b"eXIf", without_orientation(part.content)))
        elif part.kind == b"iTXt" and part.content.startswith(b"XML:com.adobe.xmp\0"):
            parts.append(Part(b"iTXt", xmp_with_orientation(part.content, 1)))
        elif part.kind == b"pHYs" and swapped:
            parts.append(Part(b"pHYs", part.content[4:8] + part.content[:4] + part.content[8:]))
        else:
            parts.append(part)
    return join_png(parts)


def _png_chunk(part: Part) -> bytes:
    if not part.kind:
        return part.content
    return (
        struct.pack(">L", len(part.content))
        + part.kind
        + part.content
        + struct.pack(">L", zlib.crc32(part.kind + part.content))
    )


def webp_parts(data: bytes) -> tuple[list[Part], bytes]:
    """The chunks of a WebP, and what follows its RIFF block.

    Raises:
        UserError: for data that is no whole WebP.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or end > len(data):
        raise damaged("WebP", 0)
    parts: list[Part] = []
    place = 12
    while place + 8 <= end:
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        after = place + 8 + length + length % 2
        if after > end:
            raise damaged("WebP", place)
        parts.append(
            Part(data[place : place + 4], data[place + 8 : place + 8 + length], data[place:after])
        )
        place = after
    if not parts:
        raise damaged("WebP", 12)
    return parts, data[end:]


def join_webp(parts: Sequence[Part], rest: bytes) -> bytes:
    """The reverse of `webp_parts`."""
    chunks = b"".join(
        part.raw
        or part.kind
        + struct.pack("<L", len(part.content))
        + part.content
        + bytes(len(part.content) % 2)
        for part in parts
    )
    return b"RIFF" + struct.pack("<L", 4 + len(chunks)) + b"WEBP" + chunks + rest


def webp_with_picture(data: bytes, made: bytes, size: tuple[int, int]) -> bytes:
    """A WebP with the picture of another; its other chunks stay, but for the orientation, which
    becomes 1.

    Args:
        data: the file.
        made: a lossless WebP with the same pixels, turned; its VP8L is taken.
        size: (width, height) of the turned pixels.
    """
    (picture,) = (part for part in webp_parts(made)[0] if part.kind == b"VP8L")
    before, rest = webp_parts(data)
    parts: list[Part] = []
    for part in before:
        if part.kind in (b"VP8 ", b"VP8L"):
            parts.append(picture)
        elif part.kind == b"VP8X":
            canvas = b"".join(struct.pack("<L", side - 1)[:3] for side in size)
            parts.append(Part(b"VP8X", part.content[:4] + canvas))
        elif part.kind == b"EXIF":
            mark = _mark_of(part.content)
            parts.append(Part(b"EXIF", mark + without_orientation(part.content[len(mark) :])))
        elif part.kind == b"XMP ":
            parts.append(Part(b"XMP ", xmp_with_orientation(part.content, 1)))
        elif part.kind != b"ALPH":  # which belongs to a lossy picture
            parts.append(part)
    return join_webp(parts, rest)


def _mark_of(content: bytes) -> bytes:
    """What some programs put before the TIFF block, as in JPEG."""
    mark: bytes = re.match(rb"(Exif\0\0){0,2}", content)[0]  # type: ignore[index]
    return mark


def damaged(form: str, place: int) -> UserError:
    """The error for a file whose parts do not follow one another."""
    return UserError(f"its {form} structure is damaged at byte {place:,}; copy it again.")
