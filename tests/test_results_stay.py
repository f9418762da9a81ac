"""What a recipe and seed give, and must go on giving: what does not depend on the processor.

The numbers are those of the version before the packages were rearranged, whose weights after a
whole training were the same bit for bit.
"""

import os
import zlib

import numpy as np
import pytest

from rotkeras import recipe
from rotkeras.data import load
from rotkeras.training import build

SPLIT, WEIGHTS = 905792155, 2239954434
FIRST_BATCH, SECOND_BATCH = 823574612, 2259782197
LOSSES = [1.6197419166564941, 1.641964077949524, 1.6445597410202026]
CIFAR10_SPLIT, CIFAR10_BATCH = 1061953722, 1922845875
"""CRC-32 of arrays, and the losses of the first steps."""


def checksum(*arrays):
    value = 0
    for each in arrays:
        value = zlib.crc32(np.ascontiguousarray(each).tobytes(), value)
    return value


@pytest.fixture(scope="module")
def quickstart():
    made = recipe.load("quickstart", ["export=null"])
    source = build.load_source(made)
    augmentation = build.build_augmentation(made)
    shape = build.training_shape(source, augmentation)
    task, model = build.build(made, source, shape, augmentation)
    batches = build.build_pipeline(made, source, task, augmentation)
    return source, model, batches


def test_quickstart_has_its_split_initial_weights_and_batches(quickstart):
    source, model, batches = quickstart
    assert checksum(source.train.rows, source.validation.rows) == SPLIT
    assert checksum(*model.get_weights()) == WEIGHTS
    (x, y), (x2, _) = (batch for _, batch in zip(range(2), batches.dataset, strict=False))
    assert checksum(x, y) == FIRST_BATCH
    assert checksum(x2) == SECOND_BATCH


def test_quickstart_has_its_first_losses(quickstart):
    _, model, batches = quickstart
    losses = []
    for _, (x, y) in zip(range(3), batches.dataset, strict=False):
        losses.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
        model.reset_metrics()
    np.testing.assert_allclose(losses, LOSSES, rtol=1e-5)


@pytest.mark.skipif("ROTKERAS_DATA_DIR" not in os.environ, reason="ROTKERAS_DATA_DIR is not set")
def test_cifar10_cpu_has_its_split_and_batches():
    made = recipe.load("cifar10-cpu", data_dir=os.environ["ROTKERAS_DATA_DIR"])
    source = load("cifar10", data_dir=os.environ["ROTKERAS_DATA_DIR"])
    assert checksum(source.train.rows) == CIFAR10_SPLIT
    augmentation = build.build_augmentation(made)
    task = build.build_task(made, source, augmentation)
    x, y = next(iter(build.build_pipeline(made, source, task, augmentation).dataset))
    assert checksum(x, y) == CIFAR10_BATCH
