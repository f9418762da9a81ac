"""Sets of masks from a path alone: layouts, classes, and every ugly file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shared_data import shared

from rotkeras.errors import UserError
from rotkeras.transfer.faults import Faults
from rotkeras.transfer.segment.colours import VOC_NAMES, voc_colours
from rotkeras.transfer.segment.read import read_masks

SIDES = (12, 16)
LISTS = {"train": ["a", "b"], "val": ["c"], "trainval": ["a", "b", "c"], "test": ["d"]}


def photograph(path, sides=SIDES):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*sides, 3), 90, np.uint8)).save(path)


def mask(path, indices=(0, 1, 2), sides=SIDES):
    """Stripes of some indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    row = np.resize(np.array(indices, np.uint8), sides[1])
    Image.fromarray(np.tile(row, (sides[0], 1))).save(path)


def pair(folder, stem, indices=(0, 1, 2), images="images", masks="masks"):
    photograph(folder / images / f"{stem}.jpg")
    mask(folder / masks / f"{stem}.png", indices)


def voc(folder, lists, indices=(0, 1, 2)):
    for name, stems in lists.items():
        file = folder / "ImageSets/Segmentation" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{stem}\n" for stem in stems))
        for stem in stems:
            pair(folder, stem, indices, "JPEGImages", "SegmentationClass")
    return folder


def read(folder, **more):
    faults = Faults()
    return read_masks(folder, faults=faults, **more), faults


def named(found):
    return {part: [Path(name).stem for name in each.names] for part, each in found.parts.items()}


