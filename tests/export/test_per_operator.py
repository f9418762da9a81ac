import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from rotkeras import backbones, taps
from rotkeras.export import per_operator, to_tflite
from rotkeras.export.operators import operators_of

pytestmark = pytest.mark.long

SIZE = 32
IMAGES = np.random.default_rng(0).integers(0, 256, (100, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def encoder():
    import keras

    keras.utils.set_random_seed(0)
    # Depthwise convolutions, hard-swish and squeeze-and-excite.
    backbone = backbones.keras_applications(
        "MobileNetV3Small",
        arguments={"alpha": 0.35},
        batch_norm_momentum=0.5,
        input_shape=(SIZE, SIZE, 3),
    )
    for _ in range(20):  # statistics of batch norm as after training: else features are near zero
        backbone(IMAGES, training=True)
    return taps.cut(backbone, taps.names(backbone)[3])


@pytest.fixture(scope="module")
def files(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(per_operator, "TOLERATED", 1e9)  # no operator is left out of int8
        return {
            name: to_tflite(
                encoder, folder / f"{name}.tflite", name, calibration=IMAGES
            ).read_bytes()
            for name in ("float32", "dynamic", "mixed", "int16x8")
        }


def tensors(model):
    """(operator, dtypes and scales of input, kernel and output) of each convolution."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model)))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    graph = tree.subgraphs[0]
    makers = {output: each for each in graph.operators for output in each.outputs}
    for operator in graph.operators:
        name = names[tree.operatorCodes[operator.opcodeIndex].builtinCode]
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            yield name, tree, [graph.tensors[each] for each in operator.inputs[:2]], makers


def dtype(tensor):
    return {0: "float32", 1: "float16", 7: "int16", 9: "int8"}[tensor.type]


def test_each_operator_has_the_numbers_of_its_profile(files):
    found = {
        profile: {(name, dtype(images), dtype(kernel)) for name, _, (images, kernel), _ in each}
        for profile, each in ((name, tensors(model)) for name, model in files.items())
    }
    assert found["float32"] == {
        ("CONV_2D", "float32", "float32"),
        ("DEPTHWISE_CONV_2D", "float32", "float32"),
    }
    assert found["dynamic"] == {
        ("CONV_2D", "float32", "int8"),
        ("DEPTHWISE_CONV_2D", "float32", "float32"),  # of int8 weights: see below
    }
    for profile, inputs in (("mixed", "int8"), ("int16x8", "int16")):
        assert found[profile] == {
            ("CONV_2D", inputs, "int8"),
            ("DEPTHWISE_CONV_2D", inputs, "int8"),
        }


def test_depthwise_weights_are_stored_in_int8_and_computed_with_in_float32(files):
    def sides(model):
        return [
            len(tree.buffers[kernel.buffer].data)
            for name, tree, (_, kernel), _ in tensors(model)
            if name == "DEPTHWISE_CONV_2D" and tree.buffers[kernel.buffer].data is not None
        ]

    assert sides(files["float32"])
    assert not sides(files["dynamic"])  # made from int8 when the file is opened
    assert operators_of(files["dynamic"])["DEQUANTIZE"] >= len(sides(files["float32"]))


def test_weights_are_rounded_channel_by_channel_as_numpy_does(files):
    exact = [
        (tree.buffers[kernel.buffer].data, kernel)
        for name, tree, (_, kernel), _ in tensors(files["float32"])
        if name == "CONV_2D"
    ]
    found = [
        (tree.buffers[kernel.buffer].data, kernel)
        for name, tree, (_, kernel), _ in tensors(files["mixed"])
        if name == "CONV_2D"
    ]
    assert len(exact) == len(found) > 5
    for (expected, kernel), (given, quantized) in zip(exact, found, strict=True):
        weights = np.frombuffer(bytes(expected), np.float32).reshape(kernel.shape)
        rounded = np.frombuffer(bytes(given), np.int8).reshape(kernel.shape)
        greatest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
        scales = np.asarray(quantized.quantization.scale)
        np.testing.assert_allclose(scales, np.maximum(greatest, 1e-9) / 127, rtol=1e-5, atol=1e-9)
        expected_whole = np.rint(weights / scales[:, None, None, None])
        assert np.abs(rounded - np.clip(expected_whole, -127, 127)).max() <= 1


def test_ranges_hold_the_least_and_the_greatest_of_all_calibration_images(encoder, files):
    """Not a moving average, which clips what few images reach."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(files["float32"])))
    first = next(tensors(files["mixed"]))[2][0]
    scale, zero = first.quantization.scale[0], first.quantization.zeroPoint[0]
    least, greatest = (-128 - zero) * scale, (127 - zero) * scale
    interpreter = Interpreter(
        model_content=files["float32"], experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    index = tree.subgraphs[0].inputs[0]
    taken = next(tensors(files["float32"]))[2][0]
    place = next(
        number for number, each in enumerate(tree.subgraphs[0].tensors) if each.name == taken.name
    )
    seen = []
    for image in IMAGES:
        interpreter.set_tensor(index, image[None])
        interpreter.invoke()
        values = interpreter.get_tensor(place)
        seen.append((values.min(), values.max()))
    low, high = np.min(seen), np.max(seen)
    assert least <= low + scale
    assert greatest >= high - scale


@pytest.mark.parametrize(
    ("profile", "cosine"), [("dynamic", 0.99), ("mixed", 0.95), ("int16x8", 0.99)]
)
def test_they_answer_as_keras_does(encoder, files, profile, cosine):
    run = Interpreter(model_content=files[profile]).get_signature_runner("embed")
    given = np.concatenate([run(images=each[None])["embedding"] for each in IMAGES[:20]])
    expected = np.asarray(encoder(IMAGES[:20]))
    lengths = np.linalg.norm(given, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((given * expected).sum(axis=1) / lengths).min() > cosine
    assert given.dtype == np.float32


def test_weights_take_a_quarter(files):
    def weights(name):
        tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(files[name])))
        lengths = [len(each.data) for each in tree.buffers if each.data is not None]
        return sum(length for length in lengths if length > 1024)

    for name in ("dynamic", "mixed", "int16x8"):
        assert weights(name) < 0.4 * weights("float32")


def test_noise_by_hand():
    exact = np.array([[0.0, 10.0], [2.0, 30.0]])  # variances 1 and 100
    rounded = exact + np.array([[0.1, 1.0], [-0.1, -1.0]])
    assert per_operator.added_noise(exact, rounded) == pytest.approx((0.01 / 1 + 1 / 100) / 2)
    assert per_operator.added_noise(exact, exact) == 0


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Two convolutions; of the second one's outputs two are hundreds of times as large."""
    import keras

    keras.utils.set_random_seed(0)
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    x = keras.layers.Conv2D(16, 3, strides=4, name="first")(x)
    x = keras.layers.Conv2D(16, 3, strides=2, groups=1, name="second")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, x)
    kernel, bias = model.get_layer("second").get_weights()
    kernel[..., :2] *= 300  # int8 has no steps left for the others, which a float output keeps
    model.get_layer("second").set_weights([kernel, bias])
    return to_tflite(model, tmp_path_factory.mktemp("uneven") / "a.tflite").read_bytes()


def test_operators_that_lose_too_much_are_left_out_of_int8(uneven):
    operators = per_operator.products(uneven)
    assert [name for name, _ in operators] == ["CONV_2D", "CONV_2D"]
    ranges = per_operator._ranges(uneven, operators, IMAGES, "embed")
    exact = per_operator._features(uneven, IMAGES[:64], "embed")

    def noise(static, dynamic):
        made = per_operator._quantized(uneven, static, dynamic, ranges)
        return per_operator.added_noise(exact, per_operator._features(made, IMAGES[:64], "embed"))

    assert noise(operators, ()) > 0.5
    left = per_operator.sensitive(uneven, operators, ranges, IMAGES[:64], "embed")
    assert operators[1] in left
    kept = [each for each in operators if each not in left]
    assert noise(kept, left) < 0.1 * noise(operators, ())


def test_nothing_is_left_out_where_int8_loses_little(files):
    model = files["float32"]
    operators = per_operator.products(model)[:3]
    ranges = per_operator._ranges(model, operators, IMAGES, "embed")
    patched = pytest.MonkeyPatch()
    patched.setattr(per_operator, "TOLERATED", 1e9)
    assert per_operator.sensitive(model, operators, ranges, IMAGES[:8], "embed") == []
    patched.setattr(per_operator, "TOLERATED", -1.0)
    assert set(per_operator.sensitive(model, operators, ranges, IMAGES[:8], "embed")) == set(
        operators
    )
    patched.undo()


def test_a_mean_shift_is_noise_too():
    exact = np.array([[0.0], [2.0]])
    assert per_operator.added_noise(exact, exact + 0.5) == pytest.approx(0.25)


def test_weights_lie_inside_of_the_file(files):
    for profile in ("dynamic", "mixed", "int16x8"):
        tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(files[profile])))
        assert all(not each.offset and not each.size for each in tree.buffers)


def test_a_pattern_is_of_one_operator():
    import re

    pattern = per_operator._only("model/conv2d")
    assert re.search(pattern, "model/conv2d;")
    assert re.search(pattern, "model/conv2d")
    assert not re.search(pattern, "model/conv2d_1;")
    assert not re.search(pattern, "other/model/conv2d")
