import base64
import io

import numpy as np
import pytest
from PIL import Image

from rotkeras.page import to_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 14, 3), dtype=np.uint8)


def decode(picture):
    kind, data = picture.uri.split(";base64,")
    return kind, np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


@pytest.mark.parametrize("image", [PIXELS, Image.fromarray(PIXELS)], ids=["array", "pillow"])
def test_a_lossless_picture_holds_its_pixels(image):
    picture = to_picture(image, "what it shows")
    kind, pixels = decode(picture)
    assert kind == "data:image/png"
    np.testing.assert_array_equal(pixels, PIXELS)
    assert (picture.width, picture.height, picture.alternative) == (14, 10, "what it shows")


def test_a_lossy_one_is_smaller_and_about_the_same():
    smooth = np.asarray(Image.radial_gradient("L").convert("RGB"))
    kind, pixels = decode(to_picture(smooth, "x", lossless=False))
    assert kind == "data:image/webp"
    assert np.abs(pixels.astype(int) - smooth).mean() < 3
    assert len(to_picture(smooth, "x", lossless=False).uri) < len(to_picture(smooth, "x").uri)
