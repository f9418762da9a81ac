"""What is AET's own: its views, its parameters, its metric and its pictures."""

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError
from rotkeras.data import Images
from rotkeras.data.keyed import Key
from rotkeras.pretext import AET, transformations
from rotkeras.pretext.losses import half_squared_distance
from rotkeras.pretext.transformation_losses import ExplainedVariance, HalfSquaredDistance
from rotkeras.pretext.warp import warp

KEY = Key(np.int64(3), np.int64(1), np.arange(100, 106), np.arange(6))
KINDS = pytest.mark.parametrize("kind", ["affine", "projective"])
NO_MOVE = {"kind": "affine", "rotation": 0.0, "translation": 0.0, "shear": 0.0}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


@KINDS
def test_the_copy_is_the_image_seen_through_the_matrix(images, kind):
    task = AET(kind=kind)
    x, y = task.views(images, KEY)
    assert (x.shape, y.shape) == ((12, 16, 16, 3), (6, task.parameters))
    drawn = task.draw(KEY)
    make = getattr(transformations, f"{kind}_matrices")
    matrices = make(y.astype(np.float64))
    moved = np.tile(np.eye(3), (6, 1, 1))
    moved[:, :2, 2] = drawn[:, 9:] / 2**20 / 8  # pixels of half sides
    assert np.abs(drawn[:, 9:]).max() <= 2**19  # half a pixel
    for found, seen in ((x[::2], moved), (x[1::2], moved @ matrices)):
        off = np.abs(warp(images, seen, np).astype(int) - found)
        assert off.max() <= 2
        assert np.mean(off > 0) < 0.02


def test_the_image_beside_it_is_moved_by_less_than_a_pixel(images):
    flat = np.repeat(images[:, :, :1], 16, axis=2)  # rows of one colour
    x, _ = AET().views(flat, KEY)
    rows = x[::2, 2:-2, 8].astype(int)
    least = np.minimum(np.minimum(flat[:, 1:-3, 8], flat[:, 2:-2, 8]), flat[:, 3:-1, 8])
    most = np.maximum(np.maximum(flat[:, 1:-3, 8], flat[:, 2:-2, 8]), flat[:, 3:-1, 8])
    assert ((rows >= least) & (rows <= most)).all()
    assert (x[::2] != flat).any()


def test_by_hand_six_by_six():
    task = AET(kind="affine", translation=0.25, rotation=0.0, scale=(1.0, 1.0), shear=0.0)
    drawn = np.zeros((1, 11), np.int32)
    drawn[0, [0, 4, 8]] = 2**20
    drawn[0, 2] = 2**20 // 3  # a third of a half side: one pixel of six
    image = np.zeros((1, 6, 6, 3), np.uint8)
    image[0, 2, 3] = 200
    first, copy = np.asarray(task.apply(image, drawn))
    np.testing.assert_array_equal(first, image[0])
    expected = np.zeros((6, 6, 3))
    expected[2, 2] = 200
    expected[:, 5] = 128
    np.testing.assert_allclose(copy, expected, atol=1)
    np.testing.assert_allclose(task.labels(drawn)[0, 0], [1, 0, 1 / 3, 0, 1, 0], atol=1e-6)


@KINDS
def test_parameters_do_not_depend_on_the_size(kind):
    small, large = (
        AET(kind=kind).views(np.zeros((6, side, side, 3), np.uint8), KEY)[1] for side in (8, 40)
    )
    np.testing.assert_array_equal(small, large)


def photographs():
    """Tiles of 32 pixels of the photographs of scikit-learn, of half of their size: uint8 (N, 32,
    32, 3)."""
    from sklearn.datasets import load_sample_images

    tiles = []
    for photograph in load_sample_images().images:
        half = photograph[:426, :640].reshape(213, 2, 320, 2, 3).mean(axis=(1, 3))
        small = np.rint(half).astype(np.uint8)
        for top in range(0, small.shape[0] - 32, 24):
            tiles += [
                small[top : top + 32, left : left + 32]
                for left in range(0, small.shape[1] - 32, 24)
            ]
    return np.stack(tiles)


def sharpness(views):
    """How much neighbours differ in the middle of each view, as the root of a mean square, which
    turns do not change: float64 (N,)."""
    grey = views[:, 8:24, 8:24].astype(np.float64).mean(axis=-1)
    across, down = np.square(np.diff(grey, axis=1)), np.square(np.diff(grey, axis=2))
    return np.sqrt(across.mean(axis=(1, 2)) + down.mean(axis=(1, 2)))


