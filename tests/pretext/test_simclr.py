"""What is SimCLR's own: its views, its head, and that its settings arrive."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance
from small_training import three_taps

from rotkeras import UserError, data
from rotkeras.data.keyed import Key
from rotkeras.pretext import SimCLR
from rotkeras.pretext.losses.nt_xent import nt_xent

KEY = Key(np.int64(3), np.int64(1), np.arange(6, dtype=np.int64))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


def plain(**settings):
    """A task that changes nothing but what the settings say."""
    off = {"crop_scale": (1.0, 1.0), "color_strength": 0.0, "grayscale": 0.0, "blur": 0.0}
    return SimCLR(hidden_units=8, projection_units=4, **{**off, **settings})


def pairs(task, images):
    x, y = task.views(images, KEY)
    return x.reshape(len(images), 2, *images.shape[1:]), y


def test_without_changes_each_view_is_the_image_or_its_mirror_image(images):
    views, y = pairs(plain(), images)
    mirrored = 0
    for image, both in zip(images, views, strict=True):
        for view in both:
            flipped = np.array_equal(view, image[:, ::-1])
            assert flipped or np.array_equal(view, image)
            mirrored += flipped
    assert 0 < mirrored < 12
    np.testing.assert_array_equal(y, [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10])


def test_the_two_views_differ(images):
    views, _ = pairs(SimCLR(), images)
    for first, second in views:
        assert (first != second).any()


def test_crops_are_those_of_pillow_by_hand(images):
    """A box of whole pixels is cut, resized and flipped as drawn; nothing outside of it is seen."""
    task = plain(crop_scale=(0.2, 0.5))
    views, _ = pairs(task, images)
    drawn = task.draw(KEY).reshape(6, 2, 5).astype(np.int64)
    for image, both, boxes in zip(images, views, drawn, strict=True):
        for view, (top, left, height, width, flip) in zip(both, boxes, strict=True):
            rows, columns = ((each * 16 + 32768) // 65536 for each in (height, width))
            top, left = ((each * 16 + 32768) // 65536 for each in (top, left))
            assert 0.1 < rows * columns / 256 < 0.65
            part = image[top : top + rows, left : left + columns]
            expected = np.asarray(Image.fromarray(part).resize((16, 16), Image.Resampling.BILINEAR))
            np.testing.assert_array_equal(view, expected[:, ::-1] if flip else expected)


def test_nothing_outside_a_box_is_seen():
    from rotkeras.data.resized_crop import RandomResizedCrop

    image = np.full((1, 8, 8, 3), 255, np.uint8)
    image[:, :, :4] = 0
    crop = RandomResizedCrop(None, (0.08, 1.0), (3 / 4, 4 / 3), True)
    left_half = np.array([[0, 0, 65536, 32768, 0]], np.int32)
    assert crop.cut(image, left_half).max() == 0
    assert np.asarray(crop.apply(keras.ops.convert_to_tensor(image), left_half)).max() == 0


def test_a_ratio_that_excludes_the_images_own_falls_back_to_the_nearest():
    from rotkeras.data.resized_crop import RandomResizedCrop

    crop = RandomResizedCrop(None, (0.9, 1.0), (2.0, 3.0), False)
    drawn = crop.draw(KEY)
    np.testing.assert_array_equal(drawn, [[16384, 0, 32768, 65536, 0]] * 6)


def test_every_setting_changes_the_views(images):
    for setting in ({"color_strength": 1.0}, {"grayscale": 1.0}, {"blur": 1.0}):
        changed, _ = pairs(plain(**setting), images)
        same, _ = pairs(plain(), images)
        assert (changed != same).any(axis=(1, 2, 3, 4)).mean() > 0.4, setting
    grey, _ = pairs(plain(grayscale=1.0), images)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


def test_the_strengths_of_the_jitter_are_those_of_the_paper():
    jitter = next(each for each in SimCLR(color_strength=0.5).steps() if hasattr(each, "hue"))
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (
        (0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1),
    ) or (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (
        0.4, 0.4, 0.4, 0.1,
    )  # fmt: skip
    assert jitter.probability == 0.8
    white = Image.new("RGB", (4, 4), (100, 100, 100))
    assert np.asarray(ImageEnhance.Brightness(white).enhance(1.4)).max() == 140


def test_the_head_and_the_temperature_arrive():
    task = plain(temperature=0.1)
    model = task.build_model(three_taps())
    hidden, projection = model.get_layer("hidden"), model.get_layer("projection")
    assert (hidden.units, hidden.activation.__name__, projection.units) == (8, "relu", 4)
    assert projection.activation.__name__ == "linear"
    vectors = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    loss = float(task.loss()(np.zeros(6), vectors))
    assert loss == pytest.approx(float(np.mean(nt_xent(vectors, 0.1))), rel=1e-6)
    assert abs(loss - float(np.mean(nt_xent(vectors, 0.5)))) > 0.1


def test_a_batch_of_one_image_is_refused(images):
    for words, call in (
        ("images_per_batch must be at least 2 for SimCLR, got 1", lambda: data.pipeline(
            data.load(images).train, SimCLR(), images_per_batch=1)),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            call()
    from rotkeras import recipe

    with pytest.raises(
        UserError, match=r"x: train\.images_per_batch must be at least 2 for SimCLR"
    ):
        recipe.validate(
            {
                "data": {"embedded": "digits"},
                "task": {"name": "simclr"},
                "train": {"images_per_batch": 1},
            },
            "x",
        )


def test_evaluation_has_batches_of_one_size():
    part = data.load("digits", image_size=16).train.draw(21)
    sizes = [len(y) for _, y in data.evaluation_pipeline(part, SimCLR(), images_per_batch=8)]
    assert sizes == [16, 16]
    sizes = [len(y) for _, y in data.evaluation_pipeline(part, SimCLR(), images_per_batch=32)]
    assert sizes == [42]


@pytest.mark.parametrize("shape", [(3, 4), (4,)])
def test_other_shapes_are_refused_by_the_loss(shape):
    with pytest.raises(UserError, match="two views of each image"):
        nt_xent(np.ones(shape, np.float32))
