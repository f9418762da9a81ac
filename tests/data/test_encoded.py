"""Images that stay in their files."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from rotkeras import UserError, data
from rotkeras.data import cache, headers, pipeline
from rotkeras.data.augmentation import pad_crop_flip, random_resized_crop
from rotkeras.data.encoded import EncodedImages, whole_pixels
from rotkeras.data.keyed import Key
from rotkeras.pretext import AET, ESSL, Exemplar, MoCo, Rotation, SwAV

SIZE = 24


@pytest.fixture
def kept_headers(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path, kept_headers):
    """Sixty photographs of several shapes in three class folders, JPEG and PNG."""
    top = tmp_path / "photos"
    pictures = [Image.fromarray(each) for each in load_sample_images().images]
    random = np.random.default_rng(0)
    for number in range(60):
        left, upper = random.integers(0, 200, 2)
        wide, tall = random.integers(60, 220, 2)
        place = top / f"class{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        cut = pictures[number % 2].crop((left, upper, left + wide, upper + tall))
        exif = Image.Exif()
        exif[274] = 1 + number % 8
        cut.save(place / f"{number:02d}.{'jpg' if number % 5 else 'png'}", exif=exif)
    return top


def load(folder, storage, **settings):
    return data.load(folder, image_size=SIZE, storage=storage, **settings)


def test_it_gives_the_pixels_labels_and_names_of_the_other_stores(folder):
    encoded, memory, file = (load(folder, each) for each in ("encoded", "memory", "file"))
    assert isinstance(encoded.train.array, EncodedImages)
    assert encoded.train.kept.endswith("stay encoded, and are decoded when they are needed")
    for other in (memory, file):
        for part in ("train", "validation"):
            mine, its = getattr(encoded, part), getattr(other, part)
            np.testing.assert_array_equal(mine.take(slice(None)), its.take(slice(None)))
            np.testing.assert_array_equal(mine.labels, its.labels)
            np.testing.assert_array_equal(mine.rows, its.rows)
            assert mine.names == its.names
    array = encoded.train.array
    assert array[3].shape == (SIZE, SIZE, 3)
    np.testing.assert_array_equal(array[-1], array[len(array) - 1])
    np.testing.assert_array_equal(np.asarray(array)[2:4], array[2:4])
    with pytest.raises(IndexError, match="rows 60 to 60 of 60 images"):
        array[np.array([60])]


def batches(source, steps, count, library, initial_epoch=0, **settings):
    made = pipeline(
        source.train,
        Rotation(views="one"),
        images_per_batch=8,
        seed=3,
        augmentation=steps,
        library=library,
        initial_epoch=initial_epoch,
        **settings,
    )
    taken = iter(made.dataset)
    return [tuple(np.asarray(each) for each in next(taken)) for _ in range(count)]


@pytest.mark.parametrize("library", ["tensorflow", "numpy"])
def test_a_batch_is_a_function_of_its_step(folder, library):
    source = load(folder, "encoded")
    steps = [random_resized_crop(16, scale=(0.2, 1.0)), pad_crop_flip(2)]
    first = batches(source, steps, 13, library)  # of six steps an epoch
    again = batches(load(folder, "encoded"), steps, 7, library, initial_epoch=1)
    for one, other in zip(first[6:], again, strict=True):
        for mine, its in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, its)
    assert first[0][0].shape == (8, 16, 16, 3)
    assert (first[0][0] != first[6][0]).any()


def test_the_libraries_give_the_same_bits(folder):
    source = load(folder, "encoded")
    steps = [random_resized_crop()]
    for one, other in zip(
        batches(source, steps, 3, "tensorflow"), batches(source, steps, 3, "numpy"), strict=True
    ):
        np.testing.assert_array_equal(one[0], other[0])


def test_tensorflow_resamples_behind_a_crop_of_the_photograph(folder):
    """A task that TensorFlow's graph makes the views of takes the same crops."""
    source = load(folder, "encoded")
    crop = random_resized_crop(16)
    task = Rotation([0, 45])  # resampled in the graph
    made = pipeline(source.train, task, images_per_batch=4, seed=3, augmentation=[crop])
    x, _ = next(iter(made.dataset))
    from rotkeras.data.keyed import permute
    from rotkeras.data.taken import photographs

    index = permute(np.arange(4), 3, 0, len(source.train))
    key = Key(np.int64(3), np.int64(0), source.train.rows[index])
    expected = photographs(source.train, crop)(index, key)
    views, _ = task.views(tf.constant(expected), Key(*map(tf.constant, key[:3])))
    np.testing.assert_array_equal(x, views)


