import subprocess
import sys
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from rotkeras.device import TFLiteFile
from rotkeras.device.tflite_file import Tensor
from rotkeras.errors import UserError


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)


def rewritten(source, target, change):
    """A copy of a model that `change` was called with."""
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(source.read_bytes(), 0)
    change(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(bytes(builder.Output()))
    return target


def test_signatures_tell_names_dtypes_and_shapes(exported):
    file = TFLiteFile(str(exported / "learner.tflite"))
    assert file.path == exported / "learner.tflite"
    assert set(file.signatures) == {"embed", "classify", "learn", "get_head", "set_head"}
    size, dimensions = (
        file.inputs("embed")["images"].shape[1],
        file.outputs("embed")["embedding"].shape[1],
    )
    assert file.inputs("embed") == {"images": Tensor(np.dtype("uint8"), (1, size, size, 3))}
    learn = file.inputs("learn")
    assert learn.pop("labels") == Tensor(np.dtype("int32"), (None,))
    assert learn.pop("embeddings") == Tensor(np.dtype("float32"), (None, dimensions))
    assert learn == dict.fromkeys(
        ("learning_rate", "momentum", "weight_decay"), Tensor(np.dtype("float32"), ())
    )
    assert str(file.inputs("learn")["embeddings"]) == f"float32 (n, {dimensions})"


@pytest.mark.parametrize("threads", [None, 2])
def test_outputs_are_those_of_the_runtime(exported, image, threads):
    path = exported / "encoder-float32.tflite"
    expected = Interpreter(str(path)).get_signature_runner("embed")(images=image)["embedding"]
    file = TFLiteFile(path, threads)
    first = file.run("embed", images=image)["embedding"]
    kept = first.copy()
    np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-6)
    other = file.run("embed", images=255 - image)["embedding"]
    assert not np.array_equal(other, kept)
    np.testing.assert_array_equal(first, kept)  # an array of its own, not the runtime's memory


def test_int8_is_dequantized_as_by_hand(exported, image):
    path = exported / "encoder-int8.tflite"
    runner = Interpreter(str(path)).get_signature_runner("embed")
    scale, zero_point = runner.get_output_details()["embedding"]["quantization"]
    stored = runner(images=image)["embedding"]
    assert stored.dtype == np.int8
    assert len(np.unique(stored)) > 3
    file = TFLiteFile(path)
    tensor = file.outputs("embed")["embedding"]
    assert (tensor.dtype, tensor.scale, tensor.zero_point) == (np.int8, scale, zero_point)
    np.testing.assert_array_equal(
        file.run("embed", images=image, dequantized=False)["embedding"], stored
    )
    real = file.run("embed", images=image)["embedding"]
    assert real.dtype == np.float32
    by_hand = np.array([[scale * (int(each) - zero_point) for each in stored[0]]])
    np.testing.assert_allclose(real, by_hand, rtol=1e-6)


def test_open_sides_take_any_number_and_scalars_are_python_numbers(exported):
    file = TFLiteFile(exported / "learner.tflite")
    dimensions = file.outputs("embed")["embedding"].shape[1]
    for count in (1, 7, 2):
        embeddings, labels = np.ones((count, dimensions), np.float32), np.zeros(count, np.int32)
        loss = file.run(
            "learn",
            embeddings=embeddings,
            labels=labels,
            learning_rate=0,
            momentum=0.9,
            weight_decay=0.0,
        )["loss"]
        assert loss == pytest.approx(np.log(10), rel=1e-5)  # of ten equal probabilities
        assert file.run("classify", embeddings=embeddings)["probabilities"].shape == (count, 10)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, r"takes 'images', got none; pass each of its inputs by name\."),
        (
            {"images": "image", "more": 1},
            r"takes 'images', got 'images', 'more'; pass each of its inputs by name\.",
        ),
        ({"image": "image"}, r"takes 'images', got 'image'; pass each of its inputs by name\."),
        (
            {"images": np.zeros((1, 16, 16, 3), np.float32)},
            r"must be uint8 \(1, 16, 16, 3\), got float32 \(1, 16, 16, 3\);",
        ),
        (
            {"images": np.zeros((2, 16, 16, 3), np.uint8)},
            r"must be uint8 \(1, 16, 16, 3\), got uint8 \(2, 16, 16, 3\);",
        ),
        (
            {"images": np.zeros((16, 16, 3), np.uint8)},
            r"must be uint8 \(1, 16, 16, 3\), got uint8 \(16, 16, 3\);",
        ),
        (
            {"images": np.zeros((1, 16, 16, 3, 1), np.uint8)},
            r"must be uint8 \(1, 16, 16, 3\), got uint8 \(1, 16, 16, 3, 1\);",
        ),
        ({"images": None}, r"must be uint8 \(1, 16, 16, 3\), got object \(\); convert it\."),
        ({"images": 3}, r"must be uint8 \(1, 16, 16, 3\), got int64 \(\); convert it\."),
    ],
)
def test_wrong_inputs_are_told(exported, image, inputs, said):
    inputs = {name: image if isinstance(value, str) else value for name, value in inputs.items()}
    with pytest.raises(UserError, match=said):
        TFLiteFile(exported / "encoder-float32.tflite").run("embed", **inputs)


