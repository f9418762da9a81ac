"""The pipeline in NumPy against the one of tf.data, bit for bit, and against NumPy's own turns."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from rotkeras import UserError, data
from rotkeras.data import augmentation, draws, keyed, randomness
from rotkeras.data.labelled import Labelled
from rotkeras.pretext import Rotation


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).integers(0, 256, (37, 12, 12, 3), dtype=np.uint8)
    return data.Images.of(pixels).part(np.arange(3, 33))


def first(pipeline, count):
    return [
        tuple(np.asarray(part) for part in batch)
        for batch in itertools.islice(iter(pipeline.dataset), count)
    ]


@pytest.mark.parametrize(
    "count", [1, 2, 3, 100, 1797, 45_000, 65_536, 65_537, 65_538, 262_145, 2**33]
)
def test_the_order_is_that_of_the_kernel(count):
    import tensorflow as tf

    position = np.unique(np.random.default_rng(0).integers(0, count, 400))
    for seed, epoch in ((0, 0), (1, 0), (2**32 - 1, 199)):
        kernel = randomness.permute(
            tf.constant(position), tf.constant(seed, tf.int64), tf.constant(epoch, tf.int64), count
        )
        np.testing.assert_array_equal(keyed.permute(position, seed, epoch, count), kernel)


@pytest.mark.parametrize("count", [1, 2, 1000, 65_536])
def test_an_epoch_has_every_image_once(count):
    np.testing.assert_array_equal(
        np.sort(keyed.permute(np.arange(count), 5, 2, count)), np.arange(count)
    )


def test_draws_are_those_of_the_graph():
    import tensorflow as tf

    index = np.array([0, 1, 44_999, 2**40], np.int64)
    ours = keyed.Key(np.int64(-3), np.int64(7), index)
    theirs = keyed.Key(*(tf.constant(each, tf.int64) for each in ours[:3]))
    np.testing.assert_array_equal(
        keyed.mix(ours.seed, 5, index), randomness.mix(theirs.seed, 5, theirs.index)
    )
    for key in (ours, theirs):
        drawn = draws.draw(key, (3, 9), (7, 2))
        assert (drawn.shape, drawn.dtype) == ((4, 2), np.int32)
        for column, (stream, maximum) in enumerate(((3, 9), (7, 2))):
            np.testing.assert_array_equal(
                drawn[:, column], randomness.integers(theirs, stream, maximum)
            )


@pytest.mark.parametrize(
    ("task", "steps"),
    [
        (Rotation(), []),
        (Rotation(), [augmentation.pad_crop_flip(2)]),
        (Rotation((0, 180), "one"), [augmentation.random_flip(), augmentation.pad_crop_flip(1), augmentation.pad_crop_flip(3, flip=False)]),
        (Rotation((270, 90)), [augmentation.pad_crop_flip(4)]),
    ],
)  # fmt: skip
def test_batches_are_those_of_tf_data(images, task, steps):
    settings = {
        "images_per_batch": 7,
        "seed": 11,
        "augmentation": steps,
        "initial_epoch": 2,
        "repeats": 2,
    }
    ours, theirs = (
        data.pipeline(images, task, library=library, **settings)
        for library in ("numpy", "tensorflow")
    )
    assert ours.steps_per_epoch == theirs.steps_per_epoch == 8
    for (x, y), (x_graph, y_graph) in zip(first(ours, 10), first(theirs, 10), strict=True):
        np.testing.assert_array_equal(x, x_graph)
        np.testing.assert_array_equal(y, y_graph)
        assert (x.dtype, y.dtype) == (x_graph.dtype, y_graph.dtype)
    assert ours.input_wait.seconds > 0


@pytest.mark.parametrize("size", [8, 30])
def test_evaluation_batches_are_those_of_tf_data(images, size):
    ours, theirs = (
        data.evaluation_pipeline(images, Rotation(), images_per_batch=size, library=library)
        for library in ("numpy", "tensorflow")
    )
    assert len(ours) == -(-30 // size)
    for number, (x, y) in enumerate(theirs):
        np.testing.assert_array_equal(ours[number][0], x)
        np.testing.assert_array_equal(ours[number][1], y)


def test_shards_together_are_the_batch(images):
    settings = {
        "images_per_batch": 6,
        "seed": 1,
        "augmentation": [augmentation.pad_crop_flip(2)],
        "library": "numpy",
    }
    whole = first(data.pipeline(images, Rotation(), **settings), 7)
    parts = [
        first(data.pipeline(images, Rotation(), shard=(number, 3), **settings), 7)
        for number in range(3)
    ]
    for step, (x, y) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[step][0] for part in parts]), x)
        np.testing.assert_array_equal(np.concatenate([part[step][1] for part in parts]), y)
    quadruple = parts[2][0][0][:4]
    for turns in range(4):
        np.testing.assert_array_equal(quadruple[turns], np.rot90(quadruple[0], turns))


def test_shards_of_an_evaluation_have_as_many_images_each(images):
    shards = [
        data.evaluation_pipeline(
            images, Rotation(), images_per_batch=8, library="numpy", shard=(n, 4)
        )
        for n in range(4)
    ]
    sizes = [[len(shard[batch][1]) for batch in range(len(shard))] for shard in shards]
    assert sizes == [[8, 8, 8, 4]] * 4  # views; of 30 images two are left out


def test_a_batch_that_does_not_split_is_refused(images):
    with pytest.raises(
        UserError,
        match=r"images_per_batch must be a multiple of 4, the number of processes, got 6\.",
    ):
        data.pipeline(images, Rotation(), images_per_batch=6, library="numpy", shard=(0, 4))


@pytest.mark.parametrize(
    ("task", "steps"),
    [
        (Rotation((0, 45)), []),
        (Rotation(), [augmentation.keras_cv("RandomGaussianBlur", kernel_size=3, factor=0.5)]),
        (Rotation(), [lambda x, _: x]),
    ],
)
def test_what_numpy_cannot_do_is_refused_or_left_to_tensorflow(images, task, steps):
    with pytest.raises(
        UserError,
        match="The NumPy pipeline does not support this task or augmentation, which",
    ):
        data.pipeline(images, task, images_per_batch=4, augmentation=steps, library="numpy")
    with pytest.raises(UserError, match="Several hosts read their images with NumPy"):
        data.pipeline(images, task, images_per_batch=4, augmentation=steps, shard=(0, 2))


def test_it_runs_without_tensorflow():
    code = """
