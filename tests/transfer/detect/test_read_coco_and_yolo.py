"""Images with boxes: COCO's JSON and YOLO's text files, whole and broken."""

import json

import numpy as np
import pytest
from drawn_boxes import HIGH, WIDE, image, stems

from rotkeras.errors import UserError
from rotkeras.transfer.detect.read import find_layout, read_boxes
from rotkeras.transfer.faults import Faults


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
