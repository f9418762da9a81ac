import numpy as np
import pytest
from PIL import Image, ImageOps

from rotkeras import UserError
from rotkeras.data import augmentation
from rotkeras.data.color import UNIT
from rotkeras.data.keyed import Key

KEY = Key(np.int64(3), np.int64(1), np.arange(40, dtype=np.int64))


@pytest.fixture
def images():
    made = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
    made[0], made[1], made[2], made[3] = 0, 255, 127, 128
    return made


@pytest.mark.parametrize("threshold", [0, 1, 100, 128, 255, 256])
def test_it_is_solarize_of_pillow(images, threshold):
    step = augmentation.random_solarize(1.0, threshold)
    expected = np.stack(
        [np.asarray(ImageOps.solarize(Image.fromarray(image), threshold)) for image in images]
    )
    np.testing.assert_array_equal(step(images, KEY), expected)
    np.testing.assert_array_equal(np.asarray(step.apply(images, step.draw(KEY))), expected)


def test_a_share_of_the_images_is_changed(images):
    step = augmentation.random_solarize(0.3)
    drawn = step.draw(Key(np.int64(0), np.int64(0), np.arange(5000, dtype=np.int64)))
    assert abs(step.changed(drawn).mean() - 0.3) < 0.03
    which = step.draw(KEY)[:, 0] < 0.3 * UNIT
    bright = (images >= 128).any(axis=(1, 2, 3))
    changed = (step(images, KEY) != images).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(changed, which & bright)
    never = augmentation.random_solarize(0.0)
    np.testing.assert_array_equal(never(images, KEY), images)


def test_a_threshold_that_is_no_grey_level():
    with pytest.raises(UserError, match=r"threshold must be at most 256, got 257\."):
        augmentation.random_solarize(threshold=257)
