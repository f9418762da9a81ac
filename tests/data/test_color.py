import colorsys

import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.data import augmentation
from rotkeras.data.color import _ORDERS, UNIT
from rotkeras.data.keyed import Key

KEY = Key(np.int64(3), np.int64(1), np.arange(40, dtype=np.int64))


@pytest.fixture
def images():
    made = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
    made[1] = 0
    made[2] = 255
    made[3, ..., 0], made[3, ..., 1:] = 255, 0  # pure red
    made[4] = made[4, ..., :1]  # grey
    return made


def grey(x):
    return (x @ np.array([0.2989, 0.587, 0.114]))[..., None]


def jittered(image, drawn, strengths, probability):
    """The documented definitions of torchvision's adjust_brightness, adjust_contrast,
    adjust_saturation and adjust_hue, on values from 0 to 1."""
    if drawn[0] >= probability * UNIT:
        return image
    x = image / 255
    factors = [
        max(0, 1 - strength) + (1 + strength - max(0, 1 - strength)) * number / UNIT
        for strength, number in zip(strengths, drawn[2:5], strict=False)
    ]
    shift = (2 * drawn[5] / UNIT - 1) * strengths[3]
    for step in _ORDERS[drawn[1]]:
        if step == 0:
            x = np.clip(x * factors[0], 0, 1)
        elif step == 1:
            x = np.clip(factors[1] * x + (1 - factors[1]) * grey(x).mean(), 0, 1)
        elif step == 2:
            x = np.clip(factors[2] * x + (1 - factors[2]) * grey(x), 0, 1)
        else:
            turned = np.empty_like(x)
            for place in np.ndindex(x.shape[:2]):
                hue, saturation, value = colorsys.rgb_to_hsv(*x[place])
                turned[place] = colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)
            x = turned
    return x * 255


@pytest.mark.parametrize(
    ("strengths", "probability"),
    [((0.4, 0.4, 0.4, 0.1), 0.8), ((1.5, 0.0, 2.0, 0.5), 1.0), ((0, 0, 0, 0.5), 0.5)],
)
def test_color_jitter_is_that_of_torchvision(images, strengths, probability):
    step = augmentation.color_jitter(*strengths, probability=probability)
    drawn = step.draw(KEY)
    expected = np.stack(
        [
            jittered(image, row, strengths, probability)
            for image, row in zip(images, drawn, strict=True)
        ]
    )
    assert np.abs(step(images, KEY) - expected).max() < 0.501
    assert np.abs(np.asarray(step.apply(images, drawn)) - expected).max() < 0.51


def test_grey_images_have_three_equal_channels(images):
    step = augmentation.random_grayscale(0.5)
    made, which = step(images, KEY), step.draw(KEY)[:, 0] < 0.5 * UNIT
    assert 8 < which.sum() < 32
    np.testing.assert_array_equal(made[~which], images[~which])
    assert np.abs(made[which] - grey(images[which].astype(float))).max() < 0.501
    np.testing.assert_array_equal(np.asarray(step.apply(images, step.draw(KEY))), made)


@pytest.mark.parametrize(
    "step",
    [
        augmentation.color_jitter(),
        augmentation.random_grayscale(),
        augmentation.gaussian_blur((0.5, 1.5), 0.5),
        augmentation.random_resized_crop(),
        augmentation.random_solarize(0.5),
    ],
    ids=["jitter", "grey", "blur", "crop", "solarize"],
)
def test_an_image_is_augmented_alike_in_any_batch_and_library(images, step):
    import tensorflow as tf

    whole = step(images, KEY)
    np.testing.assert_array_equal(whole[7:9], step(images[7:9], KEY._replace(index=KEY.index[7:9])))
    other = step(images, KEY._replace(epoch=np.int64(2)))
    assert (whole != other).any()
    tensors = Key(*(tf.constant(each) for each in KEY[:3]))
    np.testing.assert_array_equal(step(tf.constant(images), tensors), whole)
    inside = np.asarray(step.apply(images, step.draw(KEY))).astype(int)
    assert np.abs(inside - whole).max() <= 1
    undrawn = np.tile(np.array(step.undrawn, np.int32), (len(images), 1))
    np.testing.assert_array_equal(np.asarray(step.apply(images, undrawn)), images)
    same = type(step).from_config(step.get_config())
    np.testing.assert_array_equal(same(images, KEY), whole)


def test_blur_is_a_normalised_gaussian_with_reflected_sides(images):
    step = augmentation.gaussian_blur((0.5, 1.5), 0.5, probability=1.0)
    made, drawn = step(images, KEY), step.draw(KEY)
    reach = 2  # half of half of the longer side of six pixels, rounded
    for image, result, (_, number) in zip(images[:10], made, drawn, strict=False):
        sigma = 0.5 + number / UNIT
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        kernel /= kernel.sum()
        x = image.astype(float)
        for axis in (0, 1):
            padding = [(0, 0)] * 3
            padding[axis] = (reach, reach)
            padded = np.pad(x, padding, mode="reflect")
            x = sum(
                weight * np.take(padded, np.arange(tap, tap + x.shape[axis]), axis)
                for tap, weight in enumerate(kernel)
            )
        assert np.abs(result - x).max() < 0.51


def test_crops_are_those_of_their_boxes(images):
    step = augmentation.random_resized_crop(8, (0.3, 0.9), (0.8, 1.25), flip=False)
    drawn = step.draw(Key(np.int64(0), np.int64(0), np.arange(2000, dtype=np.int64))) / 2**16
    top, left, height, width = drawn[:, :4].T
    assert (top >= 0).all()
    assert (top + height <= 1).all()
    assert (left + width <= 1).all()
    area, ratio = height * width, width / height
    assert 0.299 < area.min() < 0.31
    assert 0.85 < area.max() < 0.901
    assert 0.79 < ratio.min() < 0.83
    assert 1.2 < ratio.max() < 1.26
    assert abs(area.mean() - 0.6) < 0.03
    # A box of half the sides in the middle, of a ramp: its pixels are those of the ramp there.
    ramp = np.broadcast_to(np.arange(0, 240, 15, dtype=np.uint8)[None, :, None], (16, 16, 3))
    box = np.array([[2**14, 2**14, 2**15, 2**15, 0], [2**14, 2**14, 2**15, 2**15, 1]], np.int32)
    cut = step.cut(np.stack([ramp, ramp]), box)
    np.testing.assert_array_equal(cut[0], ramp[4:12, 4:12])
    np.testing.assert_array_equal(cut[1, :, ::-1], cut[0])


def test_settings_out_of_range():
    for make in (
        lambda: augmentation.color_jitter(hue=0.6),
        lambda: augmentation.color_jitter(brightness=-0.1),
        lambda: augmentation.random_grayscale(1.1),
        lambda: augmentation.gaussian_blur((2.0, 1.0)),
        lambda: augmentation.random_resized_crop(scale=(0.0, 1.0)),
    ):
        with pytest.raises(UserError, match="must"):
            make()
