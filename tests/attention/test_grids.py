import numpy as np
import pytest
from PIL import Image

from rotkeras.attention import attention_grid, overlay, quadruples


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.fixture
def attention():
    return np.random.default_rng(2).random((4, 4)).astype(np.float32)


def test_the_map_alone_has_the_colours_of_its_scale(image):
    from matplotlib import colormaps

    ramp = np.linspace(-3, 5, 16, dtype=np.float32)[None].repeat(16, 0)
    drawn = overlay(image, ramp, strength=1.0)
    scale = 255 * colormaps["inferno"](np.linspace(0, 1, 16))[:, :3]
    np.testing.assert_allclose(
        drawn[0].astype(float), scale, atol=3
    )  # from the least value to the largest, whatever they are


def test_no_map_is_the_image_in_grey(image, attention):
    grey = np.asarray(Image.fromarray(image).convert("L"))[..., None].repeat(3, -1)
    np.testing.assert_array_equal(overlay(image, attention, strength=0.0), grey)


def test_laying_over_commutes_with_quarter_turns(image, attention):
    for turns in range(4):
        turned = overlay(np.rot90(image, turns), np.rot90(attention, turns), side=48)
        np.testing.assert_allclose(
            turned.astype(int),
            np.rot90(overlay(image, attention, side=48), turns).astype(int),
            atol=1,
        )


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_map_is_dark_everywhere(image, value):
    drawn = overlay(image, np.full((4, 4), value, np.float32), strength=1.0)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1
    assert drawn.max() < 10


def test_small_images_keep_their_pixels_when_enlarged(image, attention):
    grid = np.asarray(attention_grid(image[None, None], {"conv1": attention[None, None]}, side=64))
    top = grid.shape[0] - 12 - 4 - 64
    np.testing.assert_array_equal(grid[top : top + 64, :64], image.repeat(4, 0).repeat(4, 1))


def test_a_grid_has_a_block_for_each_image(image, attention):
    views = quadruples(np.stack([image] * 5))
    maps = {
        "conv1": np.stack([np.stack([attention] * 4)] * 5),
        "conv2": np.stack([np.stack([attention] * 4)] * 5),
    }
    grid = attention_grid(
        views,
        maps,
        ["0°", "90°", "180°", "270°"],
        [f"image {number}" for number in range(5)],
        side=32,
        columns=2,
    )
    step, block = 36, (3 * 36 + 12, 4 * 36 + 34 + 12)
    assert grid.height == 3 * block[1]
    margin = grid.width - 2 * block[0]
    assert 20 < margin < 60  # for the angles
    pixels = np.asarray(grid)
    for number, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]):
        left, top = margin + column * block[0], row * block[1] + 34
        for view in range(4):
            tile = pixels[top + view * step : top + view * step + 32, left : left + 32]
            np.testing.assert_array_equal(
                tile, np.rot90(views[number, 0], view).repeat(2, 0).repeat(2, 1)
            )
            laid = pixels[
                top + view * step : top + view * step + 32, left + step : left + step + 32
            ]
            np.testing.assert_array_equal(laid, overlay(views[number, view], attention, 32))


def test_long_titles_keep_their_end(image, attention):
    grid = attention_grid(
        image[None, None],
        {"a very long name of a layer " * 3: attention[None, None]},
        titles=["folder/" * 40 + "x.jpg"],
        side=48,
    )
    assert grid.width == 2 * 52 + 12
