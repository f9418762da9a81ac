"""What every backbone promises. A new one is a line in BACKBONES."""

import json
import math
import os
import subprocess
import sys

import elsewhere
import keras
import numpy as np
import pytest

from rotkeras import UserError, backbones, data, recipe, taps
from rotkeras.pretext import Rotation, SimCLR

SIDE = 32

# name of the line: (arguments, {tap: (height, width, channels)} at 32 pixels)
BACKBONES = {
    "nin": (
        {"width": 0.04},
        {"conv1": (16, 16, 8), "conv2": (8, 8, 8), "conv3": (8, 8, 8), "conv4": (8, 8, 8)},
    ),
    "alexnet": (
        {"width": 0.04},
        {
            "conv1": (32, 32, 8), "conv2": (15, 15, 8), "conv3": (7, 7, 16), "conv4": (7, 7, 16),
            "conv5": (7, 7, 16), "fc6": (1, 1, 168), "fc7": (1, 1, 168),
        },
    ),
    "resnet": (
        {"width": 0.04},
        {"stage1": (32, 32, 8), "stage2": (16, 16, 16), "stage3": (8, 8, 32), "stage4": (4, 4, 64)},
    ),
    "resnet, 50 version 2": (
        {"width": 0.04, "depth": 50, "version": 2},
        {
            "stage1": (32, 32, 32), "stage2": (16, 16, 64), "stage3": (8, 8, 128),
            "stage4": (4, 4, 256),
        },
    ),
    "revnet50": (
        {"width": 0.04, "stem": "photo"},
        {"stage1": (8, 8, 32), "stage2": (4, 4, 64), "stage3": (2, 2, 128), "stage4": (1, 1, 256)},
    ),
    "vgg19_bn": (
        {"width": 0.04},
        {
            "stage1": (16, 16, 8), "stage2": (8, 8, 8), "stage3": (4, 4, 16), "stage4": (2, 2, 24),
            "stage5": (1, 1, 24), "fc6": (1, 1, 168), "fc7": (1, 1, 168),
        },
    ),
    "keras_applications, MobileNetV3Small": (
        {"model": "MobileNetV3Small", "arguments": {"alpha": 0.35}},
        {
            "stage1": (16, 16, 16), "stage2": (8, 8, 40), "stage3": (4, 4, 32),
            "stage4": (2, 2, 96), "stage5": (1, 1, 192),
        },
    ),
    "keras_applications, ReLU": (
        {
            "model": "MobileNetV3Small",
            "arguments": {"alpha": 0.35, "minimalistic": True},
            "batch_norm_momentum": 0.9,
        },
        {
            "stage1": (16, 16, 16), "stage2": (8, 8, 40), "stage3": (4, 4, 32),
            "stage4": (2, 2, 96), "stage5": (1, 1, 192),
        },
    ),
}  # fmt: skip
QUICK = (
    list(BACKBONES) if os.environ.get("ROTKERAS_ALL") else ["resnet", "keras_applications, ReLU"]
)
"""Lines for promises that take seconds; with ROTKERAS_ALL=1, as `.ci/run` sets it, all of them."""


PAIR = ["resnet", "keras_applications, ReLU"]
"""Lines that are trained in processes of their own: convolutions and depthwise ones, residual
units, a family of ours and a network of Keras."""

ONE = QUICK if os.environ.get("ROTKERAS_ALL") else QUICK[:1]
"""Where a line takes ten seconds."""

elsewhere_too = pytest.mark.skipif(
    not os.environ.get("ROTKERAS_ALL"), reason="on two devices and JAX with ROTKERAS_ALL=1"
)


def make(line, **more):
    arguments, _ = BACKBONES[line]
    name = line.split(",")[0]
    return backbones.NAMES[name](**{"input_shape": (SIDE, SIDE, 3), **arguments, **more})


@pytest.fixture(params=BACKBONES)
def line(request):
    return request.param


@pytest.fixture(scope="module")
def images():
    return data.load("digits", image_size=SIDE).train.draw(48)


