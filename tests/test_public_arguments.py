"""Every public function and class refuses every argument that is wrong in type or range.

The wrong values are derived from the annotations; `RIGHT` holds right values of what is required.
A new public name without an entry in `RIGHT` or `RESULTS` fails.
"""

import importlib
import inspect
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic.fields import FieldInfo
from small_training import SMALL, three_taps

import rotkeras
from rotkeras import UserError
from rotkeras.accepted import Shape
from rotkeras.checks import checker

ROOMS = [*(name for name in rotkeras.__all__ if name != "UserError"), "report", "benchmark"]

RESULTS = {
    "attention.FilterVariety", "audit.Finding", "audit.Folder", "audit.Report", "audit.Told",
    "benchmark.TrainingBenchmark", "benchmark.Work", "data.BadImage", "data.Pipeline",
    "device.GoldenCheck", "embedding.Chunk", "embedding.Embedded", "embedding.Encoder",
    "embedding.ImageList", "embedding.Neighbours", "export.Exported", "export.Parts",
    "export.Profile", "probes.FittedProbe", "probes.KnnProbe", "probes.LinearProbe",
}  # fmt: skip
"""Classes whose objects are returned, and not made by users."""

OTHERWISE = {
    "recipe.Recipe": "a pydantic model: made by load and validate",
    "pretext.PretextTask": "a protocol",
}

images = np.zeros((8, 16, 16, 3), np.uint8)
features, labels = np.zeros((8, 4), np.float32), np.arange(8) % 2
filters = np.zeros((4, 3, 3, 3), np.float32)


