import sys
import warnings

import keras
import numpy as np
import pytest

from rotkeras.attention import METHODS, class_activation_maps
from rotkeras.attention.differentiable import differentiable
from rotkeras.errors import UserError


def test_grad_cam_of_a_network_by_hand():
    # One feature map, which is the red channel; the score of class 1 is its mean, that of class 0
    # minus its mean.
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    convolution = keras.layers.Conv2D(1, 1, use_bias=False)
    x = keras.layers.Identity(name="conv1")(convolution(keras.layers.Rescaling(1.0)(inputs)))
    dense = keras.layers.Dense(2, use_bias=False)
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(x)))
    convolution.set_weights([np.array([[[[1.0], [0.0], [0.0]]]], np.float32)])
    dense.set_weights([np.array([[-1.0, 1.0]], np.float32)])
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    red = images[..., 0].astype(np.float64)
    low, high = red.min((1, 2), keepdims=True), red.max((1, 2), keepdims=True)
    np.testing.assert_allclose(
        class_activation_maps(model, images, target=1), (red - low) / (high - low), atol=1e-5
    )
    assert not class_activation_maps(model, images, target=0).any()  # nothing speaks for it


def direct(method, model, images, answers):
    """tf-keras-vis itself, on a float model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
        from tf_keras_vis.layercam import Layercam
        from tf_keras_vis.saliency import Saliency
        from tf_keras_vis.scorecam import Scorecam
        from tf_keras_vis.utils.scores import CategoricalScore

        made = {
            "gradcam": Gradcam,
            "gradcam++": GradcamPlusPlus,
            "layercam": Layercam,
            "scorecam": Scorecam,
            "saliency": Saliency,
        }
        options = (
            {}
            if method == "saliency"
            else {"penultimate_layer": "conv2", "seek_penultimate_conv_layer": False}
        )
        return made[method](model)(CategoricalScore(answers), images.astype(np.float32), **options)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_that_of_tf_keras_vis_called_directly(rotation_model, photographs, method):
    answers = [0, 1, 2, 3, 0, 1]
    tap = None if method == "saliency" else "conv2"
    found = class_activation_maps(
        rotation_model, photographs, method, tap, answers, smooth_samples=0
    )
    expected = direct(method, differentiable(rotation_model), photographs, answers)
    assert found.shape == (6, 16, 16)
    assert found.dtype == np.float32
    assert 0 <= found.min() < found.max() <= 1
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # An image alone has the map that it has in a batch.
    alone = class_activation_maps(
        rotation_model, photographs[4:5], method, tap, 0, smooth_samples=0
    )
    np.testing.assert_allclose(alone[0], found[4], atol=1e-3)


def test_without_a_target_it_is_the_answer_that_the_model_gives(rotation_model, photographs):
    answers = np.asarray(rotation_model(photographs, training=False)).argmax(-1).tolist()
    np.testing.assert_array_equal(
        class_activation_maps(rotation_model, photographs),
        class_activation_maps(rotation_model, photographs, target=answers),
    )
    other = [(answer + 1) % 4 for answer in answers]
    assert not np.allclose(
        class_activation_maps(rotation_model, photographs, target=other),
        class_activation_maps(rotation_model, photographs),
    )


def test_smooth_grad_depends_on_its_seed_alone(rotation_model, photographs):
    kept = np.random.get_state()[1].copy()
    maps = [
        class_activation_maps(
            rotation_model, photographs[:2], "saliency", smooth_samples=3, seed=seed
        )
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.abs(maps[0] - maps[2]).max() > 0.01
    np.testing.assert_array_equal(
        np.random.get_state()[1], kept
    )  # the caller's generator is left alone


def test_a_mixed_precision_model_has_the_maps_of_its_float32_twin(photographs):
    from rotkeras.backbones import nin
    from rotkeras.pretext import Rotation

    models = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            models.append(
                Rotation().build_model(nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3)))
            )
        finally:
            keras.config.set_dtype_policy("float32")
    models[1].set_weights(models[0].get_weights())
    plain, mixed = (
        class_activation_maps(model, photographs, tap="conv2", target=1) for model in models
    )
    np.testing.assert_allclose(mixed, plain, atol=1e-5)


def test_a_classifier_of_other_classes_and_another_size():
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 20, 3), dtype=np.uint8)
    model = keras.Sequential(
        [
            keras.Input((24, 20, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(11, "softmax"),
        ]
    )
    assert class_activation_maps(model, images, "layercam", target=10).shape == (2, 24, 20)


def test_score_cam_is_silent(rotation_model, photographs, capfd):
    class_activation_maps(rotation_model, photographs[:2], "scorecam", "conv2", 0)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "gradcan"}, "method must be one of .* got 'gradcan'; did you mean 'gradcam'?"),
        ({"tap": "conv7"}, "There is no tap 'conv7' before the predictions;"),
        ({"target": 4}, r"target must be a class from 0 to 3, got 4\."),
        ({"target": [0, 1]}, r"target must be one class, or one for each of 6 images, got 2\."),
    ],
)
def test_what_is_not_there_is_said(rotation_model, photographs, arguments, message):
    with pytest.raises(UserError, match=message):
        class_activation_maps(rotation_model, photographs, **arguments)


def test_a_missing_tf_keras_vis_is_a_sentence(rotation_model, photographs, monkeypatch):
    for name in [each for each in sys.modules if each.startswith("tf_keras_vis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tf_keras_vis", None)
    with pytest.raises(UserError, match="need tf-keras-vis, which is missing: pip install"):
        class_activation_maps(rotation_model, photographs)


def test_one_that_does_not_fit_is_a_sentence(rotation_model, photographs, monkeypatch, tmp_path):
    for name in [each for each in sys.modules if each.startswith("tf_keras_vis")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "tf_keras_vis").mkdir()
    (tmp_path / "tf_keras_vis" / "__init__.py").write_text("from keras import nothing_of_this_name")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="does not fit the other packages .*nothing_of_this_name"):
        class_activation_maps(rotation_model, photographs)
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    with pytest.raises(UserError, match="sees Keras 2 while TF_USE_LEGACY_KERAS is set"):
        class_activation_maps(rotation_model, photographs)
