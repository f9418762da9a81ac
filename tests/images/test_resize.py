"""The resize of crops: Pillow's filter, whichever library computes it."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from rotkeras.images import resize
from rotkeras.images.resize import resize_box

BOXES = [(0, 0, 640, 427), (12.5, 3.25, 300.75, 250.5), (600, 400, 640, 427), (5, 5, 8, 7)]


@pytest.fixture(scope="module")
def photograph():
    return Image.fromarray(load_sample_image("china.jpg"))


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("size", [(224, 224), (33, 64), (1, 1)])
def test_equals_pillow_to_one_grey_level(photograph, box, size):
    made = np.asarray(resize_box(photograph, size, box), np.int16)
    expected = np.asarray(photograph.resize(size, Image.Resampling.BILINEAR, box=box), np.int16)
    assert made.shape == expected.shape
    assert np.abs(made - expected).max() <= 1
    assert abs((made - expected).mean()) < 0.2


def test_pillow_is_used_where_the_other_is_not_installed(photograph, monkeypatch):
    monkeypatch.setattr(resize, "has_vector_resize", lambda: False)
    made = resize_box(photograph, (50, 40), BOXES[1])
    expected = photograph.resize((50, 40), Image.Resampling.BILINEAR, box=BOXES[1])
    assert made.tobytes() == expected.tobytes()


def test_commutes_with_quarter_turns(photograph):
    """Pixels that differ between a turned image and its turned result would tell the rotation."""
    left, top, right, bottom = 30, 40, 330, 240
    plain = np.rot90(np.asarray(resize_box(photograph, (96, 96), (left, top, right, bottom))))
    turned = photograph.transpose(Image.Transpose.ROTATE_90)
    box = (top, 640 - right, bottom, 640 - left)
    difference = plain.astype(np.int16) - np.asarray(resize_box(turned, (96, 96), box))
    assert np.abs(difference).max() <= 1
    assert abs(difference.mean()) < 0.01


def test_threads_do_not_share_buffers(photograph):
    from concurrent.futures import ThreadPoolExecutor

    boxes = [(n, n, 300 + n, 200 + n) for n in range(64)]
    alone = [resize_box(photograph, (64, 48), box).tobytes() for box in boxes]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda box: resize_box(photograph, (64, 48), box).tobytes(), boxes)
        assert list(together) == alone
