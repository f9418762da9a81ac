"""Segmenters: keras-cv's own model is the reference of one head, NumPy that of the other."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from rotkeras.backbones import resnet, taps, with_input_shape
from rotkeras.errors import UserError
from rotkeras.transfer.segment.loss import loss
from rotkeras.transfer.segment.model import segmenter

pytestmark = pytest.mark.long

SIDE = 64


@pytest.fixture(scope="module")
def network():
    """Taps at strides 4, 8, 16 and 32."""
    return resnet(depth=18, width=0.125, stem="photo", input_shape=(SIDE, SIDE, 3))


@pytest.fixture(scope="module")
def small_strides():
    """Taps at strides 1, 2, 4 and 8."""
    return resnet(depth=18, width=0.125, stem="small", input_shape=(32, 32, 3))


def photographs(count=2, side=SIDE):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def stirred(model):
    """Norms with statistics of their own: fresh ones let errors of them pass."""
    draws = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([draws.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])


def kerascv_model(network, classes):
    """keras-cv's model on the network itself, with the layers that have weights, in the order in
    which they are called."""
    import keras_cv

    network.pyramid_level_inputs = {"P2": "stage1", "P5": "stage4"}
    model = keras_cv.models.DeepLabV3Plus(network, classes)
    pyramid = model.spatial_pyramid_pooling
    (projector,) = [
        each
        for each in model.layers
        if isinstance(each, keras.Sequential) and each is not model.segmentation_head
    ]
    sequences = [*pyramid.aspp_parallel_channels, pyramid.projection, projector]
    return model, [
        layer for each in [*sequences, model.segmentation_head] for layer in each.layers
        if layer.weights
    ]  # fmt: skip


def settings(layer):
    left_out = ("name", "kernel_initializer", "build_config")
    return {key: value for key, value in layer.get_config().items() if key not in left_out}


def test_deeplab_is_kerascvs_own_model_without_models_inside():
    network = resnet(depth=18, width=0.125, stem="photo", input_shape=(96, SIDE, 3))
    stirred(network)
    reference, heads = kerascv_model(network, 5)
    model = segmenter(network, 5)
    ours = [each for each in model.layers if each.name.startswith("segment_") and each.weights]
    names = [f"pyramid{number}" for number in range(1, 6)]
    order = [*names, "pyramid_projection", "low", "head"]
    ours = {each.name: each for each in ours}
    mine = [
        layer
        for part in order
        for layer in (ours.get(f"segment_{part}_conv"), ours.get(f"segment_{part}_norm"))
    ] + [ours["segment_classes"]]
    draws = np.random.default_rng(2)
    assert len(mine) == len(heads) == len(ours)
    for layer, other in zip(mine, heads, strict=True):
        assert type(layer) is type(other)
        # Dilations of 6 and more see the centre alone on maps as small as these.
        assert settings(layer) == settings(other)
        values = [draws.uniform(0.1, 1.0, each.shape) * 0.2 for each in layer.get_weights()]
        layer.set_weights(values)
        other.set_weights(values)
    images = np.random.default_rng(0).integers(0, 256, (2, 96, SIDE, 3), np.uint8)
    found, expected = model.predict(images, verbose=0), reference.predict(images, verbose=0)
    assert found.shape == (2, 96, SIDE, 5)
    assert found.dtype == np.float32
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.count_params() == reference.count_params()
    # In training too: dropout is 0, and norms take the statistics of the batch.
    np.testing.assert_allclose(
        model(images, training=True), reference(images, training=True), atol=1e-4
    )


@pytest.mark.parametrize("head", ["deeplab_v3_plus", "lr_aspp"])
class TestEachHead:
    def test_it_is_flat_and_copies_the_network(self, network, head):
        model = segmenter(network, 3, head, seed=0)
        assert not [each for each in model.layers if isinstance(each, keras.Model)]
        assert {type(each).__module__.split(".")[0] for each in model.layers} == {"keras"}
        mine, given = model.get_layer("stem_conv"), network.get_layer("stem_conv")
        assert mine is not given
        np.testing.assert_array_equal(mine.get_weights()[0], given.get_weights()[0])
        heads = [each for each in model.layers if each.name.startswith("segment_")]
        trained = {id(weight) for weight in model.trainable_weights}
        assert {id(weight) for layer in heads for weight in layer.trainable_weights} < trained
        assert len(heads) > 10

    def test_pixels_have_probabilities_at_another_size(self, network, head):
        model = segmenter(network, 3, head, (96, 160, 3))
        made = model(np.zeros((1, 96, 160, 3), np.uint8)).numpy()
        assert made.shape == (1, 96, 160, 3)
        np.testing.assert_allclose(made.sum(-1), 1, atol=1e-5)

    def test_a_network_at_another_size_is_read_there(self, network, head):
        """`layer.output` of its taps is a tensor of the network that was built first."""
        model = segmenter(with_input_shape(network, (96, 96, 3)), 3, head)
        assert model(np.zeros((1, 96, 96, 3), np.uint8)).shape == (1, 96, 96, 3)

    def test_initial_weights_follow_from_the_seed(self, network, head):
        def first(seed):
            model = segmenter(network, 3, head, seed=seed)
            return [
                layer.get_weights()[0]
                for layer in model.layers
                if layer.name.startswith("segment_") and isinstance(layer, keras.layers.Conv2D)
            ]

        one, same, other = first(1), first(1), first(2)
        assert all((a == b).all() for a, b in zip(one, same, strict=True))
        assert all((a != b).any() for a, b in zip(one, other, strict=True))
        # Branches of one shape do not begin alike.
        assert not any(
            a.shape == b.shape and (a == b).any()
            for number, a in enumerate(one)
            for b in one[number + 1 :]
        )

    def test_dropout_drops_in_training_alone(self, network, head):
        model = segmenter(network, 3, head, dropout=0.5)
        (layer,) = [each for each in model.layers if isinstance(each, keras.layers.Dropout)]
        assert layer.rate == 0.5
        image = photographs(1)
        np.testing.assert_array_equal(model(image), model(image))
        keras.utils.set_random_seed(0)
        assert (model(image, training=True).numpy() != model(image, training=True).numpy()).any()

    def test_a_few_steps_lower_the_loss(self, head, eagerly):
        network = resnet(depth=18, width=0.125, stem="photo", input_shape=(SIDE, SIDE, 3))
        keras.utils.set_random_seed(0)
        model = segmenter(network, 2, head, seed=0)
        images = photographs(4)
        images[:, :, :32] //= 4
        masks = np.ones((4, SIDE, SIDE), np.uint8)
        masks[:, :, :32] = 0
        masks[:, ::8] = 255
        metric = keras.metrics.MeanIoU(2, ignore_class=255, sparse_y_pred=False)
        model.compile(keras.optimizers.Adam(0.003), loss(), metrics=[metric])
        past = model.fit(images, masks, batch_size=4, epochs=8, verbose=0).history
        assert past["loss"][-1] < 0.7 * past["loss"][0]

    def test_a_file_loads_in_safe_mode_with_keras_alone(self, network, head, tmp_path):
        model = segmenter(network, 3, head, seed=0)
        model.save(tmp_path / "segmenter.keras")
        np.save(tmp_path / "images.npy", photographs(1))
        np.save(tmp_path / "expected.npy", model(photographs(1)))
        code = (
            "import keras, numpy as np, sys;"
            "m = keras.models.load_model('segmenter.keras', safe_mode=True);"
            "print(np.abs(m(np.load('images.npy')) - np.load('expected.npy')).max() < 1e-5,"
            " 'rotkeras' in sys.modules, 'keras_cv' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout.split() == ["True", "False", "False"]

    def test_tflite_needs_builtin_operators_only(self, network, head, tmp_path):
        import tensorflow as tf
        from ai_edge_litert.interpreter import Interpreter

        model = segmenter(network, 3, head, seed=0)
        archive = keras.export.ExportArchive()
        archive.track(model)
        specification = [tf.TensorSpec((1, SIDE, SIDE, 3), tf.uint8)]
        archive.add_endpoint("serve", lambda x: model(x, training=False), specification)
        archive.write_out(str(tmp_path), verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        interpreter = Interpreter(model_content=converter.convert())
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], photographs(1))
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_allclose(found, model(photographs(1)), atol=1e-4)


def test_lr_aspp_is_what_numpy_makes_of_the_taps(network):
    stirred(network)
    model = segmenter(network, 3, "lr_aspp", seed=0)
    stirred(model)
    image = photographs(1)
    low, high = (
        taps.maps(network, ["stage2", "stage3"])(image)[tap].numpy()[0].astype(np.float64)
        for tap in ("stage2", "stage3")
    )
    assert low.shape[0] == SIDE // 8
    assert high.shape[0] == SIDE // 16

    def dense(name, x):
        kernel, *bias = (each.astype(np.float64) for each in model.get_layer(name).get_weights())
        return x @ kernel[0, 0] + (bias[0] if bias else 0)

    norm = model.get_layer("segment_high_norm")
    scale, shift, mean, variance = (each.astype(np.float64) for each in norm.get_weights())
    x = dense("segment_high_conv", high)
    x = np.maximum((x - mean) / np.sqrt(variance + norm.epsilon) * scale + shift, 0)
    x = x / (1 + np.exp(-dense("segment_mean_conv", high.mean((0, 1)))))
    x = dense("segment_high_classes", larger(x, 2)) + dense("segment_low_classes", low)
    x = np.exp(larger(x, 8))
    expected = x / x.sum(-1, keepdims=True)
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(model(image)[0], expected, atol=1e-4)


def larger(x, factor):
    """A map made larger by linear interpolation between the centres of its pixels."""
    for axis in (0, 1):
        side = x.shape[axis]
        places = np.clip((np.arange(side * factor) + 0.5) / factor - 0.5, 0, side - 1)
        below = np.floor(places).astype(int)
        above = np.minimum(below + 1, side - 1)
        share = np.expand_dims(places - below, 1 - axis)[..., None]
        x = x.take(below, axis) * (1 - share) + x.take(above, axis) * share
    return x


class TestSizesAndStrides:
    def test_deeplab_names_the_strides_it_needs_and_lr_aspp(self, small_strides):
        with pytest.raises(UserError, match=r"strides 4 and 32.*stage4 at 8.*lr_aspp"):
            segmenter(small_strides, 3)

    def test_lr_aspp_takes_the_nearest_taps_of_any_network(self, small_strides):
        model = segmenter(small_strides, 3, "lr_aspp")
        assert model.get_layer("segment_high_conv").input.shape[1:3] == (4, 4)
        assert model.get_layer("segment_low_classes").input.shape[1:3] == (8, 8)
        assert model.output.shape == (None, 32, 32, 3)

    def test_lr_aspp_takes_one_tap_twice_where_there_is_one(self):
        inputs = keras.Input((16, 16, 3), dtype="uint8")
        x = keras.layers.Rescaling(1 / 255)(inputs)
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(x)
        x = keras.layers.Identity(name="only")(x)
        model = segmenter(keras.Model(inputs, x), 2, "lr_aspp")
        assert model.output.shape == (None, 16, 16, 2)

    @pytest.mark.parametrize(
        ("head", "multiple", "near"), [("deeplab_v3_plus", 32, 96), ("lr_aspp", 16, 96)]
    )
    def test_sides_must_be_multiples_of_the_strides(self, network, head, multiple, near):
        with pytest.raises(UserError, match=rf"multiples of {multiple}.*got 100×64.*\({near}, 64"):
            segmenter(network, 3, head, (100, 64, 3))

    def test_a_network_without_maps_is_named(self):
        inputs = keras.Input((16, 16, 3), dtype="uint8")
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        x = keras.layers.Identity(name="flat")(x)
        with pytest.raises(UserError, match="feature map"):
            segmenter(keras.Model(inputs, x), 2, "lr_aspp")

    def test_more_classes_than_bytes_hold_are_refused(self, network):
        with pytest.raises(UserError, match="classes must be at most 255, got 256"):
            segmenter(network, 256)


class TestLoss:
    def masks(self):
        draws = np.random.default_rng(0)
        truth = draws.integers(0, 3, (2, 4, 5)).astype(np.uint8)
        truth[0, :2] = 255
        return truth, draws.dirichlet(np.ones(3), truth.shape).astype(np.float32)

    def test_it_is_the_mean_over_the_pixels_that_count(self):
        truth, predicted = self.masks()
        seen = truth != 255
        expected = -np.log(predicted[seen, truth[seen]]).mean()
        assert float(loss()(truth, predicted)) == pytest.approx(expected, rel=1e-5)
        assert type(loss()) is keras.losses.SparseCategoricalCrossentropy

    def test_weights_give_a_weighted_mean(self):
        truth, predicted = self.masks()
        seen = truth != 255
        weights = np.array([1.0, 5.0, 0.5])
        each = weights[truth[seen]]
        expected = (each * -np.log(predicted[seen, truth[seen]])).sum() / each.sum()
        made = loss(weights)
        assert float(made(truth, predicted)) == pytest.approx(expected, rel=1e-5)
        again = type(made).from_config(made.get_config())
        assert float(again(truth, predicted)) == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("weights", [None, [1.0, 5.0, 0.5]])
    def test_a_batch_of_void_costs_nothing_and_moves_nothing(self, weights):
        import tensorflow as tf

        truth, predicted = self.masks()
        variable = tf.Variable(predicted)
        with tf.GradientTape() as tape:
            value = loss(weights)(np.full_like(truth, 255), variable)
        assert float(value) == 0
        np.testing.assert_array_equal(tape.gradient(value, variable), 0)

    def test_weights_must_be_positive(self):
        with pytest.raises(UserError, match=r"class_weights\[1\] must be greater than 0"):
            loss([1.0, 0.0])
