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
from right_arguments import RIGHT, images

import rotkeras
from rotkeras import UserError
from rotkeras.arguments.accepted import Shape
from rotkeras.arguments.checked import checker, parameter_hints

ROOMS = [name for name in rotkeras.__all__ if name != "UserError"]

RESULTS = {
    "attention.FilterVariety", "audit.Finding", "audit.Folder", "audit.Question", "audit.Report",
    "audit.ShortcutResult",
    "benchmark.InputBenchmark", "benchmark.TrainingBenchmark", "benchmark.Work", "data.BadImage", "data.Pipeline",
    "device.Detections", "device.GoldenCheck", "embedding.Chunk", "embedding.Embedded", "embedding.Encoder",
    "embedding.ImageList", "embedding.Neighbours", "export.Exported", "export.Parts", "quality.Spread",
    "export.Profile", "probes.FittedProbe", "probes.KnnProbe", "probes.LinearProbe",
}  # fmt: skip
"""Classes whose objects are returned, and not made by users."""

OTHERWISE = {
    "recipe.Recipe": "a pydantic model: made by load and validate",
    "recipe.Export": "a pydantic model: tests/recipe/test_models.py",
    "pretext.PretextTask": "a protocol",
    "pretext.Monitor": "a dataclass of tasks",
    "pretext.ShortcutViews": "a dataclass of tasks: tests/pretext/test_shortcut_views.py",
    "transfer.FineTuning": "a pydantic model: tests/recipe/test_files.py",
}

MORE_WRONG: dict[tuple[str, str], list[Any]] = {
    ("transfer.classifier", "network"): ["encoder.keras", 3],
    ("transfer.detector", "network"): ["encoder.keras", 3],
    ("transfer.segmenter", "network"): ["encoder.keras", 3],
    ("transfer.flat_detector", "model"): ["detector.keras", 3],
    ("backbones.nin", "input_shape"): [(4, 4, 3), (32, 32, 1)],
    ("data.augmentation.random_resized_crop", "scale"): [(0.0, 1.0), (1.0, 0.5), (0.5, 1.5)],
    ("data.augmentation.random_resized_crop", "ratio"): [(2.0, 1.0), (-1.0, 1.0)],
    ("data.load", "image_size"): [0, -1, (8, 8, 8), "8", [8, 0]],
    ("export.parts_of", "input_size"): [0, (8, 8, 8), 8.0, 5000],
    ("data.load", "labels"): ["folder"],
    ("data.load", "on_bad_image"): ["ignore"],
    ("data.load", "train_images"): [-5],
    ("data.load", "validation_fraction"): [2],
    ("device.Classifier", "threads"): [0],
    ("device.Detector", "threads"): [0],
    ("device.Encoder", "threads"): [0, -1],
    ("device.Learner", "threads"): [0],
    ("device.Orienter", "threads"): [0],
    ("device.Segmenter", "threads"): [0],
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
    ("export.export", "task"): ["rotation", 3, int],
    ("export.parts_of", "task"): ["rotation", 3, int],
    ("pretext.InStep", "task"): ["rotation", 3, int],
    ("pretext.OnlineProbe", "task"): ["rotation", 3, int],
    ("training.train", "task"): ["rotation", 3, int],
    ("audit.audit", "task"): ["rotation", 3, int],
    ("audit.task_shortcuts", "task"): ["rotation", 3, int],
    ("data.Crops", "count"): [0, 10**10],
    ("data.Crops", "scale"): [(0.0, 1.0), (1.0, 0.5)],
    ("callbacks.EmbeddingSpread", "task"): ["rotation", 3, int],
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
        if room in rotkeras.__all__:
            module = getattr(rotkeras, room)
        else:
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
    hints = parameter_hints(function)
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