@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        (ESSL(rotation_size=0.5), {"views": (8, 24), "rotations": (16, 12)}),
        (MoCo(), {"query": (4, 24), "key": (4, 24)}),
        (SwAV(local_crops=2, frozen_epochs=0.0), {"views": (8, 24), "crops": (8, 12)}),
    ],
    ids=["essl", "moco", "swav"],
)
def test_every_view_of_a_task_is_cut_from_the_photograph(folder, task, sizes):
    """Views of several sizes, each of the box that is drawn for it."""
    source = load(folder, "encoded")
    x, _ = next(iter(pipeline(source.train, task, images_per_batch=4, seed=3).dataset))
    assert {name: (each.shape[0], each.shape[1]) for name, each in x.items()} == sizes
    from rotkeras.data.keyed import permute
    from rotkeras.data.taken import photographs

    index = permute(np.arange(4), 3, 0, len(source.train))
    key = Key(np.int64(3), np.int64(0), source.train.rows[index], index)
    expected, _ = task.views_of_photographs(
        lambda crop, of_view: photographs(source.train, crop)(index, of_view), key
    )
    for name, views in expected.items():
        np.testing.assert_array_equal(x[name], views)


def test_copies_are_cut_from_the_photograph_and_transformed_are_its_squares(folder):
    source = load(folder, "encoded")
    from rotkeras.data.keyed import permute
    from rotkeras.data.taken import photographs

    index = permute(np.arange(4), 3, 0, len(source.train))
    key = Key(np.int64(3), np.int64(0), source.train.rows[index], index)
    exemplar = Exemplar(copies=2)
    x, y = next(iter(pipeline(source.train, exemplar, images_per_batch=4, seed=3).dataset))
    expected, images = exemplar.views_of_photographs(
        lambda crop, of_view: photographs(source.train, crop)(index, of_view), key
    )
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, images)
    np.testing.assert_array_equal(y, np.repeat(index, 2))
    x, y = next(iter(pipeline(source.train, AET(), images_per_batch=4, seed=3).dataset))
    expected, parameters = AET().views(source.train.take(index), key)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, parameters)


def test_boxes_of_photographs_have_the_ratio_of_pixels():
    crop = random_resized_crop(scale=(0.1, 0.4), ratio=(0.5, 2.0))
    key = Key(np.int64(0), np.int64(0), np.arange(4000))
    sides = np.tile([[300, 900], [500, 500]], (2000, 1)).astype(np.int32)
    boxes, flips = crop.boxes(key, sides)
    pixels = boxes[:, 2:] * sides
    ratios, areas = pixels[:, 1] / pixels[:, 0], boxes[:, 2] * boxes[:, 3]
    assert 0.5 <= ratios.min() < 0.55
    assert 1.9 < ratios.max() <= 2.0 + 1e-9
    assert 0.1 <= areas.min() < 0.11
    assert 0.39 < areas.max() <= 0.4 + 1e-9
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= 1 + 1e-9).all()
    assert 0.45 < flips.mean() < 0.55
    # Of square images they are what `draw` draws.
    drawn = crop.draw(key)[1::2]
    np.testing.assert_allclose(drawn[:, :4] / 2**16, boxes[1::2], atol=2e-5)


@pytest.mark.parametrize("sides", [(375, 500), (333, 500), (500, 375)])
def test_boxes_that_keep_the_shape_of_their_photograph_are_drawn_anew_each_time(sides):
    # 76 % of the area as a square does not fit into a photograph wider than 1.31 : 1.
    settings = {"scale": (0.7626, 0.7626), "ratio": (1.0, 1.0), "flip": False}
    shapes = np.tile(np.array(sides, np.int32), (200, 1))
    key = Key(np.int64(0), np.int64(0), np.arange(200))
    squares, _ = random_resized_crop(**settings).boxes(key, shapes)
    assert len(np.unique(squares, axis=0)) == 1
    boxes, _ = random_resized_crop(**settings, keep_shape=True).boxes(key, shapes)
    assert len(np.unique(boxes, axis=0)) == 200
    np.testing.assert_allclose(boxes[:, 2:], 255 / 292, atol=1e-4)


