"""Images with boxes: VOC's layout, XML files beside images, and what is no set at all."""

import numpy as np
import pytest
from drawn_boxes import HIGH, WIDE, image, only, stems, xml, year
from PIL import Image
from shared_data import shared

from rotkeras.errors import UserError
from rotkeras.transfer.detect.read import find_layout, read_boxes
from rotkeras.transfer.faults import Faults


def test_voc_coordinates_become_edges(tmp_path):
    person = "<difficult>1</difficult><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    year(
        tmp_path,
        {"trainval": ["a"]},
        [("dog", 1, 1, WIDE, HIGH, ""), ("cat", "3", " 4.5 ", 10, 20, person)],
    )
    parts = read_boxes(tmp_path, faults=(faults := Faults("error")))
    boxes = parts["train"].boxes[0]
    assert parts["train"].class_names == ("cat", "dog")
    # 1-based and inclusive: the first pixel alone is (1, 1, 1, 1), and its edges (0, 0, 1, 1).
    assert boxes.corners.tolist() == [[0, 0, WIDE, HIGH], [2, 3.5, 10, 20]]
    assert boxes.classes.tolist() == [1, 0]
    assert boxes.difficult.tolist() == [False, True]
    assert parts["train"].shapes.tolist() == [[HIGH, WIDE, 1]]
    assert [boxes.corners.dtype, boxes.classes.dtype, boxes.difficult.dtype] == [
        np.float32,
        np.int64,
        bool,
    ]
    assert faults.lines() == []


def test_devkit_years_come_together(tmp_path):
    top = tmp_path / "VOCdevkit"
    year(top / "VOC2007", {"train": ["a"], "val": ["b"], "trainval": ["a", "b"], "test": ["c"]})
    year(top / "VOC2012", {"train": ["d"], "val": ["e"]})
    year(top / "Other", {"train": ["x"]})
    # Where a year has a test part it is trained on trainval, as published.
    expected = {"train": ["a", "b", "d"], "validation": ["e"], "test": ["c"]}
    for folder in (top, tmp_path):  # the folder that holds the devkit is taken for it
        faults = Faults()
        assert stems(read_boxes(folder, faults=faults)) == expected
        assert faults.lines() == []
    layout = find_layout(top)
    assert layout.kind == "VOC"
    assert "VOC2007 (trainval.txt is train, test.txt is test)" in layout.note
    assert stems(read_boxes(top / "VOC2012", faults=Faults())) == {
        "train": ["d"],
        "validation": ["e"],
    }


def test_voc_lists_that_are_not_all_there(tmp_path):
    year(tmp_path / "1", {"trainval": ["a", "b"], "val": ["b"]})
    assert stems(read_boxes(tmp_path / "1", faults=Faults())) == {
        "train": ["a"],
        "validation": ["b"],
    }
    year(tmp_path / "2", {"trainval": ["a", "b"], "test": ["c"]})
    assert stems(read_boxes(tmp_path / "2", faults=Faults())) == {
        "train": ["a", "b"],
        "test": ["c"],
    }
    year(tmp_path / "3", {"cat_train": ["b", "a"]})
    assert stems(read_boxes(tmp_path / "3", faults=Faults())) == {"train": ["a", "b"]}
    assert "all of Annotations/ is train" in find_layout(tmp_path / "3").note


