import os

import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.data import Images, Source, load
from rotkeras.data.tfds_source import open_builder
from rotkeras.reproduce import cifar10


@pytest.fixture
def images():
    array = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    return Images.of(array, np.arange(20) % 3, tuple("abc"))


def source_of(train, validation, test):
    return Source("arrays", train, validation, [], lambda: test)


def test_images_are_told_in_any_order_and_in_parts(images, monkeypatch):
    """Another label, pixel, or a part too few makes other images of them."""
    train, test = images.part(np.arange(15)), images.part(np.arange(15, 20))
    expected = tuple(cifar10._text(cifar10.digest(part)) for part in (train, test))
    monkeypatch.setattr(cifar10, "_DIGESTS", expected)
    order = np.random.default_rng(1).permutation(15)
    shuffled = Images.of(train.take(order), train.labels[order], tuple("abc"))
    assert cifar10.is_cifar10(
        source_of(shuffled.part(np.arange(4)), shuffled.part(np.arange(4, 15)), test)
    )
    assert cifar10.is_cifar10(source_of(train, None, test))
    assert not cifar10.is_cifar10(source_of(train, None, None))
    assert not cifar10.is_cifar10(source_of(train.part(np.arange(14)), None, test))
    assert not cifar10.is_cifar10(source_of(train, None, train))
    labels = train.labels.copy()
    labels[3] += 1
    assert not cifar10.is_cifar10(source_of(Images.of(train.take(slice(None)), labels), None, test))
    pixels = train.take(slice(None))
    pixels[7, 2, 1, 0] ^= 1
    assert not cifar10.is_cifar10(source_of(Images.of(pixels, train.labels), None, test))


def test_other_images_are_not_cifar10(digit_source):
    assert not cifar10.is_cifar10(digit_source)


def test_cifar10_of_tensorflow_datasets_is_cifar10():
    """Where it is prepared: in ROTKERAS_DATA_DIR, or where tensorflow-datasets keeps its sets."""
    folder = os.environ.get("ROTKERAS_DATA_DIR")
    try:
        open_builder("cifar10", folder, download=False)
    except UserError as error:
        pytest.skip(
            f"CIFAR-10 is not prepared here; ROTKERAS_DATA_DIR may name its folder ({error})"
        )
    assert cifar10.is_cifar10(load("cifar10", data_dir=folder))
