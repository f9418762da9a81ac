"""Views made inside the step: the pixels, losses and gradients of those that the host makes."""

import itertools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from rotkeras import UserError, data
from rotkeras.data import augmentation
from rotkeras.data.keyed import Key
from rotkeras.pretext import InStep, Rotation
from rotkeras.training.callbacks import RunCheckpoint
from rotkeras.training.callbacks.run_checkpoint import restore


@pytest.fixture(scope="module")
def source():
    """Noise, of which a wrong pixel cannot go unseen, in parts that are scattered over one
    array."""
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
    return data.load(images, validation_fraction=0.25)


def pixels_alone():
    inputs = keras.Input((12, 12, 3), dtype="uint8")
    return keras.Model(inputs, keras.layers.Rescaling(1 / 255)(inputs))


def steps(batches, count):
    return list(itertools.islice(batches, count))


@pytest.mark.parametrize(
    ("resident", "library"), [(False, "tensorflow"), (True, "numpy"), (True, "tensorflow")]
)
@pytest.mark.parametrize(
    ("task", "augmentations"),
    [
        (Rotation(), []),
        (Rotation((270, 0)), [augmentation.pad_crop_flip(4)]),
        (
            Rotation((0, 90, 180), "one"),
            [augmentation.random_flip(), augmentation.pad_crop_flip(3, flip=False)],
        ),
        (
            Rotation(),
            [
                augmentation.pad_crop_flip(0),
                augmentation.pad_crop_flip(13),
                augmentation.random_flip(),
            ],
        ),
    ],
    ids=["plain", "two_turns", "one_view", "wide"],
)
def test_pixels_and_labels_are_those_of_the_host_bit_for_bit(
    source, task, augmentations, resident, library
):
    inside = InStep(task, augmentations, (source.train, source.validation) if resident else ())
    make = inside.build_model(pixels_alone()).get_layer("views")
    settings = {
        "images_per_batch": 7,
        "seed": 5,
        "initial_epoch": 1,
        "repeats": 2,
        "library": library,
    }
    host = data.pipeline(source.train, task, augmentation=augmentations, **settings)
    device = data.pipeline(source.train, inside, **settings)
    assert inside.on_host == []
    for (x, y), (made_of, y_inside) in zip(
        steps(host.dataset, 12), steps(device.dataset, 12), strict=True
    ):
        assert ("images" in made_of) != resident
        made = np.asarray(make(made_of))
        assert made.dtype == np.uint8
        np.testing.assert_array_equal(made, x)
        np.testing.assert_array_equal(np.reshape(y_inside, -1), y)
        assert y_inside.shape == ((7,) if task.view_choice == "one" else (7, len(task.angles)))

    evaluation = (
        data.evaluation_pipeline(source.validation, each, images_per_batch=4, library=library)
        for each in (task, inside)
    )
    shown = 0
    for (x, y), (made_of, y_inside) in zip(*evaluation, strict=True):
        np.testing.assert_array_equal(np.asarray(make(made_of)), x)
        np.testing.assert_array_equal(np.reshape(y_inside, -1), y)
        shown += len(y_inside)
    assert shown == 10


def test_what_only_the_host_can_do_stays_there_with_all_that_comes_before(source):
    crop = augmentation.keras_cv("RandomCutout", height_factor=0.5, width_factor=0.5)
    list_ = [augmentation.random_flip(), crop, augmentation.pad_crop_flip(2)]
    inside = InStep(Rotation(), list_)
    assert inside.on_host == list_[:2]
    make = inside.build_model(pixels_alone()).get_layer("views")
    host = data.pipeline(source.train, Rotation(), images_per_batch=7, augmentation=list_)
    device = data.pipeline(source.train, inside, images_per_batch=7)
    for (x, _), (made_of, _) in zip(steps(host.dataset, 3), steps(device.dataset, 3), strict=True):
        np.testing.assert_array_equal(make(made_of), x)


