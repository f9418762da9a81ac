"""Arguments against annotations: what is accepted, and the sentence for what is not."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rotkeras import UserError, recipe
from rotkeras.arguments.accepted import (
    Angles,
    AnyPath,
    Budget,
    FeatureMatrix,
    Fraction,
    ImageBatch,
    ImageSize,
    Labels,
    ProbeName,
    Rising,
    Seed,
    Text,
)
from rotkeras.arguments.checked import checked

Powers = float | Sequence[float] | Mapping[str, float] | None


@checked
def example(
    image_size: ImageSize | None = None,
    labels: Labels = "auto",
    fraction: Fraction = 0.1,
    seed: Seed = 0,
    angles: Angles = (0, 90),
    path: AnyPath = "x",
    cache: str | os.PathLike[str] | None = None,
    name: Text = "x",
    taps: Sequence[str] | None = None,
    powers: Powers = None,
    images: ImageBatch | None = None,
    features: FeatureMatrix | None = None,
    progress: Callable[[int], None] | None = None,
    shape: tuple[int, int, int] = (8, 8, 3),
    flag: bool = False,
    budget: Budget | Path = "fast",
    probe: ProbeName = "ridge",
    epochs: Rising | None = None,
    *anything: int,
    **more: int,
) -> dict:
    """Its docstring."""
    return locals()


images = np.zeros((2, 4, 4, 3), np.uint8)


class Names(Sequence):
    def __len__(self):
        return 10**9

    def __getitem__(self, index):
        return str(index)


ACCEPTED = [
    ({"image_size": 8}, 8),
    ({"image_size": None}, None),
    ({"image_size": [8, 12]}, (8, 12)),
    ({"image_size": (12, 12)}, 12),
    ({"image_size": np.int64(9)}, 9),
    ({"fraction": 0}, 0.0),
    ({"fraction": np.float32(0.5)}, 0.5),
    ({"fraction": np.int8(0)}, 0.0),
    ({"labels": "none"}, "none"),
    ({"angles": [0, 180]}, [0, 180]),
    ({"angles": (0, 180)}, (0, 180)),
    ({"angles": np.array([0, 180])}, [0, 180]),
    ({"angles": range(0, 360, 90)}, [0, 90, 180, 270]),
    ({"path": "a b"}, "a b"),
    ({"path": Path("a")}, Path("a")),
    ({"cache": Path("a")}, Path("a")),
    ({"taps": ["a", "b"]}, ["a", "b"]),
    ({"taps": ()}, ()),
    ({"powers": 2}, 2.0),
    ({"powers": [1, 2.5]}, [1.0, 2.5]),
    ({"powers": {"a": 1}}, {"a": 1.0}),
    ({"shape": [8, 8, 3]}, (8, 8, 3)),
    ({"flag": np.bool_(True)}, True),
    ({"budget": Path("x")}, Path("x")),
    ({"probe": "knn-20"}, "knn-20"),
]

REFUSED = [
    ({"image_size": 0}, "image_size must be at least 8, got 0."),
    ({"image_size": (8, 8, 8)}, "image_size must be a whole number, or [height, width], got (8, 8, 8)."),
    ({"image_size": "8"}, "image_size must be a whole number, or [height, width], got '8'."),
    ({"image_size": 8.0}, "image_size must be a whole number, or [height, width], got 8.0."),
    ({"image_size": True}, "image_size must be a whole number, or [height, width], got True."),
    ({"image_size": np.float64(8)}, "image_size must be a whole number, or [height, width], got 8.0."),
    ({"image_size": object()}, "image_size must be a whole number, or [height, width], got an object of type object."),
    ({"image_size": len}, "image_size must be a whole number, or [height, width], got the function len."),
    ({"image_size": int}, "image_size must be a whole number, or [height, width], got the class int."),
    ({"image_size": images}, "image_size must be a whole number, or [height, width], got a uint8 array of shape (2,"),
    ({"labels": "folder"}, "labels must be one of 'auto', 'folders', 'none', got 'folder'; did"
     " you mean 'folders'?"),
    ({"labels": 3}, "labels must be one of 'auto', 'folders', 'none', got 3."),
    ({"fraction": 2}, "fraction must be less than 1, got 2."),
    ({"fraction": -0.1}, "fraction must be at least 0, got -0.1."),
    ({"fraction": float("nan")}, "fraction must be a finite number, got nan."),
    ({"fraction": "0.1"}, "fraction must be a number, got '0.1'."),
    ({"fraction": False}, "fraction must be a number, got False."),
    ({"seed": 2**32}, "seed must be less than 4294967296, got 4294967296."),
    ({"angles": [0]}, "angles must be at least two distinct multiples of 45 from 0 to 315, such"
     " as [0, 90, 180, 270], got [0]."),
    ({"angles": [0, "90"]}, "angles[1] must be a whole number, got '90'."),
    ({"angles": 5}, "angles must be a list, got 5."),
    ({"path": ""}, "path must be a path, got ''."),
    ({"path": 3}, "path must be a path, got 3."),
    ({"path": None}, "path must be a path, got None."),
    ({"name": " "}, "name must not be empty"),
    ({"taps": "conv2"}, "taps must be a list, got 'conv2'; write ['conv2']."),
    ({"taps": ["a", 3]}, "taps[1] must be a string, got 3."),
    ({"powers": "2"}, "powers must be a number, a list or a mapping, got '2'."),
    ({"powers": [1, "2"]}, "powers[1] must be a number, got '2'."),
    ({"powers": {"a": "2"}}, "powers.a must be a number, got '2'."),
    ({"images": images / 255}, "images must be a uint8 array, got a float64 array of shape"),
    ({"images": images[0]}, "images must have the axes (N, H, W, 3), got a uint8 array of shape"),
    ({"images": [1]}, "images must be a uint8 array, got [1]."),
    ({"features": np.zeros(3)}, "features must have the axes (N, D), got a float64 array"),
    ({"features": np.array(["a"])}, "features must be a float32 array, got a str32 array"),
    ({"progress": 3}, "progress must be a function, got 3."),
    ({"shape": (8, 8)}, "shape must be a list of 3 values, got (8, 8)."),
    ({"shape": (8, 8, "3")}, "shape[2] must be a whole number, got '3'."),
    ({"flag": 1}, "flag must be true or false, got 1."),
    ({"budget": "fst"}, "budget must be one of 'fast', 'published', got 'fst'; did you mean"),
    ({"budget": 3}, "budget must be one of 'fast', 'published' or a path, got 3."),
    ({"probe": "knn-0"}, "probe must be ridge, logistic, linear, nonlinear, conv or knn-K with a"
     " number K, got 'knn-0'"),
    ({"epochs": []}, "epochs must not be empty, got []."),
    ({"epochs": [2, 1]}, "epochs must rise, got [2.0, 1.0]."),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "value"), ACCEPTED)
def test_accepted_values_become_plain_ones(arguments, value):
    (name,) = arguments
    result = example(**arguments)[name]
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_refused_values_are_named_in_one_sentence(arguments, words):
    with pytest.raises(UserError) as error:
        example(**arguments)
    assert str(error.value).startswith(words)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    assert "\n" not in str(error.value)


def test_arrays_functions_and_long_sequences_pass_unchanged():
    names = Names()
    result = example(images=images, progress=print, taps=names)
    assert result["images"] is images
    assert result["progress"] is print
    assert result["taps"] is names
    mapped = SimpleNamespace(dtype=np.dtype("uint8"), shape=(3, 4, 4, 3), __getitem__=None)
    assert example(images=mapped)["images"] is mapped  # such as images in a file


def test_the_signature_and_docstring_stay_and_type_errors_are_pythons():
    assert list(inspect.signature(example).parameters)[:2] == ["image_size", "labels"]
    assert (example.__name__, example.__doc__) == ("example", "Its docstring.")
    with pytest.raises(TypeError, match="multiple values for argument 'image_size'"):
        example(8, image_size=8)
    assert example(more=1)["more"] == {"more": 1}


def test_a_class_is_checked_when_it_is_made():
    @checked
    class Thing:
        def __init__(self, size: ImageSize) -> None:
            self.size = size

    assert Thing(8).size == 8
    assert inspect.signature(Thing).parameters["size"].annotation == ImageSize
    with pytest.raises(UserError, match="size must be at least 8, got 1"):
        Thing(1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("image_size", 0), ("labels", "folder"), ("image_size", "8"), ("image_size", (8, 8, 8))],
)
def test_a_recipe_says_the_same_of_the_same_value(key, value):
    with pytest.raises(UserError) as of_argument:
        example(**{key: value})
    with pytest.raises(UserError) as of_recipe:
        recipe.validate({"data": {"embedded": "digits", key: value}}, "mine.yaml")
    assert str(of_recipe.value) == f"mine.yaml: data.{of_argument.value}"