@pytest.mark.parametrize(
    "settings",
    [{"scale": (1.0, 1.0)}, {**NO_MOVE, "rotation": 180.0, "scale": (1.0, 1.0)}],
    ids=["projective", "turned"],
)
def test_sharpness_does_not_tell_which_view_was_transformed(settings):
    images = photographs()
    key = Key(np.int64(0), np.int64(0), np.arange(len(images)))
    x, _ = AET(**settings).views(images, key)
    before, after = sharpness(x[::2]), sharpness(x[1::2])
    # A pair tells which of the two was transformed by chance alone, or nearly so ...
    assert 0.35 < np.mean(after < before) < 0.65
    assert 0.93 < np.median(after / before) < 1.07
    # ... and it would tell, if the image itself were shown beside its copy.
    assert np.mean(after < sharpness(images)) > 0.9


@KINDS
def test_explained_variance_of_known_predictions(kind):
    task = AET(kind=kind)
    metric = task.metrics()[0]
    sample = Key(np.int64(9), np.int64(0), np.arange(20_000))
    y = task.labels(task.draw(sample))
    mean = np.broadcast_to(y.mean(axis=0)[:, :], (len(y), 1, task.parameters))[:, 0]
    for predicted, expected, within in (
        (y[:, 0], 1.0, 1e-6),
        (mean, 0.0, 0.02),
        (0.5 * y[:, 0] + 0.5 * mean, 0.75, 0.01),
        (y[:, 0] + 9, 0.0, 1e-6),  # worse than the mean is 0 too
    ):
        metric.reset_state()
        for part in np.array_split(np.arange(len(y)), 7):
            metric.update_state(y[part], predicted[part])
        assert float(metric.result()) == pytest.approx(expected, abs=within)


def test_variances_are_those_of_the_distribution():
    # By hand, of angle a uniform on a circle, scale f, no shear: E[cos² a] = 1/2 and E[1/f²] =
    # 1 / (0.7 · 1.3) for f uniform from 0.7 to 1.3.
    task = AET(kind="affine", shear=0.0)
    expected = 0.5 / (0.7 * 1.3)
    np.testing.assert_allclose(task.variances[[0, 1, 3, 4]], expected, rtol=0.02)
    # Translations uniform up to 0.4 half sides, turned, and over f: 0.4² / 3 · E[1/f²].
    np.testing.assert_allclose(task.variances[[2, 5]], 0.16 / 3 / 0.91, rtol=0.03)


def test_parameters_that_do_not_vary_are_left_out():
    metric = AET(kind="affine", rotation=0.0, shear=0.0, scale=(1.0, 1.0)).metrics()[0]
    metric.update_state(np.zeros((4, 6)), np.zeros((4, 6)))
    assert float(metric.result()) == 1.0
    again = ExplainedVariance.from_config(metric.get_config())
    assert again.variances == metric.variances


def test_the_loss_is_the_mean_over_pairs(images):
    y, predicted = np.random.default_rng(0).normal(size=(2, 6, 8)).astype(np.float32)
    expected = np.mean(half_squared_distance(y, predicted))
    assert float(HalfSquaredDistance()(y, predicted)) == pytest.approx(expected, rel=1e-6)
    assert float(HalfSquaredDistance()(y[:, None], predicted)) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(UserError, match=r"label_smoothing must be 0 for AET, got 0\.1"):
        AET().loss(0.1)


def test_the_head_sees_both_views_of_a_pair(images):
    task = AET()
    model = task.build_model(three_taps())
    x, _ = task.views(images, KEY)
    pooled = keras.Model(model.input, model.get_layer("pool").output).predict(x, verbose=0)
    kernel, bias = model.get_layer("parameters").get_weights()
    expected = np.concatenate([pooled[::2], pooled[1::2]], axis=1) @ kernel + bias
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-4)
    assert task.network(model).output_shape == (None, 2, 2, 8)


@KINDS
def test_the_pictures_show_where_outlines_coincide(kind, digit_source):
    task = AET(kind=kind)

    class Oracle:
        """A model that predicts what is true, or nothing."""

        def __init__(self, knows):
            self.knows = knows

        def predict(self, x, batch_size, verbose):
            part = digit_source.validation.draw(8, 5)
            key = Key(np.int64(5), np.int64(0), part.rows, np.arange(8))
            pixels, parameters = task.views(part.take(slice(None)), key)
            np.testing.assert_array_equal(x, pixels)
            return parameters * self.knows

    (right,), (wrong,) = (task.pictures(Oracle(k), digit_source.validation, 5) for k in (1, 0))
    assert right.name == "outlines"
    assert right.pixels.dtype == np.uint8
    assert right.pixels.shape[:2] == (2 * 180 - 0 + 6, 4 * 180 + 18)
    green, orange = (
        [int((each.pixels == colour).all(axis=-1).sum()) for each in (right, wrong)]
        for colour in ((0, 150, 90), (230, 80, 0))
    )
    assert green[0] < 0.05 * green[1]  # hidden below the prediction
    assert orange[0] > 1000
    (few,) = task.pictures(three_taps_model(task), digit_source.validation.draw(3), 0)
    assert few.pixels.shape[0] == 180