class Made:
    """Right values that are costly to make, each made once."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self, f"make_{name}")()
        setattr(self, name, value)
        return value

    def make_model(self):
        return three_taps()

    def make_images(self):
        return rotkeras.data.Images.of(images, labels)

    def make_source(self):
        return rotkeras.data.load((images, labels), validation_fraction=0.25)

    def make_task(self):
        return rotkeras.pretext.Rotation()

    def make_callback(self):
        return rotkeras.callbacks.StopOnBadLoss()

    def make_recipe(self):
        return rotkeras.recipe.validate(SMALL, "test")

    def make_run(self):
        from rotkeras.run import Run

        return Run("nowhere")

    def make_report(self):
        return object.__new__(rotkeras.audit.Report)

    def make_encoder(self):
        return object.__new__(rotkeras.embedding.Encoder)

    def make_image_list(self):
        return object.__new__(rotkeras.embedding.ImageList)

    def make_neighbours(self):
        return object.__new__(rotkeras.embedding.Neighbours)

    def make_options(self):
        return rotkeras.evaluate.Options()


made = Made()
MODEL = {"model": lambda: made.model}
MAPPED = {**MODEL, "images": images}
FOUND = {"found": lambda: made.neighbours}

RIGHT: dict[str, dict[str, Any]] = {
    "attention.activation_maps": MAPPED,
    "attention.attention_grid": {
        "images": images[:, None], "maps": {"conv1": np.zeros((8, 1, 4, 4), np.float32)}
    },
    "attention.class_activation_maps": MAPPED,
    "attention.equivariance_score": MAPPED,
    "attention.filter_grid": {"filters": filters},
    "attention.filter_variety": {"filters": filters},
    "attention.first_filters": MODEL,
    "attention.maximise": {**MODEL, "units": [0]},
    "attention.mean_correlation": {"maps": np.zeros((2, 4, 3, 3), np.float32)},
    "attention.overlay": {"image": images[0], "attention": np.zeros((4, 4), np.float32)},
    "attention.quadruple_maps": MAPPED,
    "attention.quadruples": {"images": images},
    "audit.audit": {"source": images},
    "audit.shortcut_test": {"images": images},
    "audit.write": {"report": lambda: made.report, "path": "audit.html"},
    "backbones.fuse_batch_norm": MODEL,
    "backbones.nin": {},
    "benchmark.benchmark_training": {"recipe": lambda: made.recipe},
    "benchmark.count_flops": MODEL,
    "callbacks.AttentionMaps": {"images": lambda: made.images},
    "callbacks.EncoderCheckpoint": {"folder": "run"},
    "callbacks.InOneProcess": {"callback": lambda: made.callback},
    "callbacks.MetricsLog": {"path": "metrics.csv"},
    "callbacks.ProbeAccuracy": {"source": lambda: made.source},
    "callbacks.Progress": {},
    "callbacks.RunCheckpoint": {"folder": "run"},
    "callbacks.StopOnBadLoss": {},
    "callbacks.Throughput": {"views_per_step": 64},
    "data.Images": {"array": images, "rows": np.arange(8)},
    "data.Source": {"name": "mine", "train": lambda: made.images, "validation": None},
    "data.augmentation.keras_cv": {"layer": "RandomGaussianBlur"},
    "data.augmentation.pad_crop_flip": {},
    "data.augmentation.random_flip": {},
    "data.augmentation.random_resized_crop": {},
    "data.evaluation_pipeline": {
        "images": lambda: made.images, "task": lambda: made.task, "images_per_batch": 4
    },
    "data.load": {"source": images},
    "data.pipeline": {
        "images": lambda: made.images, "task": lambda: made.task, "images_per_batch": 4
    },
    "data.split": {"images": lambda: made.images, "fraction": 0.25},
    "device.Encoder": {"path": "encoder.tflite"},
    "device.Learner": {"path": "learner.tflite"},
    "device.Orienter": {"path": "orient.tflite"},
    "device.TFLiteFile": {"path": "any.tflite"},
    "device.check_golden": {"folder": "export"},
    "device.measure_latency": {"path": "any.tflite"},
    "embedding.embed": {
        "encoder": "encoder.keras", "images": images, "path": "features.npz"
    },
    "embedding.load_encoder": {"path": "encoder.keras"},
    "embedding.nearest": {
        "encoder": lambda: made.encoder,
        "queries": lambda: made.image_list,
        "images": lambda: made.image_list,
    },
    "embedding.open_images": {"source": images},
    "embedding.stream": {"encoder": lambda: made.encoder, "images": lambda: made.image_list},
    "embedding.write_neighbours": {**FOUND, "path": "nearest.csv"},
    "embedding.write_sheet": {**FOUND, "path": "nearest.png"},
    "evaluate.Options": {},
    "evaluate.evaluate": {
        "run": lambda: made.run, "options": lambda: made.options, "source": lambda: made.source
    },
    "export.export": {**MODEL, "source": lambda: made.source, "folder": "export"},
    "export.export_run": {"run": lambda: made.run},
    "export.parts_of": MODEL,
    "export.to_saved_model": {"network": lambda: made.model, "path": "saved"},
    "export.to_tflite": {"network": lambda: made.model, "path": "encoder.tflite"},
    "pretext.InStep": {"task": lambda: made.task},
    "pretext.Rotation": {},
    "probes.PooledFeatures": {"network": lambda: made.model},
    "probes.Settings": {"budget": "mine", "epochs": 2, "at_epochs": (1,)},
    "probes.extract": {"extractor": lambda: made.model, "images": lambda: made.images},
    "probes.fit": {"network": lambda: made.model, "probe": "ridge", "train": lambda: made.images},
    "probes.knn": {"features": features, "labels": labels},
    "probes.logistic": {"features": features, "labels": labels},
    "probes.ridge": {"features": features, "labels": labels},
    "recipe.dump": {"recipe": lambda: made.recipe},
    "recipe.find": {"name": "quickstart"},
    "recipe.load": {"name": "quickstart"},
    "recipe.shipped": {},
    "recipe.validate": {"content": {}, "name": "mine"},
    "report.write_report": {"runs": ["run"], "path": "report.html"},
    "taps.check": {**MODEL, "tap": "conv1"},
    "taps.copy": MODEL,
    "taps.cut": {**MODEL, "tap": "conv1"},
    "taps.default": MODEL,
    "taps.extractor": MODEL,
    "taps.flat": MODEL,
    "taps.maps": MODEL,
    "taps.names": MODEL,
    "taps.untrained_copy": MODEL,
}  # fmt: skip

MORE_WRONG: dict[tuple[str, str], list[Any]] = {
    ("backbones.nin", "input_shape"): [(4, 4, 3), (32, 32, 1)],
    ("data.augmentation.random_resized_crop", "scale"): [(0.0, 1.0), (1.0, 0.5), (0.5, 1.5)],
    ("data.augmentation.random_resized_crop", "ratio"): [(2.0, 1.0), (-1.0, 1.0)],
    ("data.load", "image_size"): [0, -1, (8, 8)],
    ("data.load", "labels"): ["folder"],
    ("data.load", "on_bad_image"): ["ignore"],
    ("data.load", "train_images"): [-5],
    ("data.load", "validation_fraction"): [2],
    ("device.Encoder", "threads"): [0, -1],
    ("device.Learner", "threads"): [0],
    ("device.Orienter", "threads"): [0],
    ("device.TFLiteFile", "threads"): [0],
    ("device.check_golden", "threads"): [0],
    ("device.measure_latency", "max_seconds"): [0, -1.0],
    ("device.measure_latency", "runs"): [0],
    ("device.measure_latency", "threads"): [[], [0], [1.5]],
    ("device.measure_latency", "warm_up_runs"): [-1],
    ("pretext.Rotation", "angles"): [[0], [0, 10], [0, 0], [-90, 0], [0, 360]],
    ("taps.check", "tap"): ["conv9"],
    ("taps.cut", "tap"): ["conv9"],
    ("taps.maps", "only"): [["conv9"]],
    ("pretext.InStep", "task"): ["rotation", 3, int],
    ("data.pipeline", "task"): ["rotation", 3, int],
    ("data.evaluation_pipeline", "task"): ["rotation", 3, int],
}

NOT_CHECKED = {
    ("audit.audit", "source"): "tests/audit/test_collection.py",
    ("callbacks.Progress", "console"): "anything like a rich console",
    ("callbacks.Throughput", "input_wait"): "anything with seconds",
    ("data.load", "source"): "tests/data/test_array_forms.py and test_loading.py",
    ("embedding.embed", "images"): "tests/embedding/test_opening.py",
    ("embedding.open_images", "source"): "tests/embedding/test_opening.py",
}


def public():
    """{"room.name": object} of every public callable."""
    found = {}
    for room in ROOMS:
        module = importlib.import_module(f"rotkeras.{room}")
        for name in module.__all__:
            each = getattr(module, name)
            if isinstance(each, types.ModuleType):
                found |= {f"{room}.{name}.{key}": value for key, value in each.NAMES.items()}
            elif callable(each):
                found[f"{room}.{name}"] = each
    return found


PUBLIC = public()


def hints_of(target):
    function = target.__init__ if inspect.isclass(target) else target
    hints = typing.get_type_hints(function, include_extras=True)
    kinds = {name: each.kind for name, each in inspect.signature(target).parameters.items()}
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {name: hints[name] for name, kind in kinds.items() if kind not in variable}


def right(name):
    return {
        key: each() if isinstance(each, types.FunctionType) else each
        for key, each in RIGHT[name].items()
    }


def wrong(hint):
    """(values of a wrong type, values of the right type that are out of range)."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        types_, ranges = wrong(arguments[0])
        inner = [
            each
            for data in arguments[1:]
            for each in (data.metadata if isinstance(data, FieldInfo) else [data])
        ]
        return types_, [*ranges, *(value for each in inner for value in beyond(each, arguments[0]))]
    if origin in (typing.Union, types.UnionType):
        kinds = [each for each in arguments if each is not type(None)]
        classes = [typing.get_origin(each) or each for each in kinds]
        if str in kinds and any(each is os.PathLike for each in classes):
            return [3, object()], []
        parts = [wrong(each) for each in kinds]
        if len(parts) == 1:
            return parts[0]
        return [object()], [value for _, ranges in parts for value in ranges]
    if origin is Literal:
        return [object(), 1.5], ["nothing of the kind"]
    kind = origin or hint
    if kind is Any:
        return [], []
    if kind is int:
        return ["3", 3.5, True, object(), None], []
    if kind is float:
        return ["3", True, object(), None], [float("nan"), float("inf")]
    if kind is bool:
        return [1, "yes", None], []
    if kind is str:
        return [3, None, object()], []
    if kind is Callable or kind is typing.get_origin(Callable[[], None]):
        return [3, "print"], []
    if issubclass(kind, np.ndarray):
        floats = "float" in str(arguments) or "int64" in str(arguments)
        return ["x", [1, 2], np.array(["a"] * 8) if floats else images / 255], []
    if kind is tuple and arguments[-1] is not Ellipsis:
        return [3, "abc"], [(), (1,) * (len(arguments) + 1)]
    if issubclass(kind, Mapping):
        return [3, [1]], []
    if issubclass(kind, Sequence) and not issubclass(kind, str):
        types_, ranges = wrong(arguments[0])
        elements = [*types_, *ranges]
        if type(None) in typing.get_args(arguments[0]):
            elements = [each for each in elements if each is not None]
        return [3, "abc"], [[value] for value in elements]
    return [object(), "x", 3], []


