"""Sets of boxes in each layout, and everything that may be wrong in them."""

import json

import numpy as np
import pytest
from PIL import Image
from shared_data import shared

from rotkeras.errors import UserError
from rotkeras.transfer.detect.read import find_layout, read_boxes
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
        ("1 images are named twice and taken once", "a.jpg"),
        ("1 images are in two parts", "b.jpg"),
        ("1 images have no annotation file and are left out", "c.jpg"),
        ("1 images are missing and are left out", "d.jpg"),
        ("1 images cannot be read and are left out", "e.jpg (its content is not an image)"),
        ("1 annotation files cannot be read, and their images are left out", "f.xml"),
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


def coco(file, images, annotations, categories=((7, "dog"), (3, "cat"))):
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in categories],
    }
    file.write_text(json.dumps(content))


def entry(number, name):
    return {"id": number, "file_name": name, "width": WIDE, "height": HIGH}


def box(image_id, corners, category=3, **more):
    return {"image_id": image_id, "bbox": corners, "category_id": category, **more}


@pytest.mark.parametrize("home", ["train2017", "images/train2017", "images/train", "images", "."])
def test_coco_boxes(tmp_path, home):
    image(tmp_path / home / "a.jpg")
    image(tmp_path / "val2017" / "b.jpg")
    coco(
        tmp_path / "annotations" / "instances_train2017.json",
        [entry(5, "a.jpg")],
        [box(5, [1.5, 2, 10, 20]), box(5, [0, 0, 40, 30], 7, iscrowd=1)],
    )
    coco(
        tmp_path / "annotations" / "instances_val2017.json",
        [entry(6, "b.jpg")],
        [box(6, [0, 0, 1, 1], 7)],
    )
    coco(tmp_path / "annotations" / "person_keypoints_train2017.json", [], [])
    parts = read_boxes(tmp_path, faults=(faults := Faults()))
    assert faults.lines() == []
    assert stems(parts) == {"train": ["a"], "validation": ["b"]}
    boxes = parts["train"].boxes[0]
    assert parts["train"].class_names == ("cat", "dog")  # by id, which is 3 and 7
    assert boxes.corners.tolist() == [[1.5, 2, 11.5, 22], [0, 0, 40, 30]]
    assert boxes.classes.tolist() == [0, 1]
    assert boxes.difficult.tolist() == [False, True]
    assert "instances_train2017.json is train" in find_layout(tmp_path).note


def test_coco_in_other_places(tmp_path):
    image(tmp_path / "one" / "a.jpg")
    coco(tmp_path / "one" / "labels.json", [entry(5, "a.jpg")], [box(5, [0, 0, 9, 9])])
    for path in (tmp_path / "one", tmp_path / "one" / "labels.json"):
        assert stems(read_boxes(path, faults=Faults("error"))) == {"train": ["a"]}
    for name in ("train", "valid"):
        image(tmp_path / "two" / name / f"{name}.jpg")
        coco(
            tmp_path / "two" / name / "_annotations.coco.json",
            [entry(5, f"{name}.jpg")],
            [box(5, [0, 0, 9, 9])],
        )
    found = {"train": ["train"], "validation": ["valid"]}
    assert stems(read_boxes(tmp_path / "two", faults=Faults("error"))) == found


def test_of_several_coco_years_the_last_with_training_is_taken(tmp_path):
    for name in ("train2014", "val2014", "train2017", "val2017", "val2019"):
        image(tmp_path / name / f"{name}.jpg")
        coco(
            tmp_path / "annotations" / f"instances_{name}.json",
            [entry(1, f"{name}.jpg")],
            [box(1, [0, 0, 9, 9])],
        )
    assert stems(read_boxes(tmp_path, faults=Faults())) == {
        "train": ["train2017"],
        "validation": ["val2017"],
    }


def test_ugly_coco(tmp_path):
    image(tmp_path / "train" / "a.jpg")
    image(tmp_path / "train" / "negative.jpg")
    coco(
        tmp_path / "annotations" / "instances_train.json",
        [entry(1, "a.jpg"), entry(2, "gone.jpg"), entry(3, "negative.jpg"), {"id": 4}, "text"],
        [
            box(1, [0, 0, 9, 9]),
            box(1, [0, 0, 9]),
            box(1, [0, 0, "x", 9]),
            box(1, [0, 0, 0, 9]),
            box(1, [0, 0, 9, 9], 99),
            box(8, [0, 0, 9, 9]),
            {"bbox": [0, 0, 9, 9]},
            None,
            box(1, [35, 25, 9, 9]),
        ],
    )
    (tmp_path / "annotations" / "instances_val.json").write_text('{"images": [')
    faults = Faults()
    parts = read_boxes(tmp_path, faults=faults)
    assert stems(parts) == {"train": ["a", "negative"]}
    assert parts["train"].boxes[0].corners.tolist() == [[0, 0, 9, 9], [35, 25, 40, 30]]
    assert {kind: len(places) for kind, places in faults.places.items()} == {
        "entries of images lack id or file_name and are left out": 2,
        "annotations are of an image that is not listed and are left out": 1,
        "annotations have no image_id and are left out": 2,
        "annotation files cannot be read": 1,
        "boxes have a coordinate that is no number and are left out": 2,
        "boxes are empty or inverted and are left out": 1,
        "objects have an unknown class and are left out": 1,
        "boxes reach out of their image and are cut to it": 1,
        "images are missing and are left out": 1,
        "images have no object and are kept as negatives": 1,
    }