def test_boxes_are_of_whole_pixels_inside_of_the_image():
    shares = np.array([[0.1, 0.2, 0.5, 0.5], [0.999, 0.999, 0.0001, 0.001], [0, 0, 1, 1]])
    sides = np.array([[99, 201], [40, 60], [33, 77]], np.int32)
    expected = [[10, 40, 50, 100], [39, 59, 1, 1], [0, 0, 33, 77]]
    np.testing.assert_array_equal(whole_pixels(shares, sides), expected)
    np.testing.assert_array_equal(whole_pixels(shares[1], sides[1]), expected[1])


def test_no_box_fits_and_the_largest_of_an_allowed_ratio_is_taken():
    crop = random_resized_crop(scale=(1.0, 1.0), ratio=(0.75, 4 / 3))
    key = Key(np.int64(0), np.int64(0), np.arange(3))
    boxes, _ = crop.boxes(key, np.array([[100, 1000], [1000, 100], [300, 400]], np.int32))
    np.testing.assert_allclose(boxes[0], [0, 0.5 - 0.4 / 6, 1, 0.8 / 6], atol=1e-9)
    np.testing.assert_allclose(boxes[1], [0.5 - 0.4 / 6, 0, 0.8 / 6, 1], atol=1e-9)
    np.testing.assert_allclose(boxes[2], [0, 0, 1, 1], atol=1e-9)


