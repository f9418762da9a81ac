"""Images that lists name, VOC folders, and ImageNet's validation list."""

import numpy as np
import pytest
from PIL import Image

from rotkeras.audit.collection import open_collection
from rotkeras.data import load
from rotkeras.data.lists import read_list
from rotkeras.embedding.image_sources import open_images
from rotkeras.errors import UserError

SIZE = 8


def image(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIZE, SIZE, 3), value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Six images, whose pixels are 0, 10, …, 50."""
    for number in range(6):
        image(tmp_path / "images" / f"{'ab'[number % 2]}" / f"{number}.png", 10 * number)
    return tmp_path


NAMES = ["a/0.png", "b/1.png", "a/2.png", "b/3.png", "a/4.png", "b/5.png"]


def values(images):
    return images.take(slice(None))[:, 0, 0, 0].tolist()


def written(folder, name, *lines):
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


LAYOUTS = {
    "header.csv": ["path,label", *(f"images/{each},{each[0]}" for each in NAMES)],
    "plain.csv": [f"images/{each},{each[0]}" for each in NAMES],
    "places205.csv": [f"images/{each} {'ab'.index(each[0])}" for each in NAMES],
    "semantic.tsv": ["label\tfilename", *(f"{each[0]}\timages/{each}" for each in NAMES)],
    "pairs.txt": ["# made by hand", "", *(f"./images/{each} {each[0]}" for each in NAMES)],
    "places365.txt": [f"/images/{each} {'ab'.index(each[0])}" for each in NAMES],
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("storage", ["memory", "encoded"])
def test_paths_and_labels_of_every_layout(folder, name, storage):
    path = written(folder, name, *LAYOUTS[name])
    source = load(str(path), image_size=SIZE, validation_fraction=0, storage=storage)
    assert source.name == name.partition(".")[0]
    assert values(source.train) == [0, 10, 20, 30, 40, 50]
    assert source.train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert source.train.class_names == (("0", "1") if "places" in name else ("a", "b"))
    unlabelled = load(path, image_size=SIZE, labels="none", validation_fraction=0)
    assert unlabelled.train.labels is None


def test_paths_alone_and_paths_with_spaces(folder):
    image(folder / "images" / "my cat.png", 200)
    path = written(folder, "list.txt", "images/my cat.png", "images/a/0.png")
    source = load(path, image_size=SIZE, validation_fraction=0)
    assert (values(source.train), source.train.labels) == ([200, 0], None)


def test_absolute_paths_and_a_folder_where_paths_begin(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = written(elsewhere, "absolute.txt", *(str(folder / "images" / each) for each in NAMES))
    source = load(path, image_size=SIZE, validation_fraction=0)
    assert values(source.train) == [0, 10, 20, 30, 40, 50]
    assert source.train.names[0] == "a/0.png"
    path = written(elsewhere, "relative.txt", *NAMES)
    with pytest.raises(UserError, match=r"None of the first files .*a/0\.png'\. Name the folder"):
        load(path)
    source = load(path, list_folder=folder / "images", image_size=SIZE, validation_fraction=0)
    assert values(source.train) == [0, 10, 20, 30, 40, 50]


def test_parts_in_a_column(folder):
    parts = ["train", "train", "val", "validation", "test", "train"]
    rows = [f"images/{n},{n[0]},{p}" for n, p in zip(NAMES, parts, strict=True)]
    source = load(written(folder, "all.csv", "path,label,split", *rows), image_size=SIZE)
    assert values(source.train) == [0, 10, 50]
    assert values(source.validation) == [20, 30]
    assert values(source.test) == [40]
    assert source.validation.class_names == source.train.class_names == ("a", "b")
    assert "parts are those in all.csv" in source.notes
    assert "data.validation_fraction is not used: validation images have a list" in source.notes
    wrong = written(folder, "wrong.csv", "path,split", "images/a/0.png,half")
    with pytest.raises(UserError, match="must be train, validation or test, got 'half'"):
        load(wrong)


def test_lists_of_other_parts_share_the_classes_of_training(folder):
    train = written(folder, "train.txt", *(f"images/{each} {each[0]}" for each in NAMES[:4]))
    other = written(folder, "val.txt", f"images/{NAMES[5]} b")
    test = written(folder, "test.txt", f"images/{NAMES[4]} a")
    source = load(train, validation_list=other, test_list=test, image_size=SIZE)
    assert source.validation.labels.tolist() == [1]
    assert source.test.labels.tolist() == [0]
    unknown = written(folder, "other.txt", f"images/{NAMES[4]} c")
    with pytest.raises(UserError, match="has the class 'c', which training does not have"):
        load(train, validation_list=unknown, image_size=SIZE)
    with pytest.raises(UserError, match="validation_list needs a list as the source"):
        load(folder / "images", validation_list=other)


def test_a_listed_file_that_is_not_there_or_broken_is_skipped_and_named(folder):
    (folder / "broken.png").write_bytes(b"no image")
    lines = ["images/a/0.png", "images/gone.png", "broken.png", "images/b/1.png"]
    path = written(folder, "list.txt", *lines)
    for storage in ("memory", "encoded"):
        source = load(path, image_size=SIZE, validation_fraction=0, storage=storage)
        assert values(source.train) == [0, 10]
        found = sorted(each.path.rpartition("/")[2] for each in source.skipped)
        assert found == ["broken.png", "gone.png"]
    with pytest.raises(UserError, match=r"gone\.png"):
        load(path, on_bad_image="error")


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("empty.txt", [""], "names no image"),
        ("columns.csv", ["label,split", "a,train"], "has the columns label, split, and none of"),
        ("ragged.csv", ["path,label", "images/a/0.png"], "must have as many columns"),
    ],
)
def test_mistakes_in_lists_are_sentences(folder, name, lines, words):
    path = written(folder, name, *lines)
    with pytest.raises(UserError, match=words) as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_list_that_does_not_exist():
    with pytest.raises(UserError, match=r"The list 'nothing\.csv' does not exist"):
        load("nothing.csv")


def test_labels_that_are_numbers_are_sorted_as_numbers(folder):
    lines = [
        f"images/{each} {label}" for each, label in zip(NAMES, (10, 9, 10, 9, 2, 2), strict=True)
    ]
    source = load(written(folder, "list.txt", *lines), image_size=SIZE, validation_fraction=0)
    assert source.train.class_names == ("2", "9", "10")
    assert source.train.labels.tolist() == [2, 1, 2, 1, 0, 0]


def test_embed_and_audit_read_lists(folder):
    parts = ["train"] * 5 + ["test"]
    rows = [f"images/{n},{n[0]},{p}" for n, p in zip(NAMES, parts, strict=True)]
    path = written(folder, "all.csv", "path,label,split", *rows)
    images = open_images(str(path))(SIZE)
    assert (len(images), images.labels.tolist()) == (6, [0, 1, 0, 1, 0, 1])
    assert images.read(images.item(2), SIZE)[0, 0, 0] == 20
    assert len(open_images(str(path), split="test")(SIZE)) == 1
    with pytest.raises(UserError, match="has no part 'half'"):
        open_images(str(path), split="half")
    found = open_collection(str(path), image_size=SIZE)
    assert found.trained_on.tolist() == [True] * 5 + [False]
    assert found.folders == ("(test set)", "a", "b")
    assert found.read(1).pixels[0, 0, 0] == 10


@pytest.fixture
def voc(tmp_path):
    """A VOCdevkit of one year; masks lie beside the photographs."""
    top = tmp_path / "VOCdevkit" / "VOC2007"
    for number in range(6):
        image(top / "JPEGImages" / f"{number:06}.jpg", 10 * number)
        image(top / "SegmentationClass" / f"{number:06}.png", 1)
    lists = top / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").write_text("000000\n000001\n000002\n000004\n")
    (lists / "cat_trainval.txt").write_text("000000  1\n")
    (lists / "test.txt").write_text("000003\n000005\n")
    return top


def test_voc_is_read_by_its_lists(voc):
    for place in (voc, voc.parent):
        source = load(place, image_size=SIZE, validation_fraction=0.25)
        assert (len(source.train), len(source.validation)) == (3, 1)
        assert values(source.test) == pytest.approx([30, 50], abs=2)
        assert source.train.labels is None
        assert any(line.startswith("VOC: trainval.txt of ImageSets/Main") for line in source.notes)
        found = open_collection(place, image_size=SIZE)
        assert found.trained_on.tolist() == [True] * 4 + [False] * 2
    other = voc.parent / "VOC2012"
    (other / "JPEGImages").mkdir(parents=True)
    (other / "ImageSets").mkdir()
    with pytest.raises(UserError, match="holds VOC2007, VOC2012: give the folder of one"):
        load(voc.parent)
    with pytest.raises(UserError, match=r"has no ImageSets/Main/trainval\.txt"):
        load(other)


def imagenet(top, validation):
    """The layout of ImageNet: classes in train/, a flat val/."""
    for number in range(6):
        image(top / "train" / ("n01", "n02")[number % 2] / f"{number}.JPEG", 10 * number)
    for number in range(3):
        image(top / "val" / f"ILSVRC2012_val_0000000{number}.JPEG", 100 + 10 * number)
    for name, text in validation.items():
        (top / name).write_text(text)
    return top


@pytest.mark.parametrize(
    "validation",
    [
        {"val.txt": "".join(f"ILSVRC2012_val_0000000{n}.JPEG {n % 2}\n" for n in range(3))},
        {
            "val/val.txt": "".join(
                f"ILSVRC2012_val_0000000{n}.JPEG n0{n % 2 + 1}\n" for n in (0, 1, 2)
            )
        },
        {
            "LOC_val_solution.csv": "ImageId,PredictionString\n"
            + "".join(f"ILSVRC2012_val_0000000{n},n0{n % 2 + 1} 1 2 3 4 \n" for n in range(3))
        },
    ],
    ids=["numbers", "classes", "kaggle"],
)
def test_the_classes_of_a_flat_val_folder_are_those_of_its_list(tmp_path, validation):
    source = load(imagenet(tmp_path, validation), image_size=SIZE)
    assert source.validation.class_names == source.train.class_names == ("n01", "n02")
    assert source.validation.labels.tolist() == [0, 1, 0]
    name = next(iter(validation)).rpartition("/")[2]
    assert f"classes of val/ are those in {name}" in source.notes
    assert not any("belong" in line for line in source.notes)


def test_a_list_that_leaves_an_image_out(tmp_path):
    imagenet(tmp_path, {"val.txt": "ILSVRC2012_val_00000000.JPEG 0\n"})
    with pytest.raises(UserError, match=r"gives no class to 'ILSVRC2012_val_00000001\.JPEG'"):
        load(tmp_path, image_size=SIZE)


def test_without_a_list_validation_has_no_labels_and_it_is_said(tmp_path):
    source = load(imagenet(tmp_path, {}), image_size=SIZE)
    assert source.validation.labels is None
    assert source.notes


def test_the_listing_itself(folder):
    listing = read_list(written(folder, "list.csv", "image,class", "images/a/0.png,x y"))
    assert (listing.folder, list(listing.names)) == (folder, ["images/a/0.png"])
    assert (listing.labels, listing.parts) == (("x y",), None)
    assert listing.part("test") is None
    assert listing.part("train") is listing


def test_classes_that_are_numbers_are_names_in_every_list(folder):
    """{0, 1, 3} of training and {1, 3} of test are no positions."""
    labels = ["0", "1", "3", "0", "1", "3"]
    lines = [f"images/{each} {label}" for each, label in zip(NAMES, labels, strict=True)]
    train, test = written(folder, "train.txt", *lines[:3]), written(folder, "test.txt", *lines[4:])
    source = load(train, test_list=test, image_size=SIZE, validation_fraction=0)
    assert source.test.labels.tolist() == [1, 2]
    unknown = written(folder, "other.txt", f"images/{NAMES[5]} 2")
    with pytest.raises(UserError, match="has the class '2', which training does not have"):
        load(train, test_list=unknown, image_size=SIZE, validation_fraction=0).test  # noqa: B018


def test_an_image_is_taken_once_and_belongs_to_one_part(folder):
    lines = [f"images/{each},{each[0]}" for each in NAMES]
    again = written(folder, "again.csv", "path,label", *lines, lines[0], f"images/./{NAMES[1]},b")
    source = load(again, image_size=SIZE, validation_fraction=0)
    assert len(source.train) == 6
    assert "again.csv names images again in 2 lines, which are left out" in source.notes
    two = written(folder, "two.csv", "path,label", *lines, f"images/{NAMES[0]},b")
    with pytest.raises(UserError, match=r"gives 'images/a/0\.png' two labels, 'a' and 'b'"):
        load(two)
    part = written(folder, "part.csv", "path,label", *lines[:2])
    with pytest.raises(UserError, match=r"is listed for train and for validation; take it out"):
        load(again, validation_list=part, image_size=SIZE)


def test_a_list_of_another_part_may_hold_all_parts(folder):
    train = written(folder, "train.csv", "path,label", *(f"images/{n},{n[0]}" for n in NAMES[:3]))
    parts = ["train"] * 3 + ["val"] * 2 + ["test"]
    rows = [f"images/{n},{n[0]},{p}" for n, p in zip(NAMES, parts, strict=True)]
    everything = written(folder, "all.csv", *rows)  # a third column of parts, without a header
    source = load(train, validation_list=everything, test_list=everything, image_size=SIZE)
    assert values(source.validation) == [30, 40]
    assert values(source.test) == [50]
    assert values(load(everything, image_size=SIZE).train) == [0, 10, 20]
    with pytest.raises(UserError, match="has no images of test; complete it"):
        load(train, test_list=written(folder, "none.csv", *rows[:3]))


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("header.csv", ["path,label"], "names no image"),
        ("label.csv", ["path,label", "images/a/0.png, "], "gives no label to 'images/a/0.png'"),
        ("kaggle.csv", ["ImageId,PredictionString", "images/a/0,"], "gives no label to"),
    ],
)
def test_more_mistakes_in_lists(folder, name, lines, words):
    with pytest.raises(UserError, match=words):
        load(written(folder, name, *lines))


def test_columns_that_are_not_used_and_blank_lines(folder):
    rows = [f"images/{each},{each[0]}" for each in NAMES]
    source = load(written(folder, "list.csv", "filename,species", *rows, "  ", ""), image_size=SIZE)
    assert source.train.labels is None
    assert "columns of list.csv that are not used: species" in source.notes
    assert "list.csv has no column of labels; call one label" in source.notes


@pytest.mark.parametrize("storage", ["file", "encoded"])
def test_the_parts_of_a_list_keep_their_caches(folder, tmp_path, monkeypatch, storage):
    from rotkeras.data import folder as module
    from rotkeras.data import headers

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = [f"images/{each} {each[0]}" for each in NAMES]
    train, other = written(folder, "train.txt", *lines[:4]), written(folder, "val.txt", *lines[4:])
    read = []
    for place, name in ((module, "read_image"), (headers, "read_size")):
        true = getattr(place, name)

        def counted(*given, true=true):
            read.append(given)
            return true(*given)

        monkeypatch.setattr(place, name, counted)
    for expected in (6, 0):
        read.clear()
        source = load(train, validation_list=other, image_size=SIZE, storage=storage)
        assert len(read) == expected
        assert values(source.train) == [0, 10, 20, 30]
        assert values(source.validation) == [40, 50]


def test_a_broken_image_of_a_list_is_replaced_by_one_of_its_class_and_part(folder):
    """Cut short behind its header: it is met while training."""
    flat = folder / "flat"
    for number in range(12):
        random = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        random[:, :, 0] = 20 * number
        flat.mkdir(exist_ok=True)
        Image.fromarray(random).save(flat / f"{number:02}.png")
    content = (flat / "02.png").read_bytes()
    (flat / "02.png").write_bytes(content[: len(content) // 2])
    labels = "abababababab"
    parts = ["train"] * 3 + ["val"] * 3 + ["train"] * 6
    rows = [f"flat/{n:02}.png,{labels[n]},{parts[n]}" for n in range(12)]
    source = load(written(folder, "all.csv", *rows), image_size=SIZE, storage="encoded")
    shown = np.rint(source.train.take(slice(None))[:, :, :, 0].mean(axis=(1, 2)) / 20).tolist()
    assert shown == [0, 1, 6, 6, 7, 8, 9, 10, 11]  # 3 is of the other class, 4 is validation
    drawn = load(flat, image_size=SIZE, storage="encoded", validation_fraction=0.5, labels="none")
    train = [int(drawn.train.names[row][:2]) for row in drawn.train.rows]
    shown = np.rint(drawn.train.take(slice(None))[:, :, :, 0].mean(axis=(1, 2)) / 20).astype(int)
    assert set(shown.tolist()) <= set(train)


def test_voc_without_trainval_has_its_validation(voc):
    lists = voc / "ImageSets" / "Main"
    (lists / "trainval.txt").rename(lists / "train.txt")
    (lists / "test.txt").rename(lists / "val.txt")
    source = load(voc, image_size=SIZE)
    assert (len(source.train), len(source.validation), source.test) == (4, 2, None)
    (lists / "train.txt").write_text("\n")
    with pytest.raises(UserError, match=r"train\.txt names no image; complete it"):
        load(voc)


def test_numbers_of_classes_do_not_depend_on_the_part(folder):
    parts = ["train", "test", "train", "test", "train", "test"]
    rows = [f"images/{n},{n[0]},{p}" for n, p in zip(NAMES, parts, strict=True)]
    path = str(written(folder, "all.csv", "path,label,split", *rows))
    assert open_images(path, split="test")(SIZE).labels.tolist() == [1, 1, 1]
    assert open_images(path, split="train")(SIZE).labels.tolist() == [0, 0, 0]
    elsewhere = folder / "lists"
    elsewhere.mkdir()
    moved = written(elsewhere, "all.csv", "path,label,split", *rows)
    assert len(open_images(str(moved), list_folder=folder)(SIZE)) == 6
    assert len(open_collection(str(moved), image_size=SIZE, list_folder=folder)) == 6


def test_labels_of_a_list_are_whole_and_of_the_right_file(tmp_path):
    imagenet(tmp_path, {})
    for place in ("n01", "n02"):
        (tmp_path / "train" / place).rename(tmp_path / "train" / f"{place} big dog")
    deep = tmp_path / "val"
    for name, value in (("x/1.JPEG", 1), ("y/1.JPEG", 2)):
        image(deep / name, value)
    lines = [f"ILSVRC2012_val_0000000{n}.JPEG,n01 big dog" for n in range(3)]
    (tmp_path / "val.csv").write_text(
        "\n".join([*lines, "x/1.JPEG,n01 big dog", "y/1.JPEG,n02 big dog"])
    )
    source = load(tmp_path, image_size=SIZE)
    names = [source.validation.names[row] for row in source.validation.rows]
    labels = dict(zip(names, source.validation.labels.tolist(), strict=True))
    assert (labels["x/1.JPEG"], labels["y/1.JPEG"]) == (0, 1)
    (tmp_path / "val.csv").write_text("ILSVRC2012_val_00000000.JPEG\n")  # names alone: no labels
    assert load(tmp_path, image_size=SIZE).validation.labels is None