def test_voc_images_named_twice_missing_broken_and_without_annotation(tmp_path):
    year(tmp_path, {"train": list("abcdefg"), "val": ["b"]})
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("a  1\nb -1\nc\nd\ne\nf\ng\n\na\n")
    (tmp_path / "Annotations" / "c.xml").unlink()
    (tmp_path / "JPEGImages" / "d.jpg").unlink()
    (tmp_path / "JPEGImages" / "e.jpg").write_bytes(b"no image")
    (tmp_path / "Annotations" / "f.xml").write_text("<annotation><object></annotation>")
    (tmp_path / "JPEGImages" / "g.jpg").unlink()
    image(tmp_path / "JPEGImages" / "g.png")
    faults = Faults()
    parts = read_boxes(tmp_path, faults=faults)
    assert stems(parts) == {"train": ["a", "g"], "validation": ["b"]}
    found = "\n".join(faults.lines())
    for kind, place in [
        ("images are named twice and taken once", "a.jpg"),
        ("images are in two parts", "b.jpg"),
        ("images have no annotation file and are left out", "c.jpg"),
        ("images are missing and are left out", "d.jpg"),
        ("images cannot be read and are left out", "e.jpg (its content is not an image)"),
        ("annotation files cannot be read, and their images are left out", "f.xml"),
    ]:
        (line,) = [each for each in found.splitlines() if each.startswith(kind)]
        assert place in line
    assert len(faults.lines()) == 6


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="unheard-of"?><annotation/>',
        b'<?xml version="1.0" encoding="utf-8"?><annotation>\xff</annotation>',
    ],
)
def test_broken_xml(tmp_path, content):
    year(tmp_path, {"train": ["a", "b"]})
    (tmp_path / "Annotations" / "b.xml").write_bytes(content)
    _, faults = only(tmp_path)
    assert list(faults.places) == ["annotation files cannot be read, and their images are left out"]


@pytest.mark.parametrize(
    ("corners", "kind", "left"),
    [
        ((-3, 5, 60, 20), "boxes reach out of their image and are cut to it", [[0, 4, 40, 20]]),
        ((41, 5, 60, 20), "boxes lie outside of their image and are left out", []),
        ((20, 5, 10, 20), "boxes are empty or inverted and are left out", []),
        ((5, 21, 10, 20), "boxes are empty or inverted and are left out", []),
        (("", 5, 10, 20), "boxes have a coordinate that is no number and are left out", []),
        (("nan", 5, 10, 20), "boxes have a coordinate that is no number and are left out", []),
        ((1, 5, "inf", 20), "boxes have a coordinate that is no number and are left out", []),
        ((1, "five", 9, 20), "boxes have a coordinate that is no number and are left out", []),
    ],
)
def test_wrong_boxes(tmp_path, corners, kind, left):
    year(tmp_path, {"train": ["a"]}, [("cat", 2, 2, 3, 3, ""), ("cat", *corners, "")])
    boxes, faults = only(tmp_path)
    assert boxes.corners.tolist() == [[1, 1, 3, 3], *left]
    assert list(faults.places) == [kind]
    assert faults.places[kind] == [f"{tmp_path}/Annotations/a.xml (object 2, cat)"]
    with pytest.raises(UserError, match=kind):
        read_boxes(tmp_path, faults=Faults("error"))


def test_classes_are_those_of_training_or_those_that_are_asked_for(tmp_path):
    year(tmp_path, {"train": ["a"]}, [("dog", 1, 1, 9, 9, ""), ("cat", 2, 2, 9, 9, "")])
    year(tmp_path, {"test": ["b"]}, [("cow", 1, 1, 9, 9, ""), ("dog", 1, 1, 9, 9, "")])
    faults = Faults()
    parts = read_boxes(tmp_path, faults=faults)
    assert parts["test"].class_names == ("cat", "dog")
    assert parts["test"].boxes[0].classes.tolist() == [1]
    assert list(faults.places) == ["objects have an unknown class and are left out"]

    strict = Faults("error")
    (tmp_path / "ImageSets" / "Main" / "test.txt").unlink()
    parts = read_boxes(tmp_path, faults=strict, classes=["dog"])
    assert parts["train"].class_names == ("dog",)
    assert parts["train"].boxes[0].classes.tolist() == [0]
    # What is not wanted is no fault.
    assert list(strict.places) == ["objects are of classes that are not wanted"]
    with pytest.raises(UserError, match=r"data.classes names 'cow', and the objects are of cat, d"):
        read_boxes(tmp_path, faults=Faults(), classes=["dog", "cow"])
    for wrong in ([], ["dog", "dog"]):
        with pytest.raises(UserError, match="classes must be distinct names"):
            read_boxes(tmp_path, faults=Faults(), classes=wrong)


