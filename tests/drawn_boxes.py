"""Small sets of images with boxes in the layouts of VOC, for the tests of their readers."""

import numpy as np
from PIL import Image

from rotkeras.transfer.detect.read import read_boxes
from rotkeras.transfer.faults import Faults

WIDE, HIGH = 40, 30


def image(path, size=(WIDE, HIGH), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(path, **options)


def xml(path, *objects, size=(WIDE, HIGH)):
    """Objects are (name, xmin, ymin, xmax, ymax, further elements)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(
        f"<object><name>{name}</name>{more}<bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d, more in objects
    )
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    path.write_text(f"<annotation>{sides}{body}</annotation>")


def year(folder, lists, objects=(("cat", 1, 1, 10, 10, ""),)):
    """One year of VOC; all images have the same objects."""
    for name, stems in lists.items():
        file = folder / "ImageSets" / "Main" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{stem}\n" for stem in stems))
        for stem in stems:
            image(folder / "JPEGImages" / f"{stem}.jpg")
            xml(folder / "Annotations" / f"{stem}.xml", *objects)
    return folder


def stems(parts):
    return {part: [path.stem for path in images.paths] for part, images in parts.items()}


def only(folder, **options):
    """(the boxes of the only image, the faults)."""
    faults = Faults()
    (boxes,) = read_boxes(folder, faults=faults, **options)["train"].boxes
    return boxes, faults
