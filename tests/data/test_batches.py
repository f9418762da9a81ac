import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from rotkeras import UserError
from rotkeras.data import Images, epochs, evaluation_pipeline, pipeline
from rotkeras.data.augmentation import keras_cv, pad_crop_flip
from rotkeras.pretext import Rotation


@pytest.fixture
def images():
    """23 images whose top left pixel is their number."""
    array = np.random.default_rng(1).integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
    array[:, 0, 0, 0] = np.arange(23)
    return Images.of(array)


def take(batches, count):
    return [(x.numpy(), y.numpy()) for x, y in batches.dataset.take(count)]


def test_a_batch_holds_whole_quadruples_side_by_side(images):
    batches = pipeline(images, Rotation(), images_per_batch=5, seed=1)
    assert batches.steps_per_epoch == 4
    for x, y in take(batches, 4):
        assert x.dtype == np.uint8
        assert x.shape == (20, 8, 8, 3)
        assert y.tolist() == [0, 1, 2, 3] * 5
        for row in range(0, 20, 4):
            for turns in range(4):
                assert np.array_equal(x[row + turns], np.rot90(x[row], turns))


def test_an_epoch_shows_no_image_twice_and_epochs_differ(images):
    batches = take(pipeline(images, Rotation(), images_per_batch=5, seed=1), 8)
    epochs = [
        np.concatenate([x[::4, 0, 0, 0] for x, _ in batches[start : start + 4]]) for start in (0, 4)
    ]
    assert [len(set(epoch)) for epoch in epochs] == [20, 20]
    assert epochs[0].tolist() != epochs[1].tolist()


@pytest.mark.parametrize(
    "augmentation",
    [(), pad_crop_flip(1), [keras_cv("RandomGaussianBlur", kernel_size=3, factor=1.0)]],
)
def test_two_pipelines_give_the_same_and_another_seed_gives_another(images, augmentation):
    arguments = dict(images_per_batch=5, augmentation=augmentation)
    first = take(pipeline(images, Rotation(), seed=1, **arguments), 6)
    again = take(pipeline(images, Rotation(), seed=1, **arguments), 6)
    other = take(pipeline(images, Rotation(), seed=2, **arguments), 6)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def test_a_later_initial_epoch_gives_what_the_first_run_would_have_given(images):
    task = Rotation(views="one")
    arguments = dict(images_per_batch=5, seed=1, augmentation=pad_crop_flip(1))
    whole = take(pipeline(images, task, **arguments), 12)
    resumed = take(pipeline(images, task, initial_epoch=2, **arguments), 4)
    for (x, y), (x_resumed, y_resumed) in zip(whole[8:], resumed, strict=True):
        assert np.array_equal(x, x_resumed)
        assert np.array_equal(y, y_resumed)


def test_how_often_an_iterator_was_made_does_not_matter(images):
    batches = pipeline(
        images, Rotation(), images_per_batch=5, seed=1, augmentation=pad_crop_flip(1)
    )
    first = take(batches, 2)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, take(batches, 2), strict=True))


def test_only_the_rows_of_the_part_are_shown(images):
    part = images.part(np.array([2, 3, 5, 7, 11, 13]))
    shown = np.concatenate(
        [
            x[::4, 0, 0, 0]
            for x, _ in take(pipeline(part, Rotation(), images_per_batch=3, seed=0), 2)
        ]
    )
    assert sorted(shown) == [2, 3, 5, 7, 11, 13]


def test_an_image_draws_the_same_whatever_part_it_is_in(images):
    """Randomness belongs to the stable index, so a smaller part or another split changes no image's
    crops."""
    task, draws = Rotation(views="one"), []
    for part in (images, images.part(np.arange(3, 23))):
        batches = take(pipeline(part, task, images_per_batch=len(part), seed=4), 1)
        draws.append({view_of(images.array, x): y for x, y in zip(*batches[0], strict=True)})
    assert all(draws[0][number] == angle for number, angle in draws[1].items())
    assert len(draws[1]) == 20


def view_of(array, view):
    """The number of the image that a view was made of."""
    turned = [np.rot90(view, turns) for turns in range(4)]
    return next(
        number
        for number, image in enumerate(array)
        if any(np.array_equal(image, each) for each in turned)
    )


@pytest.mark.parametrize(
    ("images_per_batch", "words"),
    [
        (0, "images_per_batch must be at least 1, got 0"),
        (24, "images_per_batch must be from 1 to 23, the number of training images, got 24;"),
    ],
)
def test_a_batch_larger_than_the_images_is_refused(images, images_per_batch, words):
    with pytest.raises(UserError, match=words):
        pipeline(images, Rotation(), images_per_batch=images_per_batch)