def test_each_process_of_several_gets_its_part(source):
    inside = InStep(Rotation(), [augmentation.random_flip()])
    settings = {"images_per_batch": 6, "library": "numpy"}
    (whole, y), *_ = steps(data.pipeline(source.train, inside, **settings).dataset, 1)
    halves = [
        steps(data.pipeline(source.train, inside, shard=(number, 2), **settings).dataset, 1)[0]
        for number in (0, 1)
    ]
    for name in ("images", "draws"):
        np.testing.assert_array_equal(
            np.concatenate([half[0][name] for half in halves]), whole[name]
        )
    np.testing.assert_array_equal(np.concatenate([half[1] for half in halves]), y)


ON_TWO_DEVICES = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from rotkeras.data import augmentation
from rotkeras.pretext import Rotation
mesh = Mesh(np.array(jax.devices()), ("batch",))
assert mesh.size == 2
split, whole = NamedSharding(mesh, PartitionSpec("batch")), NamedSharding(mesh, PartitionSpec())

def views(resident, rows, draws):
    images = augmentation.pad_crop_flip(4).apply(jax.numpy.take(resident, rows, axis=0), draws)
    return Rotation().apply(images, None)

shapes = [((50, 32, 32, 3), np.uint8), ((16,), np.int32), ((16, 3), np.int32)]
compiled = jax.jit(views, in_shardings=(whole, split, split), out_shardings=split)
print(compiled.lower(*(jax.ShapeDtypeStruct(*each) for each in shapes)).compile().as_text())
"""


def test_devices_that_share_a_batch_exchange_no_pixels():
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'rotkeras[jax]'")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO_DEVICES],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "u8[32,32,32,3]" in done.stdout  # half of the 64 views
    for collective in ("all-gather", "all-to-all", "collective-permute", "all-reduce"):
        assert collective not in done.stdout


@pytest.mark.parametrize("task", [Rotation(), Rotation((0, 180), "one")], ids=["all", "one"])
def test_logits_loss_and_gradients_are_those_of_the_host(digit_source, small_backbone, task):
    part = digit_source.train
    inside = InStep(task, resident=(part,))
    model = inside.build_model(small_backbone)
    flat = inside.network(model)
    key = Key(np.int64(0), np.int64(0), part.rows[:6])
    results = []
    for each, network, images in ((task, flat, part.take(slice(0, 6))), (inside, model, None)):
        x, y = each.views(images, key)
        with tf.GradientTape() as tape:
            logits = network(x, training=True)
            loss = each.loss()(y, logits)
        gradients = tape.gradient(loss, flat.trainable_variables)
        results.append(
            (
                np.reshape(logits, (-1, len(task.angles))),
                float(loss),
                [g.numpy() for g in gradients],
            )
        )
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-5)
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-6)
    for one, other in zip(results[0][2], results[1][2], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def fit(task, model, part, folder, initial_epoch):
    batches = data.pipeline(part, task, images_per_batch=16, initial_epoch=initial_epoch)
    state = restore(folder, model)
    assert (state or {"epoch": 0})["epoch"] == initial_epoch
    settings = {"steps_per_epoch": 2, "initial_epoch": initial_epoch, "epochs": initial_epoch + 1}
    history = model.fit(
        batches.dataset, **settings, shuffle=False, verbose=0, callbacks=[RunCheckpoint(folder)]
    )
    return history.history["loss"]


def test_a_checkpoint_holds_no_images_and_goes_on_with_views_made_elsewhere(
    tmp_path, digit_source, quick_backbone, eagerly
):
    part = digit_source.train
    weights = quick_backbone.get_weights()
    losses = {}
    for name, tasks in {
        "host": (Rotation(), Rotation()),
        "crossed": (InStep(Rotation(), resident=(part,)), Rotation()),
        "back": (Rotation(), InStep(Rotation(), resident=(part,))),
    }.items():
        losses[name] = []
        for epoch, task in enumerate(tasks):
            keras.utils.set_random_seed(epoch)  # what is drawn here is replaced by the checkpoint
            quick_backbone.set_weights(weights)
            model = task.build_model(keras.models.clone_model(quick_backbone))
            task.network(model).set_weights(
                [*weights, np.full((8, 4), 0.1) * np.arange(4), np.zeros(4)]
            )
            model.compile(keras.optimizers.Adam(0.01), task.loss())
            losses[name] += fit(task, model, part, tmp_path / name, epoch)
    assert losses["crossed"] == pytest.approx(losses["host"], rel=1e-6)
    assert losses["back"] == pytest.approx(losses["host"], rel=1e-6)
    sizes = [next((tmp_path / name).glob("*.h5")).stat().st_size for name in ("host", "back")]
    assert abs(sizes[0] - sizes[1]) < 2**14 < part.array.nbytes


@pytest.mark.parametrize("head", [True, False])
def test_a_model_with_variables_of_its_own_around_the_network_is_saved_whole(
    tmp_path, quick_backbone, head
):
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.GlobalAveragePooling2D()(quick_backbone(inputs))
    # Of the second nothing is learned: it has moving averages alone.
    x = (
        keras.layers.Dense(2)(x)
        if head
        else keras.layers.BatchNormalization(center=False, scale=False)(x)
    )
    outer = keras.Model(inputs, x)
    outer.compile("sgd", "mse")
    callback = RunCheckpoint(tmp_path)
    callback.set_model(outer)
    callback.on_epoch_end(0)
    weights = [np.array(each) for each in outer.get_weights()]
    outer.set_weights([np.zeros_like(each) for each in weights])
    restore(tmp_path, outer)
    for one, other in zip(outer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_has_the_form_of_the_task_it_wraps(source):
    inside = InStep(Rotation(), resident=(source.train,))
    assert inside.views_per_image() == 4
    model = inside.build_model(pixels_alone())
    assert model.output_shape == (None, 4, 4)
    assert inside.network(model).output_shape == (None, 4)
    assert [metric.name for metric in inside.metrics()] == [
        metric.name for metric in Rotation().metrics()
    ]
    assert isinstance(Rotation().loss(), type(inside.loss()))


def test_images_that_do_not_lie_there_are_refused_before_another_is_shown_for_them(source):
    inside = InStep(Rotation(), resident=(source.train,))
    with pytest.raises(
        UserError,
        match=r"The pipeline's images must be a part of the images of InStep, got Images\(10 of \(12, 12, 3\), no labels\);",
    ):
        data.evaluation_pipeline(source.validation, inside, images_per_batch=5)
    with pytest.raises(
        UserError,
        match=r"The pipeline's images must be a part of the images of InStep, got Images\(40 of \(12, 12, 3\), no labels\);",
    ):
        data.pipeline(data.Images.of(source.train.array.copy()), inside, images_per_batch=5)
    data.pipeline(source.train.draw(10), inside, images_per_batch=5)
    with pytest.raises(
        UserError,
        match="augmentation must be empty here, because the task augments inside the step, got 1;",
    ):
        data.pipeline(
            source.train, inside, images_per_batch=5, augmentation=augmentation.random_flip()
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"task": Rotation((0, 45))},
            "The views of this Rotation cannot be made inside the step;",
        ),
        (
            {
                "augmentation": [
                    augmentation.keras_cv("RandomGaussianBlur", kernel_size=3, factor=0.5)
                ],
                "resident": True,
            },
            "cannot be augmented on the host, where layers of keras-cv",
        ),
        (
            {"resident": "two"},
            r"Resident images must be parts of one source, which share an array\.",
        ),
    ],
)
def test_what_cannot_run_inside_the_step_is_refused(source, arguments, message):
    other = data.Images.of(np.zeros((2, 12, 12, 3), np.uint8))
    resident = {None: (), True: (source.train,), "two": (source.train, other)}[
        arguments.pop("resident", None)
    ]
    with pytest.raises(UserError, match=message):
        InStep(arguments.pop("task", Rotation()), resident=resident, **arguments)
