import keras
import numpy as np
import pytest
from PIL import Image

from rotkeras import UserError, data
from rotkeras.backbones import taps
from rotkeras.data.source import Images
from rotkeras.pretext import InStep, Rotation, SimCLR
from rotkeras.quality import MEASURES, alignment, lidar, measure_quality, rankme
from rotkeras.training.callbacks import LabelFreeQuality
from rotkeras.training.callbacks.label_free_quality import standard_views


def fit(model, task, source, callbacks, epochs=1):
    model.compile("sgd", task.loss(), metrics=task.metrics())
    batches = data.pipeline(source.train, task, images_per_batch=16)
    return model.fit(
        batches.dataset,
        steps_per_epoch=2,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


@pytest.mark.parametrize("task", [Rotation(), InStep(Rotation())], ids=["host", "device"])
def test_numbers_are_those_of_the_measures_on_the_final_features(
    digit_source, quick_backbone, task, eagerly
):
    model = task.build_model(quick_backbone)
    quality = LabelFreeQuality(digit_source.validation, count=100, views=4)
    logs = fit(model, task, digit_source, [quality]).history
    assert logs["quality/seconds"][0] > 0
    maps = taps.maps(quick_backbone)
    pixels = quality.images.take(slice(None))
    assert len(pixels) == 100
    plain = maps.predict(pixels, verbose=0)
    viewed = maps.predict(quality._views.take(slice(None)), verbose=0)
    for tap in ("conv1", "conv2", "conv3"):
        images = plain[tap].mean(axis=(1, 2))
        views = viewed[tap].mean(axis=(1, 2)).reshape(25, 4, -1)
        expected = measure_quality(images, views)
        assert logs[f"quality/{tap}/rankme"][0] == pytest.approx(rankme(images), rel=1e-4)
        assert logs[f"quality/{tap}/lidar"][0] == pytest.approx(lidar(views), rel=1e-3)
        assert logs[f"quality/{tap}/alignment"][0] == pytest.approx(alignment(views), rel=1e-3)
        for name in MEASURES:
            assert quality.results[1][tap][name] == pytest.approx(expected[name], rel=1e-3)
    assert quality.untrained.keys() == quality.results[1].keys()
    assert quality.untrained != quality.results[1]


def test_views_are_those_of_simclr_whatever_is_trained(digit_source):
    steps, published = standard_views(), SimCLR().steps()
    assert [type(each) for each in steps] == [type(each) for each in published]
    assert [each.get_config() for each in steps] == [each.get_config() for each in published]


def test_views_depend_on_seed_and_index_alone(digit_source):
    def views(images, **more):
        quality = LabelFreeQuality(images, **more)
        return quality._make_views().reshape(-1, quality.views, 16, 16, 3)

    part = digit_source.validation
    first = views(part, count=40, views=4)
    assert first.shape == (10, 4, 16, 16, 3)
    np.testing.assert_array_equal(first, views(part, count=40, views=4))
    assert (views(part, count=40, views=4, seed=1) != first).any()
    # Of the same images, whichever others are beside them.
    some = LabelFreeQuality(part, count=40).images.draw(10, 0)
    alone = views(Images(part.array, some.rows[:2]), count=2, views=4)
    np.testing.assert_array_equal(alone, first[:2])
    # Four views of an image differ from each other and from the image.
    pixels = some.take(slice(None))
    for image, four in zip(pixels, first, strict=True):
        assert len({each.tobytes() for each in [image, *four]}) == 5


def test_more_images_than_are_augmented_together(digit_source, monkeypatch):
    part = digit_source.validation
    whole = LabelFreeQuality(part, count=40)._make_views()
    monkeypatch.setattr("rotkeras.training.callbacks.label_free_quality._CHUNK", 3)
    np.testing.assert_array_equal(whole, LabelFreeQuality(part, count=40)._make_views())


def test_it_measures_every_so_many_epochs_and_after_the_last(digit_source, quick_backbone, eagerly):
    task = Rotation()
    quality = LabelFreeQuality(digit_source.validation, every_epochs=2, count=16, views=2)
    history = fit(task.build_model(quick_backbone), task, digit_source, [quality], epochs=5).history
    assert list(quality.results) == [2, 4, 5]
    assert len(history["quality/conv1/lidar"]) == 3
    quality = LabelFreeQuality(digit_source.validation, every_epochs=0, count=16, views=2)
    quality.untrained = {"conv1": {"lidar": 1.0}}  # of a run that is resumed
    fit(task.build_model(quick_backbone), task, digit_source, [quality], epochs=3)
    assert list(quality.results) == [3]
    assert quality.untrained == {"conv1": {"lidar": 1.0}}


def test_training_that_stops_early_is_measured_once_more(digit_source, quick_backbone, eagerly):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    task = Rotation()
    quality = LabelFreeQuality(digit_source.validation, every_epochs=5, count=16, views=2)
    fit(task.build_model(quick_backbone), task, digit_source, [quality, Stop()], epochs=9)
    assert list(quality.results) == [1]


def test_measuring_changes_no_weight_and_draws_nothing(digit_source, quick_backbone):
    quality = LabelFreeQuality(digit_source.validation, count=16)
    before = [np.array(each) for each in quick_backbone.get_weights()]
    first = quality.measure(quick_backbone)
    assert quality.measure(quick_backbone) == first
    for weight, kept in zip(quick_backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_photographs_that_stay_encoded_give_the_numbers_of_decoded_ones(tmp_path, quick_backbone):
    random = np.random.default_rng(0)
    for number in range(12):
        shape = (*random.integers(24, 60, 2), 3)
        pixels = random.integers(0, 256, (*random.integers(3, 6, 2), 3), np.uint8)
        Image.fromarray(pixels).resize(shape[1::-1]).save(tmp_path / f"{number:02d}.png")
    found = [
        LabelFreeQuality(data.load(tmp_path, image_size=16, storage=storage).train).measure(
            quick_backbone
        )
        for storage in ("memory", "encoded")
    ]
    assert found[0] == found[1]
    assert found[0]["conv1"]["rankme"] > 1


def test_a_network_that_collapsed_is_measured(digit_source):
    """All images have one embedding: ranks without a spread, and no exponent."""
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    nothing = keras.layers.Rescaling(0.0, offset=0.5)(inputs)
    network = keras.Model(inputs, keras.layers.Identity(name="conv1")(nothing))
    quality = LabelFreeQuality(digit_source.validation, count=16)
    quality.set_model(network)
    quality.set_params({"epochs": 1})
    logs = {}
    quality.on_epoch_end(0, logs)
    assert quality.results[1]["conv1"]["alpha_req"] is None
    assert "quality/conv1/alpha_req" not in logs
    assert logs["quality/conv1/lidar"] == 0.0
    assert logs["quality/conv1/rankme"] == pytest.approx(1.0, abs=1e-4)


def test_one_image_is_refused(digit_source):
    with pytest.raises(UserError, match="images must be at least two, got 1"):
        LabelFreeQuality(digit_source.train.part(np.arange(1)))
    two = LabelFreeQuality(digit_source.train.part(np.arange(2)), views=8)
    assert two._make_views().shape == (16, 16, 16, 3)