def yolo(folder, part, stem, *lines):
    image(folder / "images" / part / f"{stem}.jpg")
    if lines:
        file = folder / "labels" / part / f"{stem}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines))


def test_yolo_boxes(tmp_path):
    # The centre (20, 15) of 40 × 30, 20 wide and 15 high; and a triangle.
    yolo(tmp_path, "train", "a", "1 0.5 0.5 0.5 0.5", "0 0.25 0.5 0.5 0.1 0.75 0.9")
    yolo(tmp_path, "val", "b", "0 0.5 0.5 1.000001 1")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    faults = Faults()
    parts = read_boxes(tmp_path, faults=faults)
    assert stems(parts) == {"train": ["a"], "validation": ["b"]}
    assert parts["train"].class_names == ("cat", "dog")
    boxes = parts["train"].boxes[0]
    np.testing.assert_allclose(boxes.corners, [[10, 7.5, 30, 22.5], [10, 3, 30, 27]], atol=1e-5)
    assert boxes.classes.tolist() == [1, 0]
    assert parts["validation"].boxes[0].corners.tolist() == [[0, 0, 40, 30]]
    assert faults.lines() == []  # a rounded share reaches out by less than a pixel
    assert find_layout(tmp_path).note == (
        "YOLO's text files: train has 1 images, validation has 1 images"
    )


@pytest.mark.parametrize(
    "yaml",
    [
        "names: [cat, dog]\ntrain: images/train\nval: images/val\n",
        "names: {0: cat, 1: dog}\ntrain: ../images/train\nval: [../images/val]\n",
        "path: .\nnames: {0: cat, 1: dog}\ntrain: list.txt\nval: images/val\ntest:\n",
        "names: [cat, dog]\nnc: 2\n",
    ],
)
def test_yolo_by_its_yaml(tmp_path, yaml):
    yolo(tmp_path, "train", "a", "1 0.5 0.5 0.5 0.5")
    yolo(tmp_path, "val", "b", "0 0.5 0.5 0.5 0.5")
    (tmp_path / "list.txt").write_text("./images/train/a.jpg\n")
    (tmp_path / "data.yaml").write_text(yaml)
    for path in (tmp_path, tmp_path / "data.yaml"):
        parts = read_boxes(path, faults=Faults("error"))
        assert stems(parts) == {"train": ["a"], "validation": ["b"]}
        assert parts["train"].class_names == ("cat", "dog")


def test_ugly_yolo(tmp_path):
    yolo(tmp_path, "train", "a", "0 0.5 0.5 0.5 0.5", "", "0 0.5 0.5", "0 0.1 0.1 0.1 0.1 0.9")
    yolo(tmp_path, "train", "b", "7 0.5 0.5 0.5 0.5", "cat 0.5 0.5 0.5 0.5", "0 0.5 x 0.5 0.5")
    yolo(tmp_path, "train", "c", "0 200 150 20 20", "0 0.5 0.5 -0.5 0.5", "0 0.9 0.5 0.4 0.4")
    yolo(tmp_path, "train", "d")
    yolo(tmp_path, "train", "e")
    (tmp_path / "labels" / "train" / "e.txt").mkdir()
    (tmp_path / "classes.txt").write_text("cat\n")
    faults = Faults()
    parts = read_boxes(tmp_path, faults=faults)
    # b shows objects, none of which is right: as a negative it would teach that nothing is there.
    assert stems(parts) == {"train": ["a", "c", "d"]}
    assert [len(each) for each in parts["train"].boxes] == [1, 1, 0]
    assert {kind: len(places) for kind, places in faults.places.items()} == {
        "lines are no box and are left out": 2,
        "annotation files cannot be read, and their images are left out": 1,
        "objects have an unknown class and are left out": 2,
        "boxes have a coordinate that is no number and are left out": 1,
        "boxes lie outside of their image and are left out": 1,
        "boxes are empty or inverted and are left out": 1,
        "boxes reach out of their image and are cut to it": 1,
        "images have no box that is right and are left out": 1,
        "images have no object and are kept as negatives": 1,
    }


def test_yolo_without_names_and_broken_yaml(tmp_path):
    yolo(tmp_path, "train", "a", "0 0.5 0.5 0.5 0.5")
    with pytest.raises(UserError, match=r"the names of the classes are missing.*classes\.txt"):
        read_boxes(tmp_path, faults=Faults())
    (tmp_path / "data.yaml").write_text("names: [cat")
    with pytest.raises(UserError, match=r"cannot be read as YAML"):
        read_boxes(tmp_path, faults=Faults())


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
    with pytest.raises(UserError, match=r"No image of training is left \(1 boxes are empty"):
        read_boxes(tmp_path, faults=Faults())
    (tmp_path / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(UserError, match=r"No image of training is left \(1 images are missing"):
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
