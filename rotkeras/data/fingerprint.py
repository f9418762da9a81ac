"""Fingerprints: what images are, in a few digits, so that changed images are noticed."""

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.files import as_text

if TYPE_CHECKING:
    from rotkeras.data.source import Images, Source

MOST_BYTES = 4 * 2**30
"""Bytes of pixels that are hashed: all images up to here (1.3 GB/s on one core with SHA
instructions, 0.4 GB/s without), otherwise as many as fit, evenly spread."""

_CHUNK_BYTES = 2**24


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """The fingerprint of one part of a source.

    It depends on the order, the names relative to the folder, the labels and the pixels of the
    images; not on the folder they lie in, nor on whether they are held in memory or in a file.

    Attributes:
        content: for JSON: {"images": count, "image_shape": [H, W, 3], "classes": count or None
            without labels, "names": digest or None without names, "labels": digest or None,
            "pixels": digest, "pixels_of": number of images whose pixels are hashed}. A digest has
            sixteen hexadecimal digits.
        names: uint32 (N,), a digest of each name, or None.
        pixels: uint32 (pixels_of,), a digest of the pixels of each hashed image.
    """

    content: dict[str, Any]
    names: NDArray[np.uint32] | None
    pixels: NDArray[np.uint32]

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of the whole content."""
        return hashlib.sha256(repr(sorted(self.content.items())).encode()).hexdigest()[:16]


def fingerprint(images: "Images") -> Fingerprint:
    """The fingerprint of some images; `Images.fingerprint` calculates it once."""
    pixels = _pixel_digests(images)
    names = None
    if images.names is not None:
        names = _digests(_name_bytes(as_text(images.names[int(row)])) for row in images.rows)
    labels = None
    if images.labels is not None:
        numbers = np.ascontiguousarray(images.labels, "<i8").tobytes()
        labels = _short(hashlib.sha256(repr(images.class_names).encode() + numbers))
    content = {
        "images": len(images),
        "image_shape": list(images.image_shape),
        "classes": None if images.labels is None else len(images.class_names),
        "names": None if names is None else _short(hashlib.sha256(names.tobytes())),
        "labels": labels,
        "pixels": _short(hashlib.sha256(pixels.tobytes())),
        "pixels_of": len(pixels),
    }
    return Fingerprint(content, _first_word(names), _first_word(pixels))


def source_fingerprint(source: "Source") -> dict[str, Any]:
    """What a run records of its images, for JSON.

    Returns:
        {"found": number of images before the split and any draw, or None; "names": digest of their
        names, or None; "train": content of its fingerprint; "validation": the same, or None;
        "pillow": version that decoded them}.
    """
    validation = source.validation
    together = validation is None or validation.array is source.train.array
    names = source.train.names if together else None  # else each part has a folder of its own
    return {
        "found": source.found,
        "names": None if names is None else names_digest(names),
        "train": source.train.fingerprint().content,
        "validation": validation.fingerprint().content if validation else None,
        "pillow": version("pillow"),
    }


def names_digest(names: Iterable[str], written: bool = False) -> str:
    """The digest that a fingerprint has of names, in their order.

    Args:
        names: file names relative to their folder.
        written: whether they are as `rotkeras.files.as_text` writes them.
    """
    texts = names if written else map(as_text, names)
    return _short(hashlib.sha256(_digests(map(_name_bytes, texts)).tobytes()))


def difference(
    then: dict[str, Any],
    now: dict[str, Any],
    part: str = "",
    pixels: bool = True,
    when: tuple[str, str] = ("then", "now"),
) -> str | None:
    """What differs between the fingerprints of one part, in words; None when they agree.

    Args:
        then: content of a fingerprint.
        now: content of another.
        part: such as "training", for the sentence.
        pixels: whether image size and pixels are compared; False for images that were resized.
        when: what the two are called.
    """
    words = f"{part} images" if part else "images"
    first, second = when
    if then["images"] != now["images"]:
        return f"{then['images']:,} {words} {first}, {now['images']:,} {second}"
    if pixels and then["image_shape"] != now["image_shape"]:
        return f"{words} of {_size(then)} pixels {first}, of {_size(now)} {second}"
    same = f"the same number of {words}, but"
    if then["names"] and now["names"] and then["names"] != now["names"]:
        return f"{same} other file names"
    if (then["classes"] is None) != (now["classes"] is None):
        return f"{words} with {_labels(then)} {first}, with {_labels(now)} {second}"
    if then["labels"] != now["labels"]:
        return f"{same} other labels or class names"
    alike = then.get("pixels_of") == now.get("pixels_of")  # else they were read in other ways
    if pixels and alike and then["pixels"] != now["pixels"]:
        return f"{same} other pixels"
    return None


def source_difference(
    then: dict[str, Any],
    now: dict[str, Any],
    pixels: bool = True,
    when: tuple[str, str] = ("then", "now"),
) -> str | None:
    """What differs between two fingerprints of sources, in words; None when they agree. The
    arguments are those of `difference`, with what `source_fingerprint` gives."""
    validation = [(each["validation"] or {"images": 0})["images"] for each in (then, now)]
    training = [each["train"]["images"] for each in (then, now)]
    before, after = then["found"], now["found"]
    drawn = training[0] == training[1]  # a fixed number of all
    if drawn and before and after and after - before != validation[1] - validation[0]:
        return f"{before:,} images {when[0]}, {after:,} {when[1]}"
    if (then["validation"] is None) != (now["validation"] is None):
        return f"{validation[0]:,} validation images {when[0]}, {validation[1]:,} {when[1]}"
    differs = difference(then["train"], now["train"], "training", pixels, when)
    if differs is None and then["validation"] is not None:
        differs = difference(then["validation"], now["validation"], "validation", pixels, when)
    if differs is None or not differs.endswith("other pixels"):
        return differs
    if then["pillow"] == now["pillow"]:
        return f"{differs} (a file was replaced, or another decoder read it)"
    return (
        f"{differs} (Pillow {then['pillow']} decoded them {when[0]} and {now['pillow']} {when[1]},"
        f" which may be the cause: pip install pillow=={then['pillow']})"
    )


def sampled_digest(images: "Images") -> str:
    """The digest that evaluations of earlier versions recorded: of rows, labels, and the pixels of
    up to 256 images. It names the files of evaluations on other images."""
    digest = hashlib.sha256(repr((images.image_shape, len(images), images.class_names)).encode())
    digest.update(np.ascontiguousarray(images.rows).tobytes())
    digest.update(b"" if images.labels is None else np.ascontiguousarray(images.labels).tobytes())
    some = np.linspace(0, len(images) - 1, min(256, len(images))).astype(np.int64)
    digest.update(images.take(some).tobytes())
    return _short(digest)


def hashed_positions(images: "Images") -> NDArray[np.int64]:
    """Positions (n,) of the images whose pixels are hashed: all, or as many as `MOST_BYTES` holds,
    evenly spread; fewer of those that stay encoded. They depend on number, size and storage of the
    images alone."""
    most = max(1, MOST_BYTES // int(np.prod(images.image_shape)))
    most = min(most, getattr(images.array, "most_hashed", most))
    count = min(len(images), most)
    return np.linspace(0, len(images) - 1, count).astype(np.int64)


def _pixel_digests(images: "Images") -> NDArray[np.uint8]:
    """uint8 (n, 32): SHA-256 of the pixels of each hashed image."""
    positions = hashed_positions(images)
    chunk = max(1, _CHUNK_BYTES // int(np.prod(images.image_shape)))
    return _digests(
        image
        for start in range(0, len(positions), chunk)
        for image in np.ascontiguousarray(images.take(positions[start : start + chunk]))
    )


def _digests(contents: Iterable[Any]) -> NDArray[np.uint8]:
    """uint8 (n, 32): SHA-256 of each."""
    joined = b"".join(hashlib.sha256(each).digest() for each in contents)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def _name_bytes(name: str) -> bytes:
    """A name, as it is written, in bytes that are the same on every machine: a file system may
    store accents as separate characters."""
    return unicodedata.normalize("NFC", name).encode()


def _first_word(digests: NDArray[np.uint8] | None) -> Any:
    return None if digests is None else digests[:, :4].copy().view("<u4")[:, 0]


def _short(digest: Any) -> str:
    text: str = digest.hexdigest()
    return text[:16]


def _labels(content: dict[str, Any]) -> str:
    return "no labels" if content["classes"] is None else f"{content['classes']} classes"


def _size(content: dict[str, Any]) -> str:
    height, width, _ = content["image_shape"]
    return f"{height}×{width}"
