"""Jigsaw: its orders by hand, what its model computes, what it keeps and shows."""

import keras
import numpy as np
import pytest
from keys import key_of
from small_training import three_taps

from rotkeras import UserError
from rotkeras.pretext import Jigsaw
from rotkeras.pretext.permutations import permutation_set
from rotkeras.pretext.pictures import Picture
from rotkeras.pretext.tile_pictures import MOST, board, enlarged, solved_puzzles

SMALL = {
    "permutations": 8,
    "permutations_per_image": 2,
    "gap": 0.2,
    "embedding_units": 8,
    "hidden_units": 8,
}
RED = (214, 39, 40)


@pytest.fixture
def pixels(digit_source):
    return digit_source.train.take(slice(0, 6))


def test_orders_are_the_permutations_of_the_labels(pixels):
    task = Jigsaw(**SMALL)
    x, y = task.views(pixels, key_of(6))
    assert x["tiles"].shape == (54, 4, 4, 3)
    assert x["orders"].shape == (6, 2, 9)
    assert x["orders"].dtype == y.dtype == np.int32
    for row, label in enumerate(y):
        np.testing.assert_array_equal(x["orders"][row // 2, row % 2], permutation_set(8)[label])


def test_each_image_and_epoch_has_permutations_of_its_own():
    task = Jigsaw(permutations=50, permutations_per_image=4)
    images = np.zeros((500, 32, 32, 3), np.uint8)
    _, first = task.views(images, key_of(500))
    _, second = task.views(images, key_of(500, epoch=2))
    assert np.mean(first == second) == pytest.approx(1 / 50, abs=0.02)
    by_image = first.reshape(500, 4)
    assert len(np.unique(by_image, axis=0)) > 490
    assert np.bincount(first, minlength=50).min() > 15  # 40 are expected


def test_a_tile_passes_the_backbone_once_and_its_embedding_is_put_in_orders(pixels):
    keras.utils.set_random_seed(1)
    task = Jigsaw(**SMALL)
    model = task.build_model(three_taps())
    x, _ = task.views(pixels, key_of(6))
    logits = np.asarray(model(x))
    assert logits.shape == (12, 8)
    tiles = model.input["tiles"]
    embeddings = keras.Model(tiles, model.get_layer("embedding_relu").output)(x["tiles"])
    by_image = np.asarray(embeddings).reshape(6, 9, 8)
    rows = [
        np.concatenate([by_image[image][tile] for tile in x["orders"][image, number]])
        for image in range(6)
        for number in range(2)
    ]
    hidden = np.array(rows) @ np.asarray(model.get_layer("permutation_hidden1").kernel)
    hidden = np.maximum(hidden / np.sqrt(1 + 1e-5), 0)  # the first statistics of batch norm
    last = model.get_layer("permutation")
    expected = hidden @ np.asarray(last.kernel) + np.asarray(last.bias)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert task.views_per_image() == pytest.approx(0.8**2)  # whatever the number of orders


def test_a_batch_of_another_size_is_taken(pixels):
    task = Jigsaw(**SMALL)
    model = task.build_model(three_taps())
    for count in (1, 5):
        x, y = task.views(pixels[:count], key_of(count))
        assert model(x).shape == (len(y), 8) == (2 * count, 8)


def test_the_kept_network_is_the_backbone_on_whole_images(pixels):
    backbone = three_taps()
    task = Jigsaw(**SMALL)
    network = task.network(task.build_model(backbone))
    assert network.input_shape == (None, 16, 16, 3)
    np.testing.assert_array_equal(network(pixels), backbone(pixels))
    assert task.class_names is None


def test_it_learns_puzzles_of_ramps(eagerly):
    """Nine tiles of nine levels are put in order by a network that sees levels."""
    cell = np.arange(18) // 6
    image = 25 * (3 * cell[:, None] + cell[None])
    noise = np.random.default_rng(0).integers(0, 20, (64, 18, 18, 1))
    images = np.repeat(image[None, :, :, None] + noise, 3, axis=3).astype(np.uint8)
    task = Jigsaw(permutations=4, gap=0.1, grayscale=0.0, standardize=False, hidden_units=32)
    inputs = keras.Input((18, 18, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 64, offset=-2.0)(inputs)
    x = keras.layers.Identity(name="conv1")(keras.layers.Conv2D(16, 3, activation="relu")(x))
    model = task.build_model(keras.Model(inputs, x))
    model.compile(keras.optimizers.Adam(0.01), task.loss(), metrics=task.metrics())
    for step in range(30):
        x, y = task.views(images, key_of(64, epoch=step))
        logs = model.train_on_batch(x, y, return_dict=True)
        model.reset_metrics()
    assert logs["accuracy"] > 0.9


def test_more_permutations_than_can_be_are_one_sentence():
    with pytest.raises(UserError, match=r"^permutations must be at most 10000, got 400000"):
        Jigsaw(permutations=400_000)
    with pytest.raises(UserError, match=r"gap must leave tiles .* got 0\.25; of images of 16×16"):
        Jigsaw().build_model(three_taps())


def test_its_picture_shows_puzzles_as_the_network_solved_them(digit_source):
    task = Jigsaw(**SMALL)
    model = task.build_model(three_taps())
    last = model.get_layer("permutation")
    last.kernel.assign(0 * last.kernel)
    last.bias.assign(np.eye(8, dtype=np.float32)[0])  # always the identity
    part = digit_source.validation.draw(40)
    (picture,) = task.pictures(model, part, seed=0)
    assert isinstance(picture, Picture)
    assert picture.pixels.dtype == np.uint8
    _, labels, predicted = task.predictions(model, part, 0)
    assert (predicted == 0).all()
    assert f"{100 * np.mean(labels == 0):.1f} % are solved; by chance 12.5 %" in picture.caption
    assert f"Of {len(labels)} puzzles" in picture.caption
    height, width, _ = picture.pixels.shape
    assert (height, width) == (MOST * 96 + (MOST - 1) * 12, 3 * 96 + 2 * 12)
    # The first column is the image, enlarged.
    first = part.draw(40, 0).take(slice(0, 1))[0]
    np.testing.assert_array_equal(picture.pixels[:96, :96], enlarged(first, 6))


def test_a_solved_puzzle_shows_the_image_and_a_wrong_one_red_frames():
    cell = np.arange(12) // 4
    image = np.repeat((20 * (3 * cell[:, None] + cell[None]))[..., None], 3, axis=2)
    image = image.astype(np.uint8)
    tiles = np.stack([np.full((2, 2, 3), 20 * number, np.uint8) for number in range(9)])
    order = np.array([1, 0, 2, 3, 4, 5, 6, 7, 8])
    identity = np.arange(9)
    pixels = solved_puzzles(
        np.stack([image, image]),
        np.stack([tiles, tiles]),
        np.stack([order, order]),
        np.stack([order, identity]),
    )
    side, step = 96, 96 + 12

    def tile(line, column, number):
        row, place = divmod(number, 3)
        top, left = line * step + 32 * row + 16, column * step + 32 * place + 16
        return pixels[top, left].tolist()

    def red(line, column):
        part = pixels[line * step :, column * step :][:side, :side]
        return np.sum(np.all(part == RED, axis=2))

    for line in (0, 1):
        assert [tile(line, 0, each)[0] for each in range(9)] == [*range(0, 180, 20)]
        # As it was shown: the first two tiles have changed places.
        assert [tile(line, 1, each)[0] for each in (0, 1, 2)] == [20, 0, 40]
        assert red(line, 1) == 0
    assert [tile(0, 2, each)[0] for each in range(9)] == [*range(0, 180, 20)]
    assert red(0, 2) == 0
    assert [tile(1, 2, each)[0] for each in (0, 1, 2)] == [20, 0, 40]
    # Two tiles of 16 × 16 with a frame of 8 around them.
    assert red(1, 2) == 2 * (32 * 32 - 16 * 16)


def test_a_board_has_its_tiles_in_the_middle_of_their_cells():
    made = board(np.zeros((9, 2, 2, 3), np.uint8), (12, 15, 3), 1)
    assert made.shape == (12, 15, 3)
    dark = np.all(made == 0, axis=2)
    assert dark.sum() == 36
    np.testing.assert_array_equal(np.flatnonzero(dark.any(axis=1)), [1, 2, 5, 6, 9, 10])
    np.testing.assert_array_equal(np.flatnonzero(dark.any(axis=0)), [1, 2, 6, 7, 11, 12])