import sys
sys.modules["tensorflow"] = None  # an import of it raises ImportError
import os; os.environ["KERAS_BACKEND"] = "numpy"
from rotkeras import data
from rotkeras.pretext import Rotation
source = data.load("digits", image_size=16)
batches = data.pipeline(source.train, Rotation(), images_per_batch=4, augmentation=[data.augmentation.pad_crop_flip(1)])
x, y = next(batches.dataset)
x2, y2 = data.evaluation_pipeline(source.validation, Rotation(), images_per_batch=4)[0]
print(x.shape, y.tolist(), x2.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == f"(16, 16, 16, 3) {[0, 1, 2, 3] * 4} (16, 16, 16, 3)\n", done.stderr[
        -2000:
    ]


@pytest.mark.parametrize("shape", [(9, 9), (6, 11)])
@pytest.mark.parametrize(
    "steps",
    [[augmentation.pad_crop_flip(3)], [augmentation.pad_crop_flip(0), augmentation.random_flip()]],
)
def test_the_graph_crops_and_flips_as_numpy_does(shape, steps):
    """TensorFlow's graph makes the batches that need it for another step, and of the same draws the
    same pixels."""
    images = np.random.default_rng(0).integers(0, 256, (40, *shape, 3), dtype=np.uint8)
    key = keyed.Key(np.int64(4), np.int64(1), np.arange(40) * 7)
    theirs = augmentation.chain(steps)(
        tf.constant(images), keyed.Key(*(tf.constant(each, tf.int64) for each in key[:3]))
    )
    ours = augmentation.chain(steps)(images, key)
    np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(ours, images)


@pytest.mark.parametrize(
    "task", [Rotation(), Rotation((0, 180)), Rotation((90, 0, 270)), Rotation(views="one")]
)
def test_the_graph_turns_as_numpy_does(task):
    images = np.random.default_rng(0).integers(0, 256, (20, 7, 7, 3), dtype=np.uint8)
    key = keyed.Key(np.int64(4), np.int64(1), np.arange(20) * 7)
    theirs = task.views(
        tf.constant(images), keyed.Key(*(tf.constant(each, tf.int64) for each in key[:3]))
    )
    for ours, there in zip(task.views(images, key), theirs, strict=True):
        np.testing.assert_array_equal(ours, there)
        assert ours.dtype == there.numpy().dtype


def test_the_graph_labels_as_numpy_does():
    images = data.Images.of(np.zeros((9, 4, 4, 3), np.uint8), np.arange(9) % 4, tuple("abcd")).part(
        np.arange(1, 9, 2)
    )
    task = Labelled(images)
    key = keyed.Key(
        np.int64(0), np.int64(0), np.array([1, 3, 9 + 5, 18 + 7])
    )  # repeats lie beyond the rows
    ours, theirs = (
        task.views(None, key)[1],
        task.views(None, keyed.Key(*(tf.constant(each, tf.int64) for each in key[:3])))[1],
    )
    np.testing.assert_array_equal(ours, [0, 1, 0, 1])
    np.testing.assert_array_equal(theirs, ours)
