import keras
import numpy as np
import pytest

from rotkeras import UserError, data
from rotkeras.backbones import taps
from rotkeras.data.source import Images, Source
from rotkeras.pretext import InStep, Rotation
from rotkeras.probes import Settings, knn, ridge
from rotkeras.probes import fit as fit_probe
from rotkeras.training.callbacks import ProbeAccuracy


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
def test_numbers_are_those_of_the_probes_on_the_final_features(digit_source, quick_backbone, task):
    model = task.build_model(quick_backbone)
    probe = ProbeAccuracy(digit_source, train_images=200, probes=("ridge", "knn-5"))
    history = fit(model, task, digit_source, [probe]).history
    extractor = taps.extractor(quick_backbone)
    x, x_validation = (
        extractor.predict(part.take(slice(None)), verbose=0)
        for part in (probe.train, digit_source.validation)
    )
    y, y_validation = probe.train.labels, digit_source.validation.labels
    for tap in ("conv1", "conv2", "conv3"):
        assert history[f"probe/{tap}/ridge"] == [
            ridge(x[tap], y).accuracy(x_validation[tap], y_validation)
        ]
        assert history[f"probe/{tap}/knn-5"] == [
            knn(x[tap], y, 5).accuracy(x_validation[tap], y_validation)
        ]
    assert history["probe/seconds"][0] > 0
    assert probe.untrained.keys() == probe.results[1].keys()


def test_a_trained_probe_is_that_of_fit_without_a_choice_of_epoch(digit_source):
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    network = keras.Model(
        inputs, keras.layers.Identity(name="pixels")(keras.layers.Rescaling(1 / 255)(inputs))
    )
    settings = Settings("test", 2, (1,), epoch_images=64)
    probe = ProbeAccuracy(
        digit_source, train_images=128, probes=("linear",), budget=settings, seed=3
    )
    expected = fit_probe(network, "linear", probe.train, budget=settings, seed=3).accuracy(
        digit_source.validation
    )
    assert probe.probe(network) == {"pixels": {"linear": expected["pixels"]}}
    with pytest.raises(UserError, match="got 'cnov'; did you mean 'conv'"):
        ProbeAccuracy(digit_source, probes=("cnov",))


def test_it_probes_every_so_many_epochs_and_after_the_last(digit_source, quick_backbone, eagerly):
    task = Rotation()
    probe = ProbeAccuracy(digit_source, every_epochs=2, train_images=50)
    fit(task.build_model(quick_backbone), task, digit_source, [probe], epochs=5)
    assert list(probe.results) == [2, 4, 5]
    probe = ProbeAccuracy(digit_source, every_epochs=0, train_images=50)
    fit(task.build_model(quick_backbone), task, digit_source, [probe], epochs=3)
    assert list(probe.results) == [3]


def test_probing_changes_no_weight(digit_source, small_backbone):
    model = Rotation().build_model(small_backbone)
    probe = ProbeAccuracy(digit_source, train_images=50)
    probe.set_model(model)
    before = [np.array(w) for w in model.get_weights()]
    probe.on_train_begin()
    probe.on_epoch_end(0, {})
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_perfect_feature_is_told_apart_from_noise():
    """The label painted into the picture: a linear probe of pooled features reads it, so accuracy
    must be 1."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    images = (labels[:, None, None, None] * 200 + rng.integers(0, 20, (200, 8, 8, 3))).astype(
        np.uint8
    )
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    features = keras.layers.Identity(name="seen")(keras.layers.Rescaling(1 / 255)(inputs))
    blind = keras.layers.Identity(name="blind")(keras.layers.Rescaling(0.0)(features))
    model = keras.Model(inputs, blind)
    probe = ProbeAccuracy(data.load((images, labels), validation_fraction=0.5))
    result = probe.probe(model)
    assert result["seen"] == {"ridge": 1.0, "knn-20": 1.0}
    assert 0.3 < result["blind"]["ridge"] < 0.7


def test_what_cannot_be_probed_is_refused_at_once(digit_source):
    images = np.zeros((10, 8, 8, 3), np.uint8)
    with pytest.raises(UserError, match="needs labels"):
        ProbeAccuracy(data.load(images))
    with pytest.raises(UserError, match="two classes"):
        ProbeAccuracy(data.load((images, np.zeros(10, int))))
    with pytest.raises(UserError, match="validation"):
        ProbeAccuracy(data.load((images, np.arange(10) % 2), validation_fraction=0))


def test_validation_images_of_classes_without_training_images_are_left_out(quick_backbone):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    train = Images.of(pixels[:20], np.arange(20) % 2, ("a", "b", "c", "d"))
    validation = Images.of(pixels[20:], np.arange(20) % 4, ("a", "b", "c", "d"))
    probe = ProbeAccuracy(Source("noise", train, validation), probes=("ridge",))
    assert probe.notes == [
        "class 'c' and 1 more have no training image: their 10 validation images are left out of"
        " the probes"
    ]
    result = probe.probe(quick_backbone)
    assert len(probe.validation) == 10
    for tap, each in probe.correct.items():
        assert each["ridge"].shape == (10,)
        assert result[tap]["ridge"] == each["ridge"].mean()
    only = Images.of(pixels[20:], np.full(20, 2), ("a", "b", "c"))
    with pytest.raises(UserError, match="share fewer than two classes"):
        ProbeAccuracy(Source("noise", train, only))


def test_the_drawn_training_images_have_all_classes():
    labels = np.repeat([0, 1, 2], [300, 5, 5])
    source = data.load((np.zeros((310, 8, 8, 3), np.uint8), labels), validation_fraction=0.4)
    probe = ProbeAccuracy(source, train_images=20)
    assert np.bincount(probe.train.labels).tolist() == [18, 1, 1]
    assert probe.validation is source.validation
    assert probe.notes == []