def broken(folder):
    """Ten ways in which a file is no image; {name: how its reason begins}."""
    files = sorted((folder / "class0").iterdir())
    whole = files[1].read_bytes()
    files[0].write_bytes(b"")
    files[1].write_bytes(whole[: len(whole) // 2])
    files[2].write_bytes(whole[:20])
    files[3].write_bytes(b"not an image" * 100)
    files[4].write_bytes(whole[:200] + bytes(len(whole) - 200))
    files[5].chmod(0)
    return files[:6]


def test_files_that_are_no_images_are_named_before_training(folder):
    cut = broken(folder)
    source = load(folder, "encoded", validation_fraction=0.0)
    named = {bad.path for bad in source.skipped}
    gone = {str(each) for each in (cut[0], cut[2], cut[3])}
    assert gone <= named  # their headers say so
    assert len(source.train) == 60 - len(named)
    every = source.train.take(slice(None))
    assert np.isfinite(every).all()
    replaced = {bad.path for bad in source.train.array.replaced}
    assert str(cut[1]) in replaced  # its header is whole, its pixels are not
    assert not replaced & named
    source.train.take(slice(None))
    assert {bad.path for bad in source.train.array.replaced} == replaced  # each once
    with pytest.raises(UserError, match=r"could not be read as an image .*on_bad_image to skip"):
        load(folder, "encoded", on_bad_image="error")


def test_what_is_put_in_the_place_of_a_broken_file(folder):
    source = load(folder, "encoded", validation_fraction=0.0)
    names, array = source.train.names, source.train.array
    before = source.train.take(slice(None))
    last = max(row for row in range(60) if names[row].startswith("class0/"))
    for row in (4, last):
        (folder / names[row]).unlink()
    after = source.train.take(slice(None))
    np.testing.assert_array_equal(after[4], before[5])  # the next of its folder
    np.testing.assert_array_equal(after[last], before[last - 1])  # or the one before
    others = [row for row in range(60) if row not in (4, last)]
    np.testing.assert_array_equal(after[others], before[others])
    assert [(bad.path, bad.reason) for bad in array.replaced] == [
        (str(folder / names[row]), "it is gone") for row in (4, last)
    ]
    again = load(folder, "encoded", validation_fraction=0.0)
    assert len(again.train) == 58


def test_nothing_can_be_read_any_more(folder):
    source = load(folder, "encoded", validation_fraction=0.0)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match=r"neither could .* others in its place: are the images"):
        source.train.take(np.array([0]))


def test_headers_are_read_once_and_again_where_a_file_changed(folder, monkeypatch):
    load(folder, "encoded")
    asked = []
    read = headers.read_size
    monkeypatch.setattr(headers, "read_size", lambda path: asked.append(path) or read(path))
    first = load(folder, "encoded", validation_fraction=0.0)
    assert asked == []
    changed = folder / first.train.names[7]
    Image.new("RGB", (90, 40)).save(changed)
    Image.new("RGB", (50, 70)).save(folder / "class1" / "new.png")
    second = load(folder, "encoded", validation_fraction=0.0)
    assert sorted(asked) == sorted([str(changed), str(folder / "class1" / "new.png")])
    sides = dict(zip(second.train.names, second.train.array.headers.shapes.tolist(), strict=True))
    assert sides[first.train.names[7]] == [40, 90]
    assert sides["class1/new.png"] == [70, 50]
    (place,) = (cache.default_cache() / "headers").iterdir()
    place.write_bytes(b"damaged")
    third = load(folder, "encoded", validation_fraction=0.0)
    np.testing.assert_array_equal(
        third.train.array.headers.shapes, second.train.array.headers.shapes
    )


def test_what_fits_decides(folder, monkeypatch):
    assert cache.fitting((60, SIZE, SIZE, 3), None) == "memory"
    monkeypatch.setattr(cache, "available_memory", lambda: 1000)
    assert cache.fitting((60, SIZE, SIZE, 3), None) == "file"
    monkeypatch.setattr(cache, "FILE_SHARE", 0.0)
    assert cache.fitting((60, SIZE, SIZE, 3), None) == "encoded"
    assert cache.fitting((60, SIZE, SIZE, 3), "somewhere") == "file"
    assert isinstance(load(folder, "auto").train.array, EncodedImages)


def test_wrong_settings_are_one_sentence(folder, tmp_path):
    with pytest.raises(UserError, match=r"storage must be auto for kind 'embedded', got 'encoded'"):
        data.load("digits", storage="encoded")
    with pytest.raises(UserError, match=r"cache is for storage file or auto, got 'encoded'"):
        data.load(folder, storage="encoded", cache=tmp_path / "cache")
    with pytest.raises(
        UserError, match=r"storage must be one of 'auto', 'memory', 'file', 'encoded'"
    ):
        data.load(folder, storage="disk")


def test_its_fingerprint_is_that_of_the_same_images(folder):
    encoded, memory = load(folder, "encoded"), load(folder, "memory")
    assert encoded.train.fingerprint().content == memory.train.fingerprint().content


def test_simclr_cuts_its_own_crops_from_the_photographs(folder):
    """Against Pillow on whole photographs: PNG files have no smaller scale to decode at."""
    from PIL import ImageOps

    from rotkeras.data.augmentation import key_of_step
    from rotkeras.pretext import SimCLR
    from rotkeras.pretext.augmented_views import _key_of_view

    source = load(folder, "encoded", validation_fraction=0)
    task = SimCLR(color_strength=0.0, grayscale=0.0, crop_scale=[0.2, 0.8])
    settings = {"images_per_batch": 60, "seed": 3}
    made = {
        library: next(iter(pipeline(source.train, task, library=library, **settings).dataset))
        for library in ("tensorflow", "numpy")
    }
    x, y = (np.asarray(each) for each in made["numpy"])
    np.testing.assert_array_equal(np.asarray(made["tensorflow"][0]), x)
    np.testing.assert_array_equal(y, np.arange(120).reshape(-1, 2)[:, ::-1].ravel())
    from rotkeras.data.keyed import permute

    order = permute(np.arange(60, dtype=np.int64), 3, 0, 60)
    key = Key(np.int64(3), np.int64(0), order)
    compared = 0
    for view in range(2):
        of_view = key_of_step(_key_of_view(key, view), 0)
        sides = source.train.array.sides(order)
        boxes, flips = task.steps()[0].boxes(of_view, sides)
        for place, row in enumerate(order):
            if not source.train.names[row].endswith(".png"):
                continue
            photograph = ImageOps.exif_transpose(Image.open(folder / source.train.names[row]))
            top, left, tall, wide = whole_pixels(boxes[place], sides[place]).tolist()
            cut = photograph.crop((left, top, left + wide, top + tall))
            expected = np.asarray(cut.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
            expected = expected[:, ::-1] if flips[place] else expected
            np.testing.assert_allclose(x[2 * place + view].astype(int), expected, atol=1)
            compared += 1
    assert compared == 24
    whole = pipeline(source.train, task, augmentation=[pad_crop_flip(2)], **settings)
    assert (np.asarray(next(iter(whole.dataset))[0]) != x).any()  # of squares then


def test_simclr_is_evaluated_on_crops_of_photographs_too(folder):
    from rotkeras.data import evaluation_pipeline
    from rotkeras.pretext import SimCLR

    task = SimCLR(color_strength=0.0, grayscale=0.0)
    found = [
        np.concatenate(
            [
                np.asarray(x)
                for x, _ in evaluation_pipeline(
                    load(folder, storage, validation_fraction=0).train, task, images_per_batch=20
                )
            ]
        )
        for storage in ("encoded", "memory")
    ]
    assert found[0].shape == found[1].shape == (120, SIZE, SIZE, 3)
    assert (found[0] != found[1]).any()
