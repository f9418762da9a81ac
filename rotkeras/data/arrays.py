"""Images that are arrays already: `.npz` files, NumPy in Python, and the digits that come with
scikit-learn."""

import contextlib
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rotkeras.data.array_forms import class_numbers, is_pair, is_train_and_test, pixels
from rotkeras.data.source import Images
from rotkeras.errors import UserError
from rotkeras.files import check_regular, expanded
from rotkeras.images import Size, fit, sides_of

_IMAGE_KEYS = {
    "train": ("images", "train_images", "x_train", "x"),
    "test": ("test_images", "x_test"),
}
_LABEL_KEYS = {
    "train": ("labels", "train_labels", "y_train", "y"),
    "test": ("test_labels", "y_test"),
}


def as_images(
    array: Any,
    labels: Any = None,
    class_names: tuple[str, ...] = (),
    image_size: Size | None = None,
    name: str = "images",
) -> Images:
    """Check an array of images and labels, make it RGB, and resize it if requested.

    Args:
        array: uint8 (N, H, W, 3), (N, H, W, 1) or (N, H, W); values 0 … 255.
        labels: class numbers, names or one-hot rows, as `class_numbers` takes them, or None.
        class_names: one name per class number.
        image_size: pixels of each side of the result, or (H, W); None keeps what they have.
        name: what to call the array in an error.

    Raises:
        UserError: for another dtype or shape, or labels of another length.
    """
    array = pixels(array, name)
    if image_size is not None and array.shape[1:3] != sides_of(image_size):
        array = np.stack([fit(Image.fromarray(image), image_size) for image in array])
    if labels is None:
        return Images.of(array)
    of = "labels" if name == "images" else f"labels of {name}"
    numbers, class_names = class_numbers(labels, len(array), class_names, of)
    return Images.of(array, numbers, class_names)


def read_npz(path: str | Path, part: str, image_size: Size | None) -> Images | None:
    """The train or test set of an `.npz` file; None when it has no test set.

    Keys: `images` and `labels`, `test_images` and `test_labels`; or `x_train`, `y_train`, `x_test`,
        `y_test`. `class_names`,
    strings (classes,), may name the labels.

    Raises:
        UserError: when the file is missing, is no `.npz`, holds none of the keys, or names fewer
            classes than there are.
    """
    path = expanded(path)
    check_regular(path)
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
    except FileNotFoundError:
        raise UserError(
            f"The array file {str(path)!r} does not exist: give the path of an .npz file."
        ) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        # NumPy's own words for a file of another kind advise to unpickle it.
        reason = "it is not an archive of arrays" if "pickle" in str(error) else str(error)
        raise UserError(
            f"{str(path)!r} could not be read as an .npz file ({reason}): write it with"
            " numpy.savez(path, images=…, labels=…)."
        ) from None
    with file:
        image_key = next((key for key in _IMAGE_KEYS[part] if key in file.files), None)
        label_key = next((key for key in _LABEL_KEYS[part] if key in file.files), None)
        if image_key is None:
            if part == "test":
                return None
            raise UserError(
                f"{str(path)!r} must hold an array 'images' (or 'x_train'), got"
                f" {', '.join(file.files) or 'no arrays'}; write it with numpy.savez(path,"
                " images=…, labels=…)."
            )
        try:
            images, labels = file[image_key], file[label_key] if label_key else None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            reason = "it holds Python objects" if "pickle" in str(error) else str(error)
            raise UserError(
                f"{str(path)!r} could not be read ({reason}): store plain uint8 arrays in it, and"
                " labels as numbers or, with labels.astype(str), as strings."
            ) from None
        names = (_class_names(path.name, file) or _words(file)) if label_key else ()
        return as_images(images, labels, names, image_size, f"{path.name}:{image_key}")


def _words(file: Any) -> tuple[str, ...]:
    """The classes of a file whose training labels are strings, so that the test set has the same
    numbers; empty for other labels."""
    key = next((key for key in _LABEL_KEYS["train"] if key in file.files), None)
    labels = file[key] if key else np.empty(0)
    if labels.dtype.kind not in "US":
        return ()
    return class_numbers(labels.reshape(-1), labels.size)[1]


def _class_names(name: str, file: Any) -> tuple[str, ...]:
    """The names of the labels of a file, of both its parts, so that a mistake is reported before
    training; empty where it has none."""
    if "class_names" not in file.files:
        return ()
    most = 0
    for key in (key for part in _LABEL_KEYS.values() for key in part if key in file.files):
        with contextlib.suppress(
            OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error
        ):  # said when it is read
            most = max(most, int(np.max(file[key], initial=-1)) + 1)
    try:
        given = file["class_names"]
    except ValueError:
        given = np.array(None)  # Python objects
    names = (
        tuple(each.decode() if isinstance(each, bytes) else str(each) for each in given.tolist())
        if given.ndim == 1
        else ()
    )
    if given.dtype.kind not in "US" or len(set(names)) < len(names) or len(names) < most:
        raise UserError(
            f"{name}:class_names must be an array of at least {most} different strings, one for"
            f" each label from 0, got {len(names)} of {given.dtype}, shape {given.shape}; name each"
            " class once, or leave the names out."
        )
    return names


def given_arrays(source: Any, image_size: Size | None) -> tuple[Images, Images | None]:
    """The train and test set of arrays that are given in Python.

    Args:
        source: images; a pair (images, labels); or ((images, labels), (images, labels)) of train
            and test, as `keras.datasets` give them.
        image_size: pixels of each side of the result, or (H, W); None keeps what they have.

    Returns:
        (train, test); test is None unless it is given.

    Raises:
        UserError: for arrays in another form.
    """
    if is_train_and_test(source):
        (images, labels), (test_images, test_labels) = source
        train = as_images(images, labels, image_size=image_size, name="train images")
        names = train.class_names
        test = as_images(test_images, test_labels, names, image_size, "test images")
        return train, test
    if is_pair(source):
        return as_images(source[0], source[1], image_size=image_size), None
    ranks = [getattr(each, "ndim", 0) for each in source] if isinstance(source, tuple) else []
    if max(ranks, default=0) > 3 or len(set(ranks)) > 1:
        raise UserError(
            "The arrays must be images, (images, labels) or ((images, labels), (images, labels))"
            f" of train and test, got a tuple of {len(source)}; group them in one of these ways."
        )
    return as_images(source, image_size=image_size), None


def read_digits(image_size: Size | None) -> Images:
    """The 1797 handwritten digits (8 × 8, ten classes) of the UCI set that ships inside
    scikit-learn.

    Reference:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
        Repository, 1998.
    """
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    grey: NDArray[np.uint8] = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return as_images(grey, digits.target, tuple("0123456789"), image_size, "digits")