def trained(backbone, task, images, steps=2, **compiled):
    model = task.build_model(backbone)
    model.compile(keras.optimizers.SGD(0.01), task.loss(), metrics=task.metrics(), **compiled)
    batches = data.pipeline(images, task, images_per_batch=8, seed=0)
    history = model.fit(batches.dataset, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
    return model, history.history


def test_its_taps_and_their_shapes(line):
    backbone = make(line)
    _, expected = BACKBONES[line]
    assert {t: tuple(taps.output(backbone, t).shape[1:]) for t in taps.names(backbone)} == expected
    assert backbone.output_shape[1:] == list(expected.values())[-1]
    assert backbone.inputs[0].dtype == "uint8"
    assert not [each for each in backbone.layers if isinstance(each, keras.Model)]
    floats = backbone(np.full((1, SIDE, SIDE, 3), 255, np.uint8))
    assert np.isfinite(floats).all()


def test_it_trains(line, images, eagerly):
    backbone = make(line)
    before = [w.copy() for w in backbone.get_weights()]
    _, history = trained(backbone, Rotation(), images)
    assert np.isfinite(history["loss"]).all()
    changed = [(a != b).any() for a, b in zip(before, backbone.get_weights(), strict=True)]
    assert np.mean(changed) > 0.9


@pytest.mark.parametrize("line", ONE, indirect=True)
def test_it_loads_in_safe_mode_without_rotkeras_and_is_cut_at_each_tap(line, tmp_path):
    backbone = make(line)
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    for number, tap in enumerate(taps.names(backbone)):
        encoder = taps.cut(backbone, tap)
        assert encoder(image).shape == (1, BACKBONES[line][1][tap][2])
        if number == 1:
            encoder.save(tmp_path / "encoder.keras")
            np.save(tmp_path / "expected.npy", encoder(image))
            np.save(tmp_path / "image.npy", image)
    code = (
        "import keras, numpy as np, sys; m = keras.models.load_model('encoder.keras', safe_mode=True);"
        "print(np.abs(m(np.load('image.npy')) - np.load('expected.npy')).max() < 1e-4,"
        " 'rotkeras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("line", QUICK, indirect=True)
def test_untrained_copies_differ_and_those_of_one_seed_are_equal(line):
    backbone = make(line)
    one, same, other = (taps.untrained_copy(backbone, seed) for seed in (1, 1, 2))
    kernels = [number for number, weight in enumerate(backbone.weights) if weight.name == "kernel"]
    for number in kernels:
        a, b, c = (each.get_weights()[number] for each in (one, same, other))
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


def test_probes_read_every_tap(line, images):
    """Grids of one position too: of maps of 1 × 1, or of more than 512 channels."""
    from rotkeras.probes.features import PooledFeatures
    from rotkeras.probes.heads import Site, apply, linear

    backbone, expected = make(line), BACKBONES[line][1]
    pixels = images.take(slice(0, 4))
    for wanted in (1024, 1):
        found = taps.extractor(backbone, wanted).predict_on_batch(pixels)
        for tap, (height, width, channels) in expected.items():
            side = taps.grid((height, width, channels), wanted)
            assert found[tap].shape == (4, side * side * channels)
    maps = taps.maps(backbone).predict_on_batch(pixels)
    for tap, each in maps.items():
        np.testing.assert_allclose(
            found[tap], each.mean(axis=(1, 2)), rtol=1e-3, atol=1e-4 * np.abs(each).max()
        )
        assert apply(linear(Site(expected[tap], 3)), each).shape == (4, 3)
    assert PooledFeatures(backbone) is not None


def test_the_same_weights_at_another_size(line):
    backbone = make(line)
    larger = backbones.with_input_shape(backbone, (64, 64, 3))
    first = taps.names(backbone)[0]
    side = taps.output(backbone, first).shape[1]
    assert taps.output(larger, first).shape[1] == 2 * side
    assert [id(w) for w in larger.weights] == [id(w) for w in backbone.weights]


@pytest.mark.parametrize("line", QUICK, indirect=True)
def test_sixteen_bits_train_and_predict_finite_numbers(line, images, eagerly):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        backbone = make(line)
        normalisations = [each for each in backbone.layers if "normalization" in each.name][:1]
        assert all(each.compute_dtype == "float32" for each in normalisations if not each.weights)
        assert {"bfloat16"} <= {each.compute_dtype for each in backbone.layers}
        model, history = trained(backbone, Rotation(), images)
        assert np.isfinite(history["loss"]).all()
        assert np.isfinite(model.predict(images.take(slice(0, 8)), verbose=0)).all()
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("line", ONE, indirect=True)
def test_it_is_exported_with_proof(line, tmp_path):
    from rotkeras.export import export
    from rotkeras.recipe import Export

    source = data.load("digits", image_size=SIDE)
    small = data.Source("digits", source.train.draw(150), source.validation.draw(60))
    network = Rotation().build_model(make(line))
    settings = Export(
        profiles=["float32", "dynamic"],
        saved_model=True,
        max_drop=100.0,
        tap=taps.names(network)[1],
    )
    done = export(network, small, tmp_path / "export", settings, task=Rotation())
    agreement = done.proof["files"]["encoder-float32.tflite"]["agreement"]
    assert agreement["cosine_min"] > 0.9999
    assert max(done.proof["saved_model"]["share"].values()) < 1e-4


@pytest.mark.parametrize("line", QUICK, indirect=True)
def test_attention_maps_are_drawn(line, images):
    from rotkeras.attention import activation_maps, class_activation_maps

    network = Rotation().build_model(make(line))
    pixels = images.take(slice(0, 2))
    names = taps.names(network)
    maps = activation_maps(network, pixels, names[:2])
    assert set(maps) == set(names[:2])
    cam = class_activation_maps(network, pixels, "gradcam", names[1])
    assert cam.shape[0] == 2
    assert np.isfinite(cam).all()


@pytest.mark.parametrize("line", QUICK, indirect=True)
def test_simclr_trains_on_it(line, images, eagerly):
    _, history = trained(make(line), SimCLR(hidden_units=8, projection_units=4), images)
    assert np.isfinite(history["loss"]).all()


SCRIPT = """
from rotkeras import backbones, data
from rotkeras.pretext import Rotation
from rotkeras.training import initial_weights
images = data.load("digits", image_size=32).train.draw(16)
found = {}
for line, arguments in json.loads(sys.argv[3]).items():
    with scope():
        backbone = backbones.NAMES[line.split(",")[0]](
            **arguments, input_shape=(32, 32, 3), synchronized_batch_norm=on_tensorflow)
        task = Rotation()
        model = task.build_model(backbone)
        initial_weights.draw(model, 0)
        model.compile(keras.optimizers.SGD(0.01), task.loss(), jit_compile=not on_tensorflow)
    batches = data.pipeline(images, task, images_per_batch=8, seed=0)
    found[line] = model.fit(
        batches.dataset, steps_per_epoch=1, epochs=2, shuffle=False, verbose=0).history["loss"]
print(json.dumps(found))
"""


def losses(backend, devices):
    """{line: losses of two steps} of the lines of PAIR."""
    wanted = json.dumps({line: BACKBONES[line][0] for line in PAIR})
    return elsewhere.run(SCRIPT, backend, devices, wanted)


@pytest.fixture(scope="module")
def on_one_device():
    return losses("tensorflow", "one")


@elsewhere_too
def test_two_replicas_have_the_losses_of_one(on_one_device):
    check_losses(losses("tensorflow", "two"), on_one_device)


@elsewhere_too
def test_jax_has_the_losses_of_tensorflow(on_one_device):
    pytest.importorskip("jax")
    check_losses(losses("jax", "one"), on_one_device)


def check_losses(there, here):
    """The first losses agree to rounding. A step on 32 views goes through batch norm of maps of few
    pixels, which makes rounding a hundred times as large; of one pixel, a thousand times."""
    for line in PAIR:
        np.testing.assert_allclose(there[line][0], here[line][0], rtol=1e-4)
        assert np.isfinite(there[line]).all()
    np.testing.assert_allclose(there["resnet"][1], here["resnet"][1], rtol=1e-2)


def test_a_recipe_names_it(line):
    name = line.split(",")[0]
    section = {"name": name, **BACKBONES[line][0]}
    made = recipe.validate({"data": {"embedded": "digits"}, "backbone": section}, "test")
    again = recipe.validate(made.model_dump(mode="json"), "test")
    assert again.backbone == made.backbone
    assert backbones.summary(made.backbone).startswith(name)
    with pytest.raises(UserError, match=r"backbone\.colour is not a key of "):
        recipe.validate(
            {"data": {"embedded": "digits"}, "backbone": {**section, "colour": 1}}, "test"
        )


def trainable(model):
    return sum(math.prod(each.shape) for each in model.trainable_variables)


@pytest.mark.parametrize(
    ("name", "arguments", "tap", "published"),
    [
        # torchvision's networks without their last dense layer, of 512 or 2048 features.
        ("resnet", {"depth": 18}, None, 11_689_512 - 513_000),
        ("resnet", {"depth": 34}, None, 21_797_672 - 513_000),
        ("resnet", {"depth": 50}, None, 25_557_032 - 2_049_000),
        # Its convolutional part has biases, one for each filter, where ours has none, and batch
        # norm has two numbers in their place.
        ("vgg19_bn", {}, "stage5", 20_035_392 - 5_504),
        ("alexnet", {}, "conv5", 2_469_696 + 1_152),
        # With the dense layers, of 61,100,840 in all.
        ("alexnet", {}, "fc7", 61_100_840 - 4_097_000 - 9_344 + 2 * 9_344),
    ],
)
def test_parameters_are_those_that_are_published(name, arguments, tap, published):
    backbone = backbones.NAMES[name](**arguments)
    cut = keras.Model(backbone.input, taps.output(backbone, tap)) if tap else backbone
    assert trainable(cut) == published


def test_version_2_is_that_of_keras_applications():
    theirs = keras.applications.ResNet50V2(include_top=False, weights=None)
    biases = sum(
        math.prod(each.bias.shape)
        for each in theirs.layers
        if isinstance(each, keras.layers.Conv2D) and each.use_bias
    )
    assert trainable(backbones.resnet(50, 2)) == trainable(theirs) - biases


def test_revnet_by_hand():
    """Stem and norms, then for each unit of C channels: norms of C/2, C/4 and C/4 channels, and
    kernels C/2 → C/4, 3×3 of C/4, and C/4 → C/2."""
    total = 7 * 7 * 3 * 64 + 2 * 64 + 2 * 2048
    for stage, units in enumerate((3, 4, 6, 3)):
        half, inside = 128 * 2**stage, 64 * 2**stage
        norms = 2 * (half + 2 * inside)
        total += units * (norms + half * inside + 9 * inside**2 + inside * half)
    assert trainable(backbones.revnet50()) == total


def test_a_strided_convolution_is_padded_on_all_sides_alike():
    """So a flipped image has flipped features."""
    backbone = backbones.resnet(width=0.1, stem="photo", input_shape=(65, 65, 3))
    image = np.random.default_rng(0).integers(0, 256, (1, 65, 65, 3), np.uint8)
    stem = keras.Model(backbone.input, backbone.get_layer("stem_conv").output)
    kernel = backbone.get_layer("stem_conv").kernel
    kernel.assign((kernel + kernel[:, ::-1]) / 2)
    np.testing.assert_allclose(stem(image[:, :, ::-1]), stem(image)[:, :, ::-1], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("nin", {"input_shape": (4, 4, 3)}, "at least 8 pixels"),
        ("alexnet", {"input_shape": (14, 14, 3)}, "at least 15 pixels"),
        ("alexnet", {"input_shape": (40, 40, 3), "stem": "photo"}, "at least 63 pixels"),
        ("vgg19_bn", {"input_shape": (31, 40, 3)}, "at least 32 pixels"),
        ("resnet", {"input_shape": (32, 32, 1)}, "be (height, width, 3)"),
        ("resnet", {"depth": 19}, "depth must be one of 18, 34, 50, got 19"),
        ("resnet", {"stem": "tiny"}, "stem must be one of 'auto', 'small', 'photo'"),
        ("revnet50", {"width": 0}, "width must be greater than 0"),
    ],
)
def test_what_cannot_be_built_says_so(name, arguments, words):
    with pytest.raises(UserError) as error:
        backbones.NAMES[name](**arguments)
    assert words in str(error.value)