def beyond(constraint, base):
    """Values just beyond a constraint."""
    if isinstance(constraint, Shape):
        return [np.zeros((2, 2, 2, 2, 2, 2, 2), np.uint8 if "uint8" in str(base) else np.float32)]
    values = []
    if (least := getattr(constraint, "ge", None)) is not None:
        values += [least - 1]
    if (least := getattr(constraint, "gt", None)) is not None:
        values += [least, least - 1]
    if (most := getattr(constraint, "le", None)) is not None:
        values += [most + 1]
    if (most := getattr(constraint, "lt", None)) is not None:
        values += [most]
    if getattr(constraint, "min_length", None):
        values += [""] if base is str else [[]]
    return values


def cases():
    for name, target in PUBLIC.items():
        if name not in RIGHT:
            continue
        for parameter, hint in hints_of(target).items():
            optional = type(None) in typing.get_args(hint)
            types_, ranges = wrong(hint)
            values = [*types_, *ranges, *MORE_WRONG.get((name, parameter), [])]
            yield name, parameter, [each for each in values if not (optional and each is None)]


CASES = list(cases())


def test_every_public_name_has_an_entry_and_every_entry_a_public_name():
    assert set(PUBLIC) == set(RIGHT) | RESULTS | set(OTHERWISE)
    assert all(inspect.isclass(PUBLIC[name]) for name in RESULTS)
    unchecked = {(name, parameter) for name, parameter, values in CASES if not values}
    assert unchecked == set(NOT_CHECKED)


