import hashlib

import numpy as np
import pytest
from scipy.fft import dctn

from rotkeras.audit.fingerprints import SIDE, digests, hashes, thumbnails


def test_a_digest_is_of_the_pixels(random_images):
    found = digests(random_images)
    assert (found.dtype, found.shape) == (np.uint64, (6, 2))
    expected = hashlib.blake2b(random_images[3].tobytes(), digest_size=8).digest()
    assert int(found[3, 0]) == int.from_bytes(expected, "little")
    assert len(np.unique(found[:, 0])) == 6
    changed = random_images.copy()
    changed[0, 5, 5, 1] ^= 1
    assert digests(changed)[0, 0] != found[0, 0]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_copies_share_the_second_digest(random_images, turns):
    turned = digests(np.rot90(random_images, turns, (1, 2)))
    np.testing.assert_array_equal(turned[:, 1], digests(random_images)[:, 1])
    assert not (turned[:, 0] == digests(random_images)[:, 0]).any()


def test_a_mirrored_image_is_another(random_images):
    assert not np.isin(digests(random_images[:, :, ::-1])[:, 1], digests(random_images)[:, 1]).any()


def test_thumbnails_are_means_of_areas():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    grey = images @ np.array([0.299, 0.587, 0.114])
    expected = grey.reshape(3, SIDE, 3, SIDE, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(thumbnails(images), expected, atol=0.51)


def test_thumbnails_of_small_and_odd_images():
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(thumbnails(small)[:, ::2, ::2], thumbnails(small)[:, 1::2, 1::2])
    odd = random.integers(0, 256, (2, 27, 27, 3), dtype=np.uint8)
    grey = odd @ np.array([0.299, 0.587, 0.114])
    fine = np.repeat(np.repeat(grey, 16, axis=1), 16, axis=2)  # 432 = 16 · 27
    np.testing.assert_allclose(
        thumbnails(odd), fine.reshape(2, 16, 27, 16, 27).mean(axis=(2, 4)), atol=0.51
    )


@pytest.mark.parametrize("side", [16, 31, 40])
def test_thumbnails_turn_with_the_image(side):
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    turned = thumbnails(np.rot90(images, 1, (1, 2))).astype(int)
    np.testing.assert_allclose(turned, np.rot90(thumbnails(images), 1, (1, 2)), atol=1)


def test_a_hash_is_of_the_signs_of_slow_cosine_terms(crops):
    small = thumbnails(crops[:5])
    terms = dctn(small.astype(float), axes=(1, 2), norm="ortho")[:, :9, :9]
    slowest = sorted(
        ((d, r) for d in range(9) for r in range(9)), key=lambda each: (sum(each), each)
    )[1:65]
    found = hashes(small)
    for image in range(5):
        bits = np.unpackbits(found[image : image + 1].view(np.uint8))
        clear = [abs(terms[image, d, r]) > 1e-2 for d, r in slowest]
        expected = np.array([terms[image, d, r] > 0 for d, r in slowest])
        np.testing.assert_array_equal(bits[clear], expected[clear])


def test_a_hash_of_a_turn_is_that_of_the_turned(crops):
    small = thumbnails(crops[:5])
    for turns in range(4):
        np.testing.assert_array_equal(hashes(small, turns), hashes(np.rot90(small, turns, (1, 2))))
