"""RetinaNet of keras-cv on an encoder: what is kept of it, its levels, and that it learns."""

import keras
import numpy as np
import pytest
from small_transfer import drawn, strided

from rotkeras.backbones import taps
from rotkeras.errors import UserError
from rotkeras.transfer.detect.model import anchors_of, detector, find_levels, flat_detector

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`")


@pytest.fixture(scope="module")
def network():
    return strided()


@pytest.fixture(scope="module")
def model(network):
    """Every weight differs from what it is initialised with."""
    made = detector(network, 3, channels=8, convolutions=1)
    random = np.random.default_rng(0)
    made.set_weights([each + random.normal(0, 0.05, each.shape) for each in made.get_weights()])
    return made


def images(count=2):
    return np.stack([np.asarray(drawn(number)[0].resize((64, 64))) for number in range(count)])


def test_flat_is_the_model_of_keras_cv_of_stock_layers(model):
    x = images()
    kept = flat_detector(model)
    found, expected = kept(x), model(x, training=False)
    np.testing.assert_allclose(found["boxes"], expected["box"], atol=1e-5)
    np.testing.assert_allclose(
        found["scores"], keras.ops.sigmoid(expected["classification"]), atol=1e-5
    )
    assert np.ptp(found["scores"]) > 0.01
    for layer in kept.layers:
        assert not isinstance(layer, keras.Model), layer.name
        assert type(layer).__module__.startswith("keras.src.layers"), layer
    weights = {id(each) for each in model.weights}
    assert {id(each) for each in kept.weights} <= weights  # shared, so that `fit` trains them


def test_maps_and_anchors_agree(model):
    extracted = model.feature_extractor(images())
    sides = [each.shape[1] for each in model.feature_pyramid(extracted)]
    assert sides == [8, 4, 2, 1, 1]
    anchors = anchors_of(4.0)((64, 64))
    assert (
        len(anchors)
        == 9 * (64 + 16 + 4 + 1 + 1)
        == flat_detector(model)(images())["boxes"].shape[1]
    )


@pytest.mark.parametrize(("shape", "sides"), [((64, 96, 3), (2, 3)), ((96, 64, 3), (3, 2))])
def test_other_sizes_have_other_maps(network, shape, sides):
    made = detector(network, 2, channels=8, convolutions=0, input_shape=shape)
    kept = flat_detector(made)
    assert kept.input_shape == (None, *shape)
    assert len(anchors_of(4.0)(shape[:2])) == kept.output["boxes"].shape[1]
    levels = made.feature_pyramid(made.feature_extractor(np.zeros((1, *shape), np.uint8)))
    assert tuple(levels[2].shape[1:3]) == sides
    assert levels[3].shape[1:3] == tuple(-(-side // 2) for side in sides)  # P6
    assert levels[4].shape[1:3] == (1, 1)  # P7


def test_an_untrained_head_gives_one_percent(network):
    kept = flat_detector(detector(network, 2, channels=8, convolutions=1))
    assert np.median(kept(images())["scores"]) == pytest.approx(0.01, rel=0.3)
    bias = kept.get_layer("classes_prediction").bias
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(bias))), 0.01, rtol=1e-5)


def test_initial_weights_follow_from_the_seed_and_differ_from_each_other(network):
    def kernels(seed):
        made = detector(network, 2, channels=8, convolutions=2, seed=seed)
        return [made.box_head.layers[1].kernel, made.classification_head.layers[1].kernel] + [
            made.feature_pyramid.get_layer(f"pyramid_p{number}").kernel for number in (3, 4)
        ]

    first, again, other = (list(map(np.array, kernels(seed))) for seed in (0, 0, 1))
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, three)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[2], first[3])


def test_levels_are_found_and_named(network):
    assert taps.names(network) == ["stage1", "stage2", "stage3", "stage4"]  # strides 4, 8, 16, 32
    assert find_levels(network) == ["stage2", "stage3", "stage4"]
    assert find_levels(network, ["stage2", "stage3", "stage4"]) == ["stage2", "stage3", "stage4"]
    images_, x = keras.Input((64, 64, 3), dtype="uint8"), None
    x = keras.layers.Rescaling(1.0)(images_)
    for number, stride in enumerate((8, 1, 2, 2, 1)):
        x = keras.layers.Conv2D(2, 3, stride, padding="same")(x)
        x = keras.layers.Identity(name=f"tap{number}")(x)
    assert find_levels(keras.Model(images_, x)) == ["tap1", "tap2", "tap4"]  # the last of a stride


def test_what_does_not_fit_is_one_sentence(network):
    for arguments, words in (
        ({"levels": ["stage1", "stage2", "stage3"]}, "got stage1 (stride 4), stage2 (stride 8)"),
        ({"levels": ["stage2", "stage3"]}, "levels must be taps at strides 8, 16 and 32"),
        ({"levels": ["stage2", "stage3", "stage9"]}, "stage9"),
        ({"input_shape": (48, 64, 3)}, "sides are multiples of 32, got 48×64; set data.image_size"),
        ({"classes": 0}, "classes must be at least 1, got 0"),
    ):
        with pytest.raises(UserError) as error:
            detector(**{"network": network, "classes": 2, **arguments})
        message = str(error.value)
        assert words in message
        assert "\n" not in message
        assert message.endswith((".", "?"))
    from rotkeras.backbones import nin

    shallow = nin(blocks=3, width=1 / 24, input_shape=(32, 32, 3))
    with pytest.raises(UserError, match="has none at 8, 16, 32: conv1 .stride 2"):
        detector(shallow, 2)


def test_as_published_it_has_the_weights_of_keras_cv(network):
    """256 channels and three convolutions: keras-cv's own pyramid and heads have as many weights."""
    from keras_cv.src.models.object_detection.retinanet.feature_pyramid import FeaturePyramid
    from keras_cv.src.models.object_detection.retinanet.prediction_head import PredictionHead

    made = detector(network, 4, channels=256, convolutions=3)
    maps = {
        level: keras.ops.zeros((1, side, side, 8))
        for level, side in (("P3", 8), ("P4", 4), ("P5", 2))
    }
    pyramid = FeaturePyramid()
    boxes, classes = PredictionHead(9 * 4, "zeros"), PredictionHead(9 * 4, "zeros")
    first = keras.tree.flatten(pyramid(maps))[0]
    boxes(first), classes(first)
    assert made.feature_pyramid.count_params() == pyramid.count_params()
    assert made.box_head.count_params() == boxes.count_params()
    assert made.classification_head.count_params() == classes.count_params()


def test_steps_on_two_images_lower_the_loss(network, eagerly):
    made = detector(network, 2, channels=16, convolutions=1, seed=1)
    boxes = np.array([drawn(number)[2] for number in range(2)], np.float32)[:, None]
    boxes *= np.array([64 / 80, 64 / 60, 64 / 80, 64 / 60], np.float32)
    made.compile(
        optimizer=keras.optimizers.Adam(0.01), classification_loss="focal", box_loss="smoothl1"
    )
    given = {"boxes": boxes, "classes": np.array([[0.0], [1.0]], np.float32)}
    history = made.fit(images(), given, batch_size=2, epochs=8, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert all(np.isfinite(history["loss"]))