def test_an_open_side_of_zero_is_told(exported):
    file = TFLiteFile(exported / "learner.tflite")
    dimensions = file.outputs("embed")["embedding"].shape[1]
    with pytest.raises(
        UserError, match=r"must be float32 \(n, 8\), got float32 \(0, 8\); convert it\."
    ):
        file.run("classify", embeddings=np.zeros((0, dimensions), np.float32))


def test_an_unknown_signature_is_told_with_those_there_are(exported, image):
    file = TFLiteFile(exported / "orient.tflite")
    for call in (
        lambda: file.run("embed", images=image),
        lambda: file.inputs("embed"),
        lambda: file.outputs(None),
    ):
        with pytest.raises(UserError, match="has no signature .*'predict'"):
            call()


def test_what_is_no_tflite_file_is_told(tmp_path):
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "page.tflite").write_text("<!DOCTYPE html><title>Not found</title>")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    for name in ("empty.tflite", "page.tflite", "model.keras"):
        with pytest.raises(UserError, match=f"{name}' is not a TFLite file"):
            TFLiteFile(tmp_path / name)
    with pytest.raises(UserError, match="is a folder"):
        TFLiteFile(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        TFLiteFile(tmp_path / "none.tflite")


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_impossible_threads_are_told(exported, threads):
    with pytest.raises(UserError, match="threads"):
        TFLiteFile(exported / "orient.tflite", threads)


def test_a_file_cut_short_anywhere_is_one_sentence_and_never_a_crash(exported, tmp_path):
    paths = []
    for name in ("encoder-float32.tflite", "orient.tflite", "learner.tflite"):
        content = (exported / name).read_bytes()
        # The last of orient.tflite lie in the archive of its associated files, at the end.
        lengths = [
            8,
            9,
            12,
            40,
            100,
            1000,
            *np.linspace(2000, len(content) - 200, 11).astype(int),
            *(len(content) - n for n in (60, 22, 1)),
        ]
        for length in lengths:
            paths.append(tmp_path / f"{length}-{name}")
            paths[-1].write_bytes(content[:length])
    code = """
import sys
from rotkeras.device import TFLiteFile
from rotkeras.errors import UserError
for path in sys.argv[1:]:
    try:
        file = TFLiteFile(path)
        print("opened", path)
    except UserError as error:
        print(str(error).replace("\\n", "BREAK"))"""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths) == 60
    for line, path in zip(lines, paths, strict=True):
        assert line.startswith(f"'{path}' is cut short or damaged"), line


def test_damage_that_the_runtime_finds_late_is_a_sentence(exported, tmp_path):
    content = (exported / "encoder-float32.tflite").read_bytes()
    (tmp_path / "a.tflite").write_bytes(content[: len(content) // 3].ljust(len(content), b"\0"))
    with pytest.raises(UserError, match=r"a.tflite"):
        TFLiteFile(tmp_path / "a.tflite")


def test_an_operator_that_the_runtime_lacks_is_told(exported, tmp_path):
    def custom(model):
        code = model.operatorCodes[0]
        code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"NoSuchOperator"

    def newer(model):
        model.operatorCodes[0].version = 999

    for change in (custom, newer):
        path = rewritten(exported / "encoder-float32.tflite", tmp_path / "a.tflite", change)
        with pytest.raises(
            UserError, match="needs an operator that this ai-edge-litert does not have"
        ):
            TFLiteFile(path)


def test_a_file_without_signatures_runs_as_none(exported, tmp_path, image):
    def nameless(model):
        model.signatureDefs = []

    path = exported / "encoder-float32.tflite"
    file = TFLiteFile(rewritten(path, tmp_path / "a.tflite", nameless))
    assert file.signatures == ()
    ((name, tensor),) = file.inputs(None).items()
    assert tensor == Tensor(np.dtype("uint8"), (1, 16, 16, 3))
    (result,) = file.run(None, **{name: image}).values()
    np.testing.assert_array_equal(result, TFLiteFile(path).run("embed", images=image)["embedding"])
    with pytest.raises(UserError, match=r"has no signature 'embed'; it has none\."):
        file.inputs("embed")


def test_associated_files_are_read(exported, tmp_path):
    content = (exported / "encoder-float32.tflite").read_bytes()
    (tmp_path / "a.tflite").write_bytes(content)
    assert TFLiteFile(tmp_path / "a.tflite").associated_file("labels.txt") is None
    with zipfile.ZipFile(tmp_path / "a.tflite", "a") as archive:
        archive.writestr("labels.txt", "cat\ndog\n" * 9)
    file = TFLiteFile(tmp_path / "a.tflite")
    assert file.associated_file("labels.txt") == b"cat\ndog\n" * 9
    assert file.associated_file("angles.txt") is None
    damaged = (tmp_path / "a.tflite").read_bytes().replace(b"cat\ndog\ncat", b"cat\ndag\ncat")
    (tmp_path / "a.tflite").write_bytes(damaged)
    with pytest.raises(UserError, match="labels.txt in .* is damaged"):
        TFLiteFile(tmp_path / "a.tflite").associated_file("labels.txt")
    assert TFLiteFile(exported / "orient.tflite").associated_file("angles.txt").split() == [
        b"0",
        b"90",
        b"180",
        b"270",
    ]