@pytest.mark.parametrize("name", RIGHT)
def test_right_arguments_and_defaults_are_accepted(name):
    target, given = PUBLIC[name], right(name)
    parameters = inspect.signature(target).parameters
    for parameter, hint in hints_of(target).items():
        value = given.get(parameter, parameters[parameter].default)
        assert value is not inspect.Parameter.empty, f"{name} needs a value for {parameter}"
        if "FACTORY" not in type(value).__name__:  # of a dataclass
            checker(hint)(value)


@pytest.mark.parametrize(("name", "parameter", "values"), CASES)
def test_every_wrong_argument_is_refused_in_a_sentence(
    name, parameter, values, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    arguments = right(name)
    for value in values:
        with pytest.raises(UserError) as error:
            PUBLIC[name](**{**arguments, parameter: value})
        message = str(error.value)
        assert message.startswith((f"{parameter} ", f"{parameter}[", f"{parameter}.")), message
        assert " must " in message, message
        assert ", got " in message, message
        assert "\n" not in message
        assert message.endswith((".", "?")), message
        assert len(message) < 320
    assert list(tmp_path.iterdir()) == []


METHODS = {
    "Rotation.loss": (lambda: made.task.loss(1.0), "label_smoothing must be less than 1, got 1.0."),
    "InStep.loss": (
        lambda: rotkeras.pretext.InStep(made.task).loss("0.1"),
        "label_smoothing must be a number, got '0.1'.",
    ),
    "Images.of, a list": (
        lambda: rotkeras.data.Images.of([1, 2]), "array must be a uint8 array, got [1, 2]."
    ),
    "Images.of, floats": (
        lambda: rotkeras.data.Images.of(images / 255),
        "array must be a uint8 array, got a float64 array of shape (8, 16, 16, 3).",
    ),
    "Images.of, one image": (
        lambda: rotkeras.data.Images.of(images[0]),
        "array must have the axes (N, H, W, 3), got a uint8 array of shape (16, 16, 3).",
    ),
    "Images.of, names": (
        lambda: rotkeras.data.Images.of(images, np.array(["a"] * 8)),
        "labels must be whole numbers, got a str32 array of shape (8,); rotkeras.data.load takes"
        " names too.",
    ),
    "Images.of, few labels": (
        lambda: rotkeras.data.Images.of(images, labels[:3]),
        "labels must have one value for each of 8 images, got 3.",
    ),
    "ridge, few labels": (
        lambda: rotkeras.probes.ridge(features, labels[:3]),
        "labels must have one value for each of 8 rows of features, got 3.",
    ),
    "knn, few labels": (
        lambda: rotkeras.probes.knn(features, labels[:3]),
        "labels must have one value for each of 8 rows of features, got 3.",
    ),
    "Encoder.embed, floats": (
        lambda: an_encoder().embed(images / 255),
        "images must be a uint8 array (N, 16, 16, 3), got a float64 array of shape (8, 16, 16, 3);"
        " resize and convert them for the encoder encoder.keras.",
    ),
    "Encoder.embed, a list": (
        lambda: an_encoder().embed([1]),
        "images must be a uint8 array (N, 16, 16, 3), got [1]; resize and convert them for the"
        " encoder encoder.keras.",
    ),
    "Encoder.embed, another size": (
        lambda: an_encoder().embed(images[:, :8, :8]),
        "images must be a uint8 array (N, 16, 16, 3), got a uint8 array of shape (8, 8, 8, 3);"
        " resize and convert them for the encoder encoder.keras.",
    ),
    "load, test_folder": (
        lambda: rotkeras.data.load(images, test_folder="test"),
        "test_folder needs a folder as the source, got kind 'arrays'; remove test_folder.",
    ),
}  # fmt: skip
"""What several arguments must be together, and arguments of methods."""


def an_encoder():
    from pathlib import Path

    return rotkeras.embedding.Encoder(Path("encoder.keras"), 16, 4, 8, lambda batch: batch)


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_arguments_that_go_together(name):
    call, words = METHODS[name]
    with pytest.raises(UserError) as error:
        call()
    assert str(error.value) == words


def test_a_model_without_taps_is_refused_by_name():
    import keras

    inputs = keras.Input((8, 8, 3), dtype="uint8")
    plain = keras.Model(inputs, keras.layers.Rescaling(1.0)(inputs), name="plain")
    for call in (
        lambda: rotkeras.taps.names(plain),
        lambda: rotkeras.taps.cut(plain, "conv1"),
        lambda: rotkeras.attention.activation_maps(plain, images[:, :8, :8]),
        lambda: rotkeras.probes.fit(plain, "ridge", made.images),
        lambda: rotkeras.export.parts_of(plain),
    ):
        with pytest.raises(UserError, match="The model 'plain' has no tap: expected layers"):
            call()
