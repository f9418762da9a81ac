"""The forms of images and labels that are accepted as arrays, and advice for the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError, must, received

MOST_CLASSES = 100_000
_FORM = "be a uint8 array (N, H, W, 3) or (N, H, W) with values 0…255"
_BATCHED = ("Dataset", "DataLoader", "PyDataset", "Sequence", "IterableDataset", "Subset")


def is_pair(source: Any) -> bool:
    """Whether a source is (images, labels), and not a list of images."""
    if not isinstance(source, tuple | list) or len(source) != 2:
        return False
    images, labels = source
    if labels is None:
        return _rank(images) >= 3
    return _rank(images) >= 3 and _rank(labels) <= 2


def is_train_and_test(source: Any) -> bool:
    """Whether a source is ((images, labels), (images, labels)), as the `load_data` functions of
    `keras.datasets` return it."""
    if not isinstance(source, tuple | list) or len(source) != 2:
        return False
    return all(isinstance(part, tuple | list) and is_pair(part) for part in source)


def _rank(values: Any) -> int:
    """Axes of an array, or of a list of arrays or numbers; looks at the first element alone."""
    axes = getattr(values, "ndim", None)
    if axes is not None:
        return int(axes)
    if isinstance(values, list | tuple):
        return 1 + (_rank(values[0]) if values else 0)
    return 0


def pixels(source: Any, name: str) -> NDArray[np.uint8]:
    """Images as uint8 (N, H, W, 3).

    Args:
        source: uint8 (N, H, W, 3), (N, H, W, 1) or (N, H, W), an array or a list of images of one
            size.
        name: of the array, for errors.

    Raises:
        UserError: for everything else, with the conversion to write.
    """
    array = _array(source, name)
    if 0 in array.shape or array.ndim == 0:
        raise must(name, _FORM, array, "" if array.ndim else "give at least one image")
    advice = _advice(array)
    if advice is not None:
        raise must(name, _FORM, array, advice)
    array = array[..., None] if array.ndim == 3 else array
    return np.repeat(array, 3, axis=3) if array.shape[3] == 1 else array


def _array(source: Any, name: str) -> NDArray[Any]:
    kind = type(source)
    library = kind.__module__.partition(".")[0]
    if library == "torch" and kind.__name__ == "Tensor":
        axes = ".permute(0, 2, 3, 1)" if source.ndim == 4 and _first(source.shape) else ""
        raise must(name, _FORM, source, f"a torch tensor: write images{axes}.cpu().numpy()")
    if not hasattr(source, "__array__") and not isinstance(source, list | tuple | np.generic):
        batched = any(each.__name__ in _BATCHED for each in kind.__mro__)
        hint = (
            f"a {kind.__name__} gives batches: collect its images into one array, as"
            " numpy.concatenate([images for images, labels in dataset]) does"
            if batched or hasattr(source, "as_numpy_iterator")
            else "give an array, or a pair (images, labels)"
        )
        raise must(name, _FORM, source, hint)
    if isinstance(source, list | tuple) and source and isinstance(source[0], str):
        raise must(name, _FORM, source, "file names are not read: give the folder")
    try:
        array = np.asarray(source)
    except ValueError:
        array = np.empty((len(source),), object)
        for number, each in enumerate(source):
            array[number] = each
    if array.dtype == object:
        shapes = {np.shape(each) for each in array.reshape(-1)[:1000]}
        if len(shapes) > 1:
            raise UserError(
                f"{name} must be images of one size, got a list of several sizes, such as"
                f" {' and '.join(map(str, sorted(shapes)[:2]))}; resize them first."
            ) from None
        raise must(name, _FORM, array, "an array of objects: write numpy.stack(images)")
    return array


def _first(shape: Sequence[int]) -> bool:
    """Whether the channels stand before height and width."""
    return shape[1] in (1, 3, 4) and shape[3] not in (1, 2, 3, 4)


def _advice(array: NDArray[Any]) -> str | None:
    """How to convert images that are not in the accepted form; None for those that are."""
    shape = array.shape
    if array.ndim == 3 and shape[2] in (3, 4) and shape[1] > 4:
        return "this looks like one image: write images[None] for an array of one"
    if array.ndim < 3:
        return f"these are {array.ndim} axes: write images.reshape(-1, height, width, channels)"
    if array.ndim > 4:
        return f"these are {array.ndim} axes: write images.reshape(-1, *images.shape[-3:])"
    if array.ndim == 4 and _first(shape):
        return "the channels are first: write images.transpose(0, 2, 3, 1)"
    if array.ndim == 4 and shape[3] in (2, 4):
        return f"the last channel is transparency: write images[..., :{shape[3] - 1}]"
    if array.ndim == 4 and shape[3] not in (1, 3):
        return f"choose three of the {shape[3]} channels: write images[..., :3]"
    if array.dtype == np.uint8:
        return None
    if array.dtype.kind not in "biuf":
        return "give numbers"
    return _range_advice(array)


def _range_advice(array: NDArray[Any]) -> str:
    if array.dtype == bool:
        return "write images.astype('uint8') * 255"
    if not np.isfinite(array).all():
        return "it holds NaN or infinity: replace them first"
    least, most = array.min(), array.max()
    values = f"the values are {least:g} to {most:g}"
    if array.dtype.kind == "f" and least >= 0 and most <= 1:
        return f"{values}: write (images * 255).round().astype('uint8')"
    if array.dtype.kind == "f" and least >= -1 and most <= 1:
        return f"{values}: write ((images + 1) * 127.5).round().astype('uint8')"
    if least >= 0 and most <= 255:
        rounded = "images.round()" if array.dtype.kind == "f" else "images"
        return f"{values}: write {rounded}.astype('uint8')"
    if array.dtype.kind != "f" and least >= 0 and most <= 65535:
        return f"{values}: write (images // 257).astype('uint8')"
    return f"{values}: scale them to 0…255 and write .round().astype('uint8')"


def class_numbers(
    labels: Any, count: int, class_names: tuple[str, ...] = (), name: str = "labels"
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as class numbers, and the name of each class.

    Args:
        labels: whole numbers from 0 (N,) or (N, 1), also as floats; strings or booleans (N,), whose
            sorted values become the classes; or one-hot rows (N, K).
        count: N, the number of images.
        class_names: one for each number. Strings are then numbered by their place here.
        name: of the labels, for errors.

    Returns:
        (int64 (N,), the names; the numbers themselves for labels without names).

    Raises:
        UserError: for everything else, with advice.
    """
    array = _label_array(labels, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if len(array) != count or array.ndim not in (1, 2):
        raise UserError(
            f"{name} must have one value for each of {count} images, got"
            f" {len(array) if array.ndim == 1 else received(array)}."
        )
    if array.ndim == 2:
        array = _of_one_hot(array, name)
    if array.dtype.kind in "USb":
        return _named(array, class_names, name)
    numbers = _whole(array, name)
    most = int(numbers.max(initial=0))
    if most >= MOST_CLASSES:
        raise must(name, f"be class numbers below {MOST_CLASSES}", most, "number them from 0")
    if class_names and most >= len(class_names):
        raise must(name, f"be below {len(class_names)}, the number of class names", most)
    return numbers, class_names or tuple(str(number) for number in range(most + 1))


def _label_array(labels: Any, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(labels)
    except ValueError:
        raise UserError(
            f"{name} must be one value for each image, got lists of several lengths."
        ) from None
    if array.ndim == 0:
        raise must(name, "be one value for each image", labels)
    if array.dtype == object:
        kinds = {type(each) for each in array.reshape(-1)}
        if all(issubclass(each, str) for each in kinds):
            return array.astype(str)
        if any(each is type(None) or issubclass(each, float) for each in kinds) and len(kinds) > 1:
            missing = sum(each is None or each != each for each in array.reshape(-1))
            raise UserError(
                f"{name} must have one value for each image, got {missing} that are missing; leave"
                " those images out."
            )
        if all(issubclass(each, int | np.integer) for each in kinds):
            return array.astype(np.int64)
        names = ", ".join(sorted(each.__name__ for each in kinds))
        raise UserError(f"{name} must be numbers or strings, got values of type {names}.")
    return array


def _of_one_hot(array: NDArray[Any], name: str) -> NDArray[np.int64]:
    if array.dtype.kind in "biuf" and (
        np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()
    ):
        classes: NDArray[np.int64] = array.argmax(axis=1)
        return classes
    raise must(
        name,
        "be class numbers (N,) or one-hot rows (N, K)",
        array,
        "the rows are not one-hot: write labels.argmax(axis=1) for the largest of each row",
    )


def _named(
    array: NDArray[Any], class_names: tuple[str, ...], name: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    words = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array.astype(str)
    found = np.unique(words)
    if (np.char.strip(found) == "").any():
        raise UserError(f"{name} must not be empty text, got {(words == '').sum()} empty labels.")
    names = class_names or tuple(found.tolist())
    if unknown := sorted(set(found.tolist()) - set(names)):
        raise must(name, f"be one of {', '.join(map(repr, names[:10]))}", unknown[0])
    place = {each: number for number, each in enumerate(names)}
    return np.array([place[each] for each in words.tolist()], np.int64), names


def _whole(array: NDArray[Any], name: str) -> NDArray[np.int64]:
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise UserError(
                f"{name} must have one value for each image, got {int(np.isnan(array).sum())} that"
                " are missing (NaN); leave those images out."
            )
        if not (np.isfinite(array).all() and (array == np.rint(array)).all()):
            odd = array[array != np.rint(array)][0]
            raise must(name, "be class numbers", float(odd), "give whole numbers or names")
    elif array.dtype.kind not in "iu":
        raise must(name, "be whole numbers or strings", array)
    if array.size and array.min() < 0:
        hint = "leave out images without a label" if array.min() == -1 else "number them from 0"
        raise must(name, "be at least 0", int(array.min()), hint)
    return array.astype(np.int64)
