"""What is the exemplar task's own: its copies, their images, and its classes."""

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError, data
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import RandomResizedCrop
from rotkeras.pretext import Exemplar
from rotkeras.pretext.exemplar_losses import NearestCopyAccuracy, SemiHardTriplet
from rotkeras.pretext.losses import semi_hard_triplet

KEY = Key(np.int64(3), np.int64(1), np.arange(100, 106), np.arange(6))
SMALL = {"copies": 3, "embedding_units": 8}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


def test_copies_lie_side_by_side_and_differ(images):
    x, y = Exemplar(**SMALL).views(images, KEY)
    assert x.shape == (18, 16, 16, 3)
    np.testing.assert_array_equal(y, np.repeat(np.arange(6), 3))
    copies = x.reshape(6, 3, -1)
    assert all(len(np.unique(each, axis=0)) == 3 for each in copies)
    without, labels = Exemplar(**SMALL).views(images, KEY._replace(position=None))
    np.testing.assert_array_equal(without, x)
    np.testing.assert_array_equal(labels, np.repeat(KEY.index, 3))


def test_an_audit_makes_two_copies_alone(images, monkeypatch):
    cuts = []
    cut = RandomResizedCrop.cut
    monkeypatch.setattr(
        RandomResizedCrop, "cut", lambda self, *given: cuts.append(1) or cut(self, *given)
    )
    (asked,) = Exemplar(copies=8).shortcut_views(images, KEY)
    assert len(cuts) == 2
    x, _ = Exemplar(copies=8).views(images, KEY)
    np.testing.assert_array_equal(asked.views, x.reshape(6, 8, 16, 16, 3)[:, :2])


def test_a_copy_by_hand_is_the_image_when_nothing_changes():
    image = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(1, 6, 6, 3)
    task = Exemplar(copies=2, crop_scale=(1.0, 1.0), color_strength=0.0, grayscale=0.0)
    key = Key(np.int64(0), np.int64(0), np.arange(1), np.arange(1))
    seen = set()
    for epoch in range(12):
        x, _ = task.views(image, key._replace(epoch=np.int64(epoch)))
        for copy in x:
            # Boxes of the whole area have another shape; those of the whole image are exact.
            seen |= {
                name
                for name, expected in (("image", image[0]), ("flipped", image[0, :, ::-1]))
                if (copy == expected).all()
            }
    assert seen == {"image", "flipped"}


def test_two_thirds_of_the_copies_are_grey():
    colours = np.zeros((400, 8, 8, 3), np.uint8)
    colours[..., 0], colours[..., 1] = 200, 60
    key = Key(np.int64(0), np.int64(0), np.arange(400), np.arange(400))
    x, _ = Exemplar(copies=2).views(colours, key)
    grey = (x[..., 0] == x[..., 1]).all(axis=(1, 2))
    assert abs(grey.mean() - 0.66) < 4 * np.sqrt(0.66 * 0.34 / 800)
    # Each copy is drawn by itself.
    assert 0 < np.mean(grey[::2] != grey[1::2]) < 1


def test_the_loss_sees_copies_and_images():
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(12, 4)).astype(np.float32), np.repeat([4, 1, 7, 2], 3)
    expected = np.asarray(semi_hard_triplet(z, labels, 3, 0.5))
    loss = SemiHardTriplet(3, 0.5, reduction="none")
    np.testing.assert_allclose(loss(labels, z), expected, rtol=1e-5, atol=1e-6)
    inside = loss(labels.reshape(4, 3), z.reshape(4, 3, 4))
    np.testing.assert_allclose(inside, expected.reshape(4, 3), rtol=1e-5, atol=1e-6)
    assert SemiHardTriplet.from_config(loss.get_config()).margin == 0.5


def test_accuracy_by_hand():
    degrees = np.array([0, 10, 5, 100, 110, 200])
    z = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], 1).astype(np.float32)
    metric = NearestCopyAccuracy(name="accuracy")
    metric.update_state([0, 0, 2, 3, 3, 2], z)
    # 0 and 10 are nearer to 5, of another image, than to each other; 5 and 200 are far apart.
    assert float(metric.result()) == pytest.approx(2 / 6)
    metric.reset_state()
    metric.update_state([0, 0, 1, 1], np.ones((4, 2)))
    assert float(metric.result()) == 0  # a collapse


def test_chance_is_that_of_random_embeddings():
    task, copies, count = Exemplar(**SMALL), 3, 20
    metric = task.metrics()[0]
    rng = np.random.default_rng(0)
    for _ in range(60):
        metric.update_state(
            np.repeat(np.arange(count), copies), rng.normal(size=(count * copies, 8))
        )
    expected = task.chance(count)
    assert expected == 2 / 59
    assert abs(float(metric.result()) - expected) < 4 * np.sqrt(expected / 3600)


def test_classes_are_the_training_images(images):
    task = Exemplar(kind="classes", copies=2)
    assert task.chance(64) is None
    model = task.build_model(three_taps(), 24)
    assert model.output_shape == (None, 24)
    assert task.chance(64) == 1 / 24
    assert (task.validates, task.spans_batch, task.joint_embedding) == (False, False, False)
    assert task.network(model).output_shape == (None, 2, 2, 8)
    with pytest.raises(UserError, match="images must be the number of training images, got None"):
        task.build_model(three_taps())
    with pytest.raises(UserError, match=r"at most 100,000 training images.*100,001; set data\.tra"):
        task.build_model(three_taps(), 100_001)
    assert Exemplar(**SMALL).build_model(three_taps(), 100_001).output_shape == (None, 8)


def test_classes_learn_to_tell_copies(eagerly):
    part = data.load("digits", image_size=16).train.draw(16)
    task = Exemplar(kind="classes", copies=4, crop_scale=(0.5, 1.0))
    keras.utils.set_random_seed(0)
    model = task.build_model(three_taps(), len(part))
    model.compile(keras.optimizers.Adam(0.02), task.loss(), metrics=task.metrics())
    batches = data.pipeline(part, task, images_per_batch=16)
    history = model.fit(
        batches.dataset, steps_per_epoch=batches.steps_per_epoch, epochs=40, verbose=0
    ).history
    assert max(history["accuracy"]) > 4 * task.chance(16)


@pytest.mark.parametrize(("name", "value"), [("margin", 0.0), ("embedding_units", 7)])
def test_settings_of_triplets_are_refused_for_classes(name, value):
    with pytest.raises(UserError, match=f"{name} must be None with kind classes, got {value}"):
        Exemplar(kind="classes", **{name: value})


def test_settings_that_are_not_given_are_the_published_ones():
    task = Exemplar()
    assert task.criterion().margin == 0.5
    assert Exemplar(margin=0.0).criterion().margin == 0.0
    assert task.build_model(three_taps()).output_shape == (None, 1000)
    assert Exemplar.from_config(task.get_config()).get_config() == task.get_config()


def test_triplets_need_two_images_and_have_no_labels_to_smooth():
    task = Exemplar()
    assert (task.least_images_per_batch, task.views_per_image()) == (2, 8)
    assert task.spans_batch
    with pytest.raises(UserError, match="label_smoothing must be 0 for Exemplar"):
        task.loss(0.1)
    with pytest.raises(UserError, match="copies must be at least 2, got 1"):
        Exemplar(copies=1)