class TestVoc:
    def test_train_and_val_are_used_where_both_are_there(self, tmp_path):
        found, faults = read(voc(tmp_path / "VOC2012", LISTS))
        assert named(found) == {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
        assert faults.lines() == []
        train = found.parts["train"]
        assert train.shapes.dtype == np.int32
        assert train.shapes.tolist() == [[12, 16, 1]] * 2
        assert [each.name for each in train.masks] == ["a.png", "b.png"]
        assert found.class_names == train.class_names == ("0", "1", "2")
        assert "PASCAL VOC's layout in VOC2012" in found.notes[0]
        assert "numbers up to 2" in found.notes[-1]

    def test_trainval_is_training_where_train_or_val_is_missing(self, tmp_path):
        lists = {name: LISTS[name] for name in ("train", "trainval")}
        found, _ = read(voc(tmp_path, lists))
        assert named(found) == {"train": ["a", "b", "c"]}

    def test_without_lists_every_mask_is_training(self, tmp_path):
        pair(tmp_path, "a", images="JPEGImages", masks="SegmentationClass")
        photograph(tmp_path / "JPEGImages/of_detection.jpg")
        found, faults = read(tmp_path)
        assert named(found) == {"train": ["a"]}
        assert faults.lines() == []
        assert any("no list" in note for note in found.notes)

    @pytest.mark.parametrize("above", ["", "VOCdevkit"])
    def test_the_last_year_of_a_devkit_is_used(self, tmp_path, above):
        for year, stem in (("VOC2007", "old"), ("VOC2012", "new")):
            voc(tmp_path / above / year, {"train": [stem], "val": [f"{stem}_val"]})
        found, _ = read(tmp_path)
        assert named(found) == {"train": ["new"], "validation": ["new_val"]}
        assert any("VOC2012 is used, and not VOC2007" in note for note in found.notes)

    def test_a_test_part_without_masks_is_one_note(self, tmp_path):
        voc(tmp_path, LISTS)
        (tmp_path / "SegmentationClass/d.png").unlink()
        found, faults = read(tmp_path)
        assert set(found.parts) == {"train", "validation"}
        assert faults.lines() == []
        assert any("the test part has no masks" in note for note in found.notes)

    def test_lines_of_paths_and_of_further_columns_name_images(self, tmp_path):
        voc(tmp_path, {"train": ["a"], "val": ["two words"]})
        (tmp_path / "ImageSets/Segmentation/train.txt").write_text(
            "/JPEGImages/a.jpg /SegmentationClassRaw/other.png\r\n\n"
        )
        found, faults = read(tmp_path)
        assert named(found) == {"train": ["a"], "validation": ["two words"]}
        assert faults.lines() == []

    def test_all_21_classes_have_the_names_of_voc(self, tmp_path):
        voc(tmp_path, {"train": ["a", "b"]}, range(11))
        mask(tmp_path / "SegmentationClass/b.png", [*range(10, 21), 255])
        found, _ = read(tmp_path)
        assert found.class_names == VOC_NAMES
        mask(tmp_path / "SegmentationClass/b.png", range(10, 20))
        assert read(tmp_path)[0].class_names == tuple(map(str, range(20)))
        mask(tmp_path / "SegmentationClass/b.png", range(10, 22))
        assert read(tmp_path)[0].class_names == tuple(map(str, range(22)))


class TestFolders:
    @pytest.mark.parametrize("masks", ["masks", "labels", "annotations"])
    def test_files_of_the_same_names(self, tmp_path, masks):
        pair(tmp_path, "a", masks=masks)
        pair(tmp_path, "b.v2", masks=masks)
        (tmp_path / "images/Thumbs.db").write_text("")
        found, faults = read(tmp_path)
        assert named(found) == {"train": ["a", "b.v2"]}
        assert faults.lines() == []
        assert found.notes[0] == f"files of the same names in images/ and {masks}/ is recognised"

    def test_parts_below_and_above(self, tmp_path):
        for part in ("train", "val", "test"):
            pair(tmp_path / "above" / part, part)
            pair(tmp_path / "below", part, images=f"images/{part}", masks=f"masks/{part}")
        expected = {"train": ["train"], "validation": ["val"], "test": ["test"]}
        assert named(read(tmp_path / "above")[0]) == expected
        assert named(read(tmp_path / "below")[0]) == expected

    def test_other_folders_are_told_what_is_accepted(self, tmp_path):
        photograph(tmp_path / "cats/a.jpg")
        with pytest.raises(UserError, match="holds no masks: it must have JPEGImages"):
            read(tmp_path)
        with pytest.raises(UserError, match="does not exist"):
            read(tmp_path / "gone")
        with pytest.raises(UserError, match="is no folder"):
            read(tmp_path / "cats/a.jpg")

    def test_a_set_without_training_is_an_error_that_says_why(self, tmp_path):
        photograph(tmp_path / "images/a.jpg")
        (tmp_path / "masks").mkdir()
        with pytest.raises(UserError, match=r"no image of training.*images have no mask.*: 1"):
            read(tmp_path)


class TestClasses:
    def test_names_are_given_or_those_of_a_file(self, tmp_path):
        pair(tmp_path, "a")
        assert read(tmp_path, class_names=["x", "y", "z"])[0].class_names == ("x", "y", "z")
        (tmp_path / "classes.txt").write_text("sky\nroad\ncar \n\n", encoding="utf-8-sig")
        found, faults = read(tmp_path)
        assert found.class_names == ("sky", "road", "car")
        assert "classes.txt" in found.notes[-1]
        assert faults.lines() == []
        (tmp_path / "classes.txt").write_text("sky\n\ncar\n")
        with pytest.raises(
            UserError, match=r"classes.txt must have a class on each line, and line 2"
        ):
            read(tmp_path)

    def test_given_names_cannot_rename_masks(self, tmp_path):
        pair(tmp_path, "a")
        (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
        assert read(tmp_path, class_names=["sky", "road", "car"])[0].class_names[0] == "sky"
        with pytest.raises(
            UserError, match=r"data.classes differs from .*classes.txt, which has s"
        ):
            read(tmp_path, class_names=["road", "sky", "car"])
        (tmp_path / "classes.txt").unlink()
        mask(tmp_path / "masks" / "a.png", [0, 1, 3])
        with pytest.raises(UserError, match="has 3 names, and the masks have indices up to 3"):
            read(tmp_path, class_names=["x", "y", "z"])

    @pytest.mark.parametrize("names", [["a", "a", "b"], ["a"], ["a", " "], []])
    def test_wrong_names_are_refused(self, tmp_path, names):
        pair(tmp_path, "a")
        with pytest.raises(UserError, match="class_names must have 2 to 255 names"):
            read(tmp_path, class_names=names)
        (tmp_path / "labels.txt").write_text("\n".join(names))
        with pytest.raises(UserError, match=r"labels\.txt must have 2 to 255 names"):
            read(tmp_path)

    @pytest.mark.parametrize("names", [None, ["no", "yes"]])
    def test_masks_of_0_and_255_are_not_taken_for_void(self, tmp_path, names):
        pair(tmp_path, "a", [0, 255])
        with pytest.raises(UserError, match="one class.*divide those of 0 and 255 by 255"):
            read(tmp_path, class_names=names)

    def test_another_index_may_be_void(self, tmp_path):
        pair(tmp_path, "a", [0, 1, 2])
        found, faults = read(tmp_path, void=0)
        assert np.unique(found.parts["train"].mask(0)).tolist() == [1, 2, 255]
        assert faults.lines() == []


class TestFaults:
    def test_each_ugly_file_is_left_out_and_counted(self, tmp_path):
        for stem in ("good", "small", "broken", "void", "coloured", "cut", "text", "high", "jpeg"):
            pair(tmp_path, stem)
        images, masks = tmp_path / "images", tmp_path / "masks"
        photograph(images / "no_mask.jpg")
        mask(masks / "no_image.png")
        photograph(images / "good.png")  # of the same name as good.jpg
        mask(masks / "small.png", sides=(6, 8))
        (masks / "broken.png").write_text("no image")
        mask(masks / "void.png", [255])
        Image.fromarray(np.full((*SIDES, 3), 7, np.uint8)).save(masks / "coloured.png")
        noise = np.random.default_rng(0).integers(0, 256, (*SIDES, 3), np.uint8)
        Image.fromarray(noise).save(images / "cut.jpg")
        whole = (images / "cut.jpg").read_bytes()
        (images / "cut.jpg").write_bytes(whole[:-100])  # its header is whole
        (images / "text.jpg").write_text("no image")
        mask(masks / "high.png", [0, 1, 7])
        (masks / "jpeg.png").unlink()
        Image.fromarray(np.zeros(SIDES, np.uint8)).save(masks / "jpeg.jpg")
        (tmp_path / "classes.txt").write_text("a\nb\nc\n")
        found, faults = read(tmp_path)
        assert named(found) == {"train": ["good", "high"]}
        # Indices that are no class become void.
        assert np.unique(found.parts["train"].mask(1)).tolist() == [0, 1, 255]
        counted = {
            kind: sorted(Path(each.split(" (")[0]).stem for each in places)
            for kind, places in faults.places.items()
        }
        assert counted == {
            "images are named again, and are used once": ["good"],
            "images have no mask (left out)": ["no_mask"],
            "masks or names of lists have no image (left out)": ["no_image"],
            "masks are of another size than their image (left out)": ["small"],
            "masks could not be read (left out)": ["broken"],
            "masks are void everywhere (left out)": ["void"],
            "masks are in colours that are not those of PASCAL VOC (left out)": ["coloured"],
            "images could not be read (left out)": ["cut", "text"],
            "masks have indices that are no class (those pixels become void)": ["high"],
            "masks are JPEG files, in which indices are not exact (left out)": ["jpeg"],
        }

    def test_lists_may_name_an_image_twice_or_one_that_is_not_there(self, tmp_path):
        voc(tmp_path, {"train": ["a", "b", "a"], "val": ["b", "c", "gone"]})
        for path in tmp_path.rglob("gone.*"):
            path.unlink()
        found, faults = read(tmp_path)
        # What training has is not validated on.
        assert named(found) == {"train": ["a", "b"], "validation": ["c"]}
        assert {kind: len(places) for kind, places in faults.places.items()} == {
            "images are named again, and are used once": 2,
            "masks or names of lists have no image (left out)": 1,
        }

    def test_the_first_is_an_error_where_that_is_asked_for(self, tmp_path):
        pair(tmp_path, "a")
        mask(tmp_path / "masks/a.png", sides=(6, 8))
        with pytest.raises(UserError, match=r"a\.png: masks are of another size"):
            read_masks(tmp_path, faults=Faults("error"))

    def test_masks_in_the_colours_of_voc_are_read(self, tmp_path):
        pair(tmp_path, "a")
        indices = np.resize(np.array([0, 5, 255], np.uint8), SIDES)
        Image.fromarray(voc_colours(256)[indices]).save(tmp_path / "masks/a.png")
        found, faults = read(tmp_path)
        assert faults.lines() == []
        np.testing.assert_array_equal(found.parts["train"].mask(0), indices)

    def test_masks_are_of_the_upright_photograph(self, tmp_path):
        pair(tmp_path, "a")
        turned = Image.fromarray(np.zeros((16, 12, 3), np.uint8))  # upright it is 12×16
        exif = Image.Exif()
        exif[274] = 6
        turned.save(tmp_path / "images/a.jpg", exif=exif)
        found, faults = read(tmp_path)
        assert faults.lines() == []
        assert found.parts["train"].shapes.tolist() == [[12, 16, 6]]


def test_camvid_in_the_layout_of_voc():
    found, faults = read(shared("voc-mini", "segmentation"))
    assert faults.lines() == []
    sizes = {part: len(each) for part, each in found.parts.items()}
    assert sizes == {"train": 184, "validation": 101, "test": 117}
    assert found.class_names == tuple(map(str, range(11)))
    train = found.parts["train"]
    with Image.open(train.masks[0]) as image:
        np.testing.assert_array_equal(train.mask(0), np.asarray(image))
    assert train.names[0].removesuffix(".jpg") == train.masks[0].stem
