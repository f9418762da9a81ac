"""Images with boxes, whatever layout they lie in."""

import os
from collections.abc import Sequence

from rotkeras.arguments.accepted import AnyPath, Text
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError
from rotkeras.files import as_text, expanded
from rotkeras.transfer.detect import coco_json, voc_xml, yolo_txt
from rotkeras.transfer.detect.boxes import BoxedImages
from rotkeras.transfer.detect.written import Layout, settle
from rotkeras.transfer.faults import Faults


@checked
def read_boxes(
    folder: AnyPath,
    *,
    faults: Faults,
    classes: Sequence[Text] | None = None,
) -> dict[str, BoxedImages]:
    """Read a set of images with boxes; its layout is found as `find_layout` tells.

    Boxes are of the image as a viewer shows it: EXIF orientation is applied first.

    Args:
        folder: of the set, or its JSON or YAML file.
        faults: whatever is wrong is added to it, and left out.
        classes: names of those that are wanted, in the order that they get. None for all: of XML
            the sorted names of training, of COCO the categories by id, of YOLO its names.

    Returns:
        "train", "validation" and "test", as far as they are there, with images. A VOC set that has
        only a trainval.txt gives it as "train".

    Raises:
        UserError: for a path that has no such layout, where no image or no object of training is
            left, and at the first fault if `faults` says so.

    Example:
        faults = Faults()
        parts = read_boxes("VOCdevkit", faults=faults)
        print(len(parts["train"]), parts["train"].class_names, *faults.lines(), sep="\\n")
    """
    return settle(find_layout(folder).read(faults), faults, classes)


def find_layout(folder: str | os.PathLike[str]) -> Layout:
    """How a set of images with boxes lies in its folder; `note` of the result says it to people.

    - VOC: VOCdevkit with VOC2007/ and others, or one of them: Annotations/, JPEGImages/ and
      ImageSets/Main/. Where test.txt is there, trainval.txt is training, as
      published; otherwise train.txt and val.txt, where they are there.
    - COCO: annotations/instances_train2017.json and so on, with images in train2017/ or
      images/train2017/; _annotations.coco.json in train/, valid/ and test/; or a JSON file.
    - YOLO: a YAML file with names, train and val; or images/ and labels/ with a classes.txt.
    - XML: images with a file of VOC's XML beside each, flat or in train/, val/ and test/.

    Args:
        folder: of the set, or its JSON or YAML file.

    Raises:
        UserError: for a path that does not exist or has none of these layouts.
    """
    path = expanded(folder)
    shown = as_text(str(path))
    if not path.exists():
        raise UserError(f"The set of boxes {shown!r} does not exist. Give its folder.")
    if path.is_dir():
        found = (
            voc_xml.find_years(path)
            or coco_json.find_coco(path)
            or yolo_txt.find_yolo(path)
            or coco_json.find_loose(path)
            or voc_xml.find_beside(path)
        )
    elif path.suffix.lower() == ".json":
        found = coco_json.find_loose(path)
    elif path.suffix.lower() in (".yaml", ".yml"):
        found = yolo_txt.find_yolo(path)
    else:
        found = None
    if found is None:
        raise UserError(
            f"{shown!r} has no layout of images with boxes that is known. It must hold VOC2007/ or"
            " Annotations/ and JPEGImages/ (VOC), annotations/instances_train.json (COCO),"
            " data.yaml or images/ and labels/ (YOLO), or images with an .xml beside each."
        )
    return found