def test_another_size_and_no_objects(tmp_path):
    year(tmp_path, {"train": ["a", "b", "c"]})
    xml(tmp_path / "Annotations" / "a.xml", ("cat", 1, 1, 9, 9, ""), size=(80, 60))
    xml(tmp_path / "Annotations" / "b.xml")
    xml(tmp_path / "Annotations" / "c.xml", ("cat", 1, 1, 9, 9, ""), size=(0, 0))
    faults = Faults()
    parts = read_boxes(tmp_path, faults=faults)
    assert stems(parts) == {"train": ["b", "c"]}
    assert [len(each) for each in parts["train"].boxes] == [0, 1]
    (size,) = faults.places.pop(
        "annotations give another size than the upright image has, and it is left out"
    )
    assert size.endswith("a.xml (80×60 for 40×30)")
    assert list(faults.places) == ["images have no object and are kept as negatives"]


def test_boxes_are_of_the_upright_image(tmp_path):
    year(tmp_path, {"train": ["a"]}, [("cat", 1, 1, 20, 35, "")])
    exif = Image.Exif()
    exif[0x0112] = 6
    image(tmp_path / "JPEGImages" / "a.jpg", exif=exif)
    xml(tmp_path / "Annotations" / "a.xml", ("cat", 1, 1, 20, 35, ""), size=(HIGH, WIDE))
    faults = Faults()
    images = read_boxes(tmp_path, faults=faults)["train"]
    assert images.shapes.tolist() == [[WIDE, HIGH, 6]]
    assert images.boxes[0].corners.tolist() == [[0, 0, 20, 35]]
    assert faults.lines() == []


def test_xml_beside_images(tmp_path):
    for stem in "abc":
        image(tmp_path / "flat" / f"{stem}.jpg")
    xml(tmp_path / "flat" / "a.xml", ("cat", 1, 1, 9, 9, ""))
    xml(tmp_path / "flat" / "b.xml", ("dog", 1, 1, 9, 9, ""))
    xml(tmp_path / "flat" / "z.xml", ("dog", 1, 1, 9, 9, ""))
    faults = Faults()
    assert stems(read_boxes(tmp_path / "flat", faults=faults)) == {"train": ["a", "b"]}
    assert list(faults.places) == [
        "images have no annotation file and are left out",
        "images are missing and are left out",
    ]
    for part in ("train", "valid"):
        image(tmp_path / "parts" / part / f"{part}.png")
        xml(tmp_path / "parts" / part / f"{part}.xml", ("cat", 1, 1, 9, 9, ""))
    found = read_boxes(tmp_path / "parts", faults=Faults("error"))
    assert stems(found) == {"train": ["train"], "validation": ["valid"]}
    assert "valid/ is validation" in find_layout(tmp_path / "parts").note


def test_what_is_no_set_of_boxes(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_boxes(tmp_path / "gone", faults=Faults())
    image(tmp_path / "a.jpg")
    for path in (tmp_path, tmp_path / "a.jpg"):
        with pytest.raises(UserError, match=r"no layout of images with boxes.*VOC.*COCO.*YOLO"):
            read_boxes(path, faults=Faults())


def test_nothing_left_is_an_error_that_says_why(tmp_path):
    year(tmp_path, {"train": ["a"], "test": ["b"]})
    xml(tmp_path / "Annotations" / "a.xml", ("cat", 5, 5, 2, 2, ""))
    with pytest.raises(UserError, match=r"No image of training is left \(boxes are empty"):
        read_boxes(tmp_path, faults=Faults())
    (tmp_path / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(UserError, match=r"No image of training is left \(images are missing"):
        read_boxes(tmp_path, faults=Faults())


def test_a_real_set():
    faults = Faults()
    parts = read_boxes(shared("voc-mini", "detection", "VOC2007"), faults=faults)
    assert {part: len(images) for part, images in parts.items()} == {"train": 254, "test": 109}
    assert parts["train"].class_names == ("kangaroo", "raccoon")
    for images in parts.values():
        for shape, boxes in zip(images.shapes, images.boxes, strict=True):
            assert len(boxes)
            assert (boxes.corners[:, :2] >= 0).all()
            assert (boxes.corners[:, 2:] <= shape[1::-1]).all()
            assert (boxes.corners[:, 2:] > boxes.corners[:, :2]).all()
    assert faults.lines() == []