def test_an_epoch_has_whole_executions(images):
    batches = pipeline(images, Rotation(), images_per_batch=4, steps_per_execution=2)
    assert batches.steps_per_epoch == 4  # of five batches
    with pytest.raises(
        UserError,
        match=r"steps_per_execution must be from 1 to 5, the batches of an epoch, got 6\.",
    ):
        pipeline(images, Rotation(), images_per_batch=4, steps_per_execution=6)


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_keras_takes_exactly_the_batches_of_each_epoch(images, steps_per_execution):
    """Counted where the batches are made: what resuming by epoch number relies on."""
    import keras

    task = Rotation()
    batches = pipeline(images, task, images_per_batch=3, steps_per_execution=steps_per_execution)
    seen = []
    dataset = batches.dataset.map(
        lambda x, y: (tf.numpy_function(lambda v: (seen.append(1), v)[1], [x], tf.uint8), y)
    )
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(
        inputs, keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Rescaling(1.0)(inputs)))
    )
    model.compile("sgd", task.loss(), steps_per_execution=steps_per_execution, jit_compile=False)
    dataset = dataset.map(lambda x, y: (tf.ensure_shape(x, (12, 8, 8, 3)), y))
    model.fit(dataset, steps_per_epoch=batches.steps_per_epoch, epochs=3, shuffle=False, verbose=0)
    assert batches.steps_per_epoch == (7 if steps_per_execution == 1 else 6)
    # A few more may have been made ahead; an execution too much in every epoch would be six or
    # nine.
    assert 0 <= len(seen) - 3 * batches.steps_per_epoch <= 3


def test_evaluation_shows_every_image_once_in_order_and_ends(images):
    batches = list(evaluation_pipeline(images, Rotation(), images_per_batch=10))
    assert [len(x) for x, _ in batches] == [40, 40, 12]
    views = np.concatenate([x for x, _ in batches])
    assert np.array_equal(views[::4], images.array)


def test_memory_mapped_images_give_the_same(images, tmp_path):
    np.save(tmp_path / "images.npy", images.array)
    mapped = Images.of(np.load(tmp_path / "images.npy", mmap_mode="r"))
    for (x, _), (x_mapped, _) in zip(
        take(pipeline(images, Rotation(), images_per_batch=5), 3),
        take(pipeline(mapped, Rotation(), images_per_batch=5), 3),
        strict=True,
    ):
        assert np.array_equal(x, x_mapped)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ((5000, 128), 125),
        ((144, 16), 16),
        ((10, 128), 128),
        ((5003, 128), 128),
        ((96, 20, 3), 12),
        ((96, 18, 3), 12),
        ((7, 1), 1),
    ],
)
def test_an_even_batch_leaves_nothing_over(arguments, size):
    assert epochs.even_batch(*arguments) == size


def test_the_wait_is_measured_where_the_consumer_stands(images):
    batches = pipeline(images, Rotation(), images_per_batch=5)
    slow = tf.data.Dataset.range(10).map(
        lambda n: tf.numpy_function(lambda m: (time.sleep(0.05), m)[1], [n], tf.int64)
    )
    clock = type(batches.input_wait)()
    assert [int(n) for n in clock.measure(slow)] == list(range(10))
    assert 0.45 < clock.seconds < 5

    quick = type(batches.input_wait)()
    for _ in quick.measure(tf.data.Dataset.range(10)):
        time.sleep(0.05)  # the consumer is slow: that is not waiting for input
    assert quick.seconds < 0.25


def test_several_batches_are_made_at_once_and_ahead_where_the_same_bits_are_asked_for():
    """In a process of its own, for asking holds for the rest of one. Two batches meet only when two
    are made at once."""
    script = """
import threading, numpy as np, tensorflow as tf
from rotkeras import data
from rotkeras.pretext import Rotation

tf.config.experimental.enable_op_determinism()
tf.config.threading.set_inter_op_parallelism_threads(4)
images = data.Images.of(np.zeros((64, 8, 8, 3), np.uint8))
batches = data.pipeline(images, Rotation(), images_per_batch=4, library="tensorflow")
take, both = data.Images.take, threading.Barrier(2)

def meet(self, positions):
    both.wait(20)
    return take(self, positions)

data.Images.take = meet
iterator = iter(batches.dataset)
for _ in range(4):
    next(iterator)
both.abort()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_no_pipeline_is_tuned_while_it_runs(images):
    from rotkeras.data.pipelines import feature_pipeline

    resampled = Rotation(angles=(0, 45))  # by TensorFlow's graph
    datasets = [
        pipeline(images, task, images_per_batch=5).dataset for task in (Rotation(), resampled)
    ]
    datasets += [
        evaluation_pipeline(images, task, images_per_batch=5) for task in (Rotation(), resampled)
    ]
    datasets.append(
        feature_pipeline(
            {"a": np.zeros((8, 2), np.float32)}, np.zeros(8, np.int64), images_per_batch=4
        ).dataset
    )
    assert [dataset.options().autotune.enabled for dataset in datasets] == [False] * 5


def test_a_pipeline_that_is_gone_keeps_no_batch():
    """TensorFlow keeps functions that were mapped; only a process of its own shows what they
    hold."""
    script = """
import gc, resource, numpy as np
from rotkeras import data
from rotkeras.pretext import Rotation

images = data.Images.of(np.ones((256, 96, 96, 3), np.uint8))

def use():
    next(iter(data.pipeline(images, Rotation(), images_per_batch=128, library="tensorflow").dataset))
    next(iter(data.evaluation_pipeline(images, Rotation(), images_per_batch=128, library="tensorflow")))
    gc.collect()

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20

for _ in range(4):
    use()
before = held()
for _ in range(8):
    use()
print(held() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 120  # eight pipelines of two batches of 14 MB would be 226
