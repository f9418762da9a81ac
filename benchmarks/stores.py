"""Pixels of the three stores, by format: differences in grey levels.

    python benchmarks/stores.py PHOTOGRAPHS

PHOTOGRAPHS is a folder of image files, of which two hundred are written in each format. Squares of
`file` and `encoded` are compared with those of `memory`; crops that are cut from files at a reduced
decode with crops of the whole photograph, by Pillow.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from rotkeras import data
from rotkeras.data.augmentation import random_resized_crop
from rotkeras.data.encoded import whole_pixels
from rotkeras.data.keyed import Key

SIZE, COUNT = 24, 200
FORMATS = {
    "JPEG": (".jpg", {"quality": 90}),
    "JPEG, progressive": (".jpg", {"quality": 90, "progressive": True}),
    "JPEG, grey": (".jpg", {"quality": 90}),
    "JPEG, CMYK": (".jpg", {"quality": 90}),
    "PNG": (".png", {}),
    "WebP": (".webp", {"quality": 90}),
    "TIFF": (".tif", {}),
    "HEIC": (".heic", {"quality": 90}),
}
MODES = {"JPEG, grey": "L", "JPEG, CMYK": "CMYK"}


def main() -> None:
    """See above."""
    files = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
    originals = [Image.open(path).convert("RGB") for path in files[:: len(files) // COUNT][:COUNT]]
    if "HEIC" in FORMATS:
        import pillow_heif

        pillow_heif.register_heif_opener()
    print(f"{'format':<18} {'file':>5} {'encoded':>8}   crops: mean, 99 %, largest")
    for name, (ending, options) in FORMATS.items():
        with tempfile.TemporaryDirectory() as top:
            os.environ["XDG_CACHE_HOME"] = f"{top}/cache"
            folder = Path(top) / "photographs"
            folder.mkdir()
            for number, image in enumerate(originals):
                exif = Image.Exif()
                exif[274] = 1 + number % 8
                given = image.convert(MODES.get(name, "RGB"))
                given.save(folder / f"{number:03}{ending}", exif=exif, **options)
            squares = {}
            for storage in ("memory", "file", "encoded"):
                source = data.load(folder, image_size=SIZE, storage=storage, validation_fraction=0)
                squares[storage] = source.train.take(slice(None)).astype(int)
            differences = [
                np.abs(squares[each] - squares["memory"]).max() for each in ("file", "encoded")
            ]
            array = source.train.array
            rows = np.arange(len(source.train))
            sides = array.sides(rows)
            boxes, _ = random_resized_crop().boxes(Key(np.int64(0), np.int64(0), rows), sides)
            crops = array.crops(rows, boxes, (SIZE, SIZE)).astype(int)
            whole = []
            for row, box in zip(rows, whole_pixels(boxes, sides).tolist(), strict=True):
                image = ImageOps.exif_transpose(Image.open(folder / source.train.names[row]))
                left, upper, wide, tall = box[1], box[0], box[3], box[2]
                cut = image.convert("RGB").crop((left, upper, left + wide, upper + tall))
                whole.append(np.asarray(cut.resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
            apart = np.abs(crops - np.stack(whole).astype(int))
            print(
                f"{name:<18} {differences[0]:>5} {differences[1]:>8}   "
                f"{apart.mean():.2f}, {np.percentile(apart, 99):.0f}, {apart.max()}"
            )


if __name__ == "__main__":
    main()
