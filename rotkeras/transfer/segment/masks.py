"""Masks: the class of every pixel of a photograph, and photographs that have them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rotkeras.data.decode import passes, reason_of
from rotkeras.errors import UserError
from rotkeras.files import as_text
from rotkeras.images import load_pixels, open_image
from rotkeras.transfer.segment.colours import VOC_NAMES, voc_colours

VOID = 255
"""What pixels without a class are in masks that rotkeras hands on."""

MOST_CLASSES = 255
"""Indices are bytes, and one of them is void."""


class MaskError(UserError):
    """A mask that cannot be used.

    Attributes:
        kind: what is wrong, as `rotkeras.transfer.faults.Faults` counts it.
    """

    def __init__(self, path: Path, kind: str, sentence: str) -> None:
        super().__init__(f"The mask {as_text(str(path))!r} {sentence}")
        self.kind = kind


@dataclass(frozen=True, eq=False)
class MaskedImages:
    """Photographs and the masks of their classes, both in files.

    Attributes:
        paths: of the photographs.
        shapes: int32 (N, 3), what `rotkeras.images.read_size` gave: height and width of the upright
            photograph, and the orientation of its stored pixels.
        masks: their files, each of the size of the upright photograph.
        class_names: by index, at most 255.
        void: the index of pixels without a class in the files.
    """

    paths: tuple[Path, ...]
    shapes: NDArray[np.int32]
    masks: tuple[Path, ...]
    class_names: tuple[str, ...]
    void: int = VOID

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def names(self) -> tuple[str, ...]:
        """The file names of the photographs, as text."""
        return tuple(as_text(path.name) for path in self.paths)

    def part(self, positions: Sequence[int] | NDArray[np.integer]) -> "MaskedImages":
        """The photographs at some positions, in that order."""
        chosen = np.asarray(positions, np.int64)
        return replace(
            self,
            paths=tuple(self.paths[each] for each in chosen),
            shapes=self.shapes[chosen],
            masks=tuple(self.masks[each] for each in chosen),
        )

    def digest(self) -> str:
        """What tells these files from others, by their names and sizes in bytes."""
        made = hashlib.sha256("\n".join(self.names).encode())
        for path in (*self.paths, *self.masks):
            made.update(f"{path.stat().st_size} ".encode())
        return made.hexdigest()[:16]

    def draw(self, count: int, seed: int) -> "MaskedImages":
        """So many photographs drawn at random without replacement, in their order; all of them
        where there are no more.

        Args:
            count: at least 1.
            seed: of the draw; a greater count of the same seed holds the smaller one.
        """
        order = np.random.default_rng(seed).permutation(len(self))
        return self.part(np.sort(order[:count]))

    def mask(self, position: int) -> NDArray[np.uint8]:
        """The classes of the pixels of a photograph: uint8 (H, W), void and indices that are no
        class 255.

        Raises:
            MaskError: for a mask that cannot be used.
        """
        indices = read_mask(self.masks[position], self.shapes[position])
        return classes_of(len(self.class_names), self.void)[indices]


@cache
def classes_of(classes: int, void: int) -> NDArray[np.uint8]:
    """Index in a file -> class, or 255 for void and what is no class: uint8 (256,)."""
    table = np.full(256, VOID, np.uint8)
    table[:classes] = np.arange(classes)
    table[void] = VOID
    return table


def read_mask(path: Path, shape: Any) -> NDArray[np.uint8]:
    """Read the indices of a mask: uint8 (H, W), as stored.

    A palette image gives its indices and not its colours; a grey image of 8 or 16 bits gives its
    levels. An image in colour is read by PASCAL VOC's colours where each pixel has one of those of
    its 21 classes or of void (255).

    Args:
        path: of the file.
        shape: height and width of the upright photograph; further values are not used.

    Raises:
        MaskError: for a file that is no whole image, a mask of another size, one that JPEG has
            changed, other colours, and indices above 255.
    """
    try:
        with open_image(path) as image:
            if image.format in ("JPEG", "MPO"):
                raise MaskError(
                    path,
                    "masks are JPEG files, in which indices are not exact (left out)",
                    "is a JPEG file, in which indices are not exact. Write masks as PNG files.",
                )
            pixels = load_pixels(image)
    except MaskError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or passes(error):
            raise
        raise MaskError(
            path,
            "masks could not be read (left out)",
            f"could not be read ({reason_of(error)}). Repair or remove it.",
        ) from error
    height, width = int(shape[0]), int(shape[1])
    if pixels.size != (width, height):
        raise MaskError(
            path,
            "masks are of another size than their image (left out)",
            f"is of {pixels.height}×{pixels.width} pixels, and its photograph, upright, of"
            f" {height}×{width}. Make both of one size.",
        )
    if pixels.mode in ("P", "L", "1"):
        return np.asarray(pixels).astype(np.uint8)
    if pixels.mode.startswith("I"):
        levels = np.asarray(pixels)
        if levels.min() >= 0 and levels.max() <= 255:
            return levels.astype(np.uint8)
        raise MaskError(
            path,
            "masks have indices above 255 (left out)",
            f"has levels from {levels.min()} to {levels.max()}; indices are 0 … 255. Number the"
            " classes from 0.",
        )
    return _of_colours(path, pixels)


def _of_colours(path: Path, pixels: Image.Image) -> NDArray[np.uint8]:
    """The indices of a mask in VOC's colours."""
    indices = np.full((pixels.height, pixels.width), -1)
    if pixels.mode in ("RGB", "RGBA", "RGBX"):
        packed = _packed(np.asarray(pixels)[..., :3])
        # Only those that VOC uses: the colours of other sets occur among its 256 with other
        # meanings.
        table = _packed(voc_colours())
        used = [*range(len(VOC_NAMES)), VOID]
        order = np.argsort(table[used])
        known = table[used][order]
        place = np.minimum(np.searchsorted(known, packed), len(known) - 1)
        indices = np.where(known[place] == packed, np.array(used)[order][place], -1)
    if (indices < 0).any():
        raise MaskError(
            path,
            "masks are in colours that are not those of PASCAL VOC (left out)",
            f"is in colours (mode {pixels.mode}) that are not those of PASCAL VOC's classes."
            " Convert it to indices: a palette or grey PNG file whose levels are the numbers of"
            " the classes.",
        )
    return indices.astype(np.uint8)


def _packed(colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """RGB (…, 3) as one number each."""
    wide = colours.astype(np.int64)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