def test_the_pictures_are_of_images_of_all_folders(digit_source):
    part = digit_source.train
    order = np.argsort(part.labels, kind="stable")  # as folders of classes have them
    by_class = Images.of(part.take(order), part.labels[order], part.class_names)
    assert len(np.unique(by_class.labels[:8])) == 1
    task, seen = AET(), []

    class Watched:
        def predict(self, x, batch_size, verbose):
            seen.append(x)
            return np.zeros((len(x) // 2, 8), np.float32)

    task.pictures(Watched(), by_class, 0)
    task.pictures(Watched(), by_class, 1)
    drawn = by_class.draw(8, 0)
    assert len(np.unique(drawn.labels)) > 2
    key = Key(np.int64(0), np.int64(0), drawn.rows, np.arange(8))
    np.testing.assert_array_equal(seen[0], task.views(drawn.take(slice(None)), key)[0])
    assert (seen[0] != seen[1]).any()


def test_the_metric_wants_a_parameter_that_varies():
    with pytest.raises(UserError, match=r"variances must have one at least .* got \[0\.0, 0\.0\]"):
        ExplainedVariance([0.0, 0.0])


def test_a_step_multiplies_no_matrices(images):
    # GPUs round the numbers of products of float32 matrices to 10 bits, and the copy would not be
    # seen through the matrix that is its label.
    import tensorflow as tf

    task = AET()
    drawn = tf.constant(task.draw(KEY))
    graph = tf.function(task.apply).get_concrete_function(tf.constant(images), drawn).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert not {kind for kind in kinds if "MatMul" in kind or "Einsum" in kind}


def three_taps_model(task):
    return task.build_model(three_taps())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kind": "affine", "translation": 0.5}, r"translation must be less than 0.5, got 0.5"),
        ({"kind": "turn"}, r"kind must be"),
        ({"rotation": 90.0}, r"rotation must be None with kind projective, got 90.*corner_shift"),
        ({"kind": "affine", "corner_shift": 0.1}, "corner_shift must be None with kind affine"),
        ({"corner_shift": 0.3}, "corner_shift must leave the image in view.* got 0.3; lower it"),
        ({"corner_shift": 0.14}, "corner_shift must leave the image in view"),
        ({"scale": (0.0, 1.0)}, r"scale.* must be at least 0\.1"),
        ({"scale": (1.2, 0.8)}, "scale must be the least and the greatest"),
        ({"kind": "affine", "shear": 61.0}, "shear must be at most 60, got 61"),
        ({**NO_MOVE, "scale": (0.9, 0.9)}, "scale must have ends that differ more where no other"),
        ({**NO_MOVE, "scale": (1.0, 1.00005)}, r"scale .* differ more .* got \[1\.0, 1\.00005\]"),
        ({"corner_shift": 1e-6, "scale": (1.0, 1.0), "quarter_turns": False}, "scale must have"),
        (
            {"corner_shift": 0.0, "scale": (1.0, 1.0), "quarter_turns": False},
            "scale must have ends that differ more where no other",
        ),
    ],
)
def test_wrong_settings_are_one_sentence(settings, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        AET(**settings)
    assert "\n" not in str(raised.value)


def test_the_published_corners_are_not_refused():
    assert AET(corner_shift=0.125, scale=(0.8, 1.2)).variances.max() < 2


def test_images_must_be_squares(images):
    sentence = "AET needs square images, got 16×12; set data.image_size"
    with pytest.raises(UserError, match=sentence):
        AET().views(images[:, :, :12], KEY)
    with pytest.raises(UserError, match=sentence):
        inputs = keras.Input((16, 12, 3), dtype="uint8")
        AET().build_model(keras.Model(inputs, keras.layers.Rescaling(1 / 255)(inputs)))


def test_tensors_have_the_views_of_arrays(images):
    import tensorflow as tf

    task = AET()
    key = Key(*(tf.constant(each) for each in KEY))
    x, y = task.views(tf.constant(images), key)
    for made, expected in zip((x, y), task.views(images, KEY), strict=True):
        np.testing.assert_array_equal(made, expected)
        assert made.shape == expected.shape
    np.testing.assert_array_equal(task.draw(key), task.draw(KEY))
    np.testing.assert_array_equal(task.labels(task.draw(key)), task.labels(task.draw(KEY)))
