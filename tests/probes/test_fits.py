import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError, data
from rotkeras.backbones import nin, taps
from rotkeras.data.augmentation import pad_crop_flip
from rotkeras.probes import PooledFeatures, Settings, fit, heads, knn, logistic, ridge

QUICK = Settings("test", 2, (1,), epoch_images=64, augment_frozen=False)
AUGMENTED = Settings("test", 2, (1,), epoch_images=64)


@pytest.fixture(scope="module")
def source():
    return data.load(
        "digits", image_size=16, validation_fraction=0.2, train_images=128, split="random"
    )


@pytest.fixture
def backbone():
    """A network that has seen data, so that its batch statistics are not the initial ones."""
    keras.utils.set_random_seed(0)
    network = three_taps()
    network(
        np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), dtype=np.uint8), training=True
    )
    return network


def bits(model):
    return [np.array(w).tobytes() for w in model.get_weights()]


@pytest.mark.parametrize(
    "probe",
    ["ridge", "knn-3", "global-logistic", "linear", "nonlinear", "conv", "global-linear"],
)
def test_a_frozen_backbone_keeps_every_bit(source, backbone, probe):
    before = bits(backbone)
    trainable = [layer.trainable for layer in backbone.layers]
    steps = [pad_crop_flip(1, flip=False)]
    wanted = ["conv1", "conv3"] if probe in ("ridge", "conv") else ["conv2"]
    fitted = fit(
        backbone,
        probe,
        source.train,
        source.validation,
        taps=wanted,
        budget=AUGMENTED,
        augmentation=steps,
    )
    assert bits(backbone) == before
    assert [layer.trainable for layer in backbone.layers] == trainable
    assert list(fitted.accuracy(source.validation)) == wanted
    if (
        fitted.model is not None
    ):  # and so does the copy inside the classifier, batch-norm statistics too
        inside = {layer.name: layer for layer in fitted.model.layers}
        shared = [layer for layer in backbone.layers if layer.name in inside and layer.weights]
        assert len(shared) >= 4
        for layer in shared:
            assert bits(layer) == bits(inside[layer.name]), layer.name


def test_kept_features_and_features_computed_anew_and_other_taps_beside_train_alike(
    source, backbone, monkeypatch, eagerly
):
    kept = fit(backbone, "conv", source.train, budget=QUICK, taps=["conv2"])
    together = fit(backbone, "conv", source.train, budget=QUICK, taps=["conv3", "conv2"])
    monkeypatch.setattr("rotkeras.probes.train._KEEP_SHARE", 0.0)
    anew = fit(backbone, "conv", source.train, budget=QUICK, taps=["conv2"])
    expected = kept.scores(source.validation)["conv2"]
    for other in (together, anew):
        np.testing.assert_allclose(
            other.scores(source.validation)["conv2"], expected, rtol=1e-3, atol=1e-4
        )


def test_the_first_step_of_a_linear_probe_by_hand(source, backbone, eagerly):
    """One step of Nesterov SGD with weight decay on the whole batch, in NumPy."""
    settings = Settings(
        "test", 1, (), learning_rate=0.1, augment_frozen=False, epoch_images=128, weight_decay=0.5
    )
    fitted = fit(backbone, "linear", source.train, budget=settings, taps=["conv2"], seed=5)
    maps = np.asarray(
        taps.maps(backbone, ["conv2"])(source.train.take(slice(None)))["conv2"], np.float64
    )
    side = fitted.model.get_layer("conv2_linear_pool").output.shape[1]
    x = maps.reshape(128, side, 4 // side, side, 4 // side, -1).max(axis=(2, 4)).reshape(128, -1)
    x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)
    start = heads.linear(heads.Site(maps.shape[1:], 10, seed=5))[-1]
    start.build(x.shape)
    weight, bias = (np.asarray(w, np.float64) for w in start.get_weights())
    scores = x @ weight + bias
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    error = (chances - np.eye(10)[source.train.labels]) / 128
    for before, after, gradient in zip(
        (weight, bias),
        fitted.model.get_layer("conv2_linear_scores").get_weights(),
        (x.T @ error + 0.5 * weight, error.sum(axis=0) + 0.5 * bias),
        strict=True,
    ):
        # velocity v = −rate·g; Nesterov's step is momentum·v − rate·g = −1.9·rate·g
        np.testing.assert_allclose(after, before - 1.9 * 0.1 * gradient, rtol=2e-3, atol=2e-5)


def test_the_epoch_kept_is_the_best_on_validation_for_each_tap(source, backbone, eagerly):
    maps = taps.maps(backbone, ["conv1", "conv2"]).predict(
        source.validation.take(slice(None)), verbose=0
    )
    seen = []

    class Judge(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            scores = np.asarray(self.model(maps))  # (N, taps, classes)
            seen.append((scores.argmax(axis=2) == source.validation.labels[:, None]).mean(axis=0))

    settings = Settings("test", 5, (), learning_rate=1.0, augment_frozen=False, epoch_images=64)
    wanted = ["conv1", "conv2"]
    fitted = fit(
        backbone,
        "nonlinear",
        source.train,
        source.validation,
        budget=settings,
        taps=wanted,
        callbacks=[Judge()],
    )
    assert fitted.epochs == dict(zip(wanted, (np.argmax(seen, axis=0) + 1).tolist(), strict=True))
    assert fitted.accuracy(source.validation) == pytest.approx(
        dict(zip(wanted, np.max(seen, axis=0), strict=True)), abs=1e-6
    )
    assert set(fitted.epochs.values()) != {
        5
    }  # the last would be no choice; at this learning rate accuracy jumps


def test_a_backbone_that_trains_is_a_copy(source, backbone, eagerly):
    before = bits(backbone)
    fitted = fit(backbone, "conv", source.train, budget=QUICK, taps=["conv2"], trainable=True)
    assert bits(backbone) == before
    assert "block3_conv" not in {layer.name for layer in fitted.model.layers}  # cut at the tap
    for name in ("block1_conv", "block2_norm"):
        assert bits(fitted.model.get_layer(name)) != bits(backbone.get_layer(name))
    with pytest.raises(
        UserError,
        match=r"A backbone that trains is probed at one tap; name one of conv1, conv2, conv3\.",
    ):
        fit(backbone, "conv", source.train, budget=QUICK, trainable=True)
    with pytest.raises(UserError, match="cannot train a backbone"):
        fit(backbone, "ridge", source.train, taps=["conv2"], trainable=True)


def test_the_supervised_network_has_the_published_three_blocks():
    backbone = nin(blocks=4)
    tap = backbone.get_layer("conv2").output
    network = keras.Model(
        backbone.input, heads.apply(heads.conv(heads.Site(tap.shape[1:], 10)), tap)
    )
    by_hand = (
        (75 * 192 + 192 * 160 + 160 * 96)
        + (25 * 96 * 192 + 2 * 192 * 192)
        + (9 * 192 * 192 + 2 * 192 * 192)
        + 2 * (192 + 160 + 96 + 6 * 192)
        + (192 * 10 + 10)
    )
    assert sum(int(np.prod(w.shape)) for w in network.trainable_weights) == by_hand


@pytest.mark.parametrize("probe", ["ridge", "logistic", "knn-7"])
def test_closed_forms_are_those_on_the_pooled_features(source, backbone, probe):
    fitted = fit(backbone, probe, source.train)
    extractor = taps.extractor(backbone)
    x, x_validation = (
        extractor.predict(part.take(slice(None)), verbose=0)
        for part in (source.train, source.validation)
    )
    by_name = {"ridge": ridge, "logistic": logistic, "knn-7": lambda f, y: knn(f, y, 7)}[probe]
    for tap, predicted in fitted.predict(source.validation).items():
        expected = by_name(x[tap], source.train.labels).predict(x_validation[tap])
        assert np.mean(predicted == expected) > 0.995
    if fitted.model:  # the same as stock layers on images
        for tap, scores in fitted.model.predict(
            source.validation.take(slice(None)), verbose=0
        ).items():
            np.testing.assert_allclose(
                scores, fitted.scores(source.validation)[tap], rtol=1e-3, atol=2e-4
            )


def test_logistic_regression_on_global_averages_is_scikit_learns(source, backbone):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = fit(backbone, "global-logistic", source.train, taps=["conv2"])
    model = keras.Model(backbone.input, backbone.get_layer("conv2").output)
    x, x_validation = (
        model.predict(part.take(slice(None)), verbose=0).mean(axis=(1, 2))
        for part in (source.train, source.validation)
    )
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=1000 / len(x), max_iter=1000))
    theirs.fit(x, source.train.labels)
    predicted = fitted.predict(source.validation)["conv2"]
    assert np.mean(predicted == theirs.predict(x_validation)) > 0.98
    scores = fitted.model.predict(source.validation.take(slice(None)), verbose=0)["conv2"]
    np.testing.assert_array_equal(fitted.classes[scores.argmax(axis=1)], predicted)
    shared = PooledFeatures(backbone)  # a grid of each map: not what this probe reads
    again = fit(backbone, "global-logistic", source.train, taps=["conv2"], pooled=shared)
    np.testing.assert_array_equal(again.predict(source.validation)["conv2"], predicted)


def test_its_twin_by_sgd_comes_near_it(source, backbone):
    exact = fit(backbone, "global-logistic", source.train, taps=["conv3"])
    trained = fit(
        backbone,
        "global-linear",
        source.train,
        taps=["conv3"],
        budget=Settings("test", 30, (24, 27), epoch_images=4096, augment_frozen=False),
    )
    kinds = [type(layer).__name__ for layer in trained.model.layers[-3:]]
    assert kinds == ["GlobalAveragePooling2D", "BatchNormalization", "Dense"]
    found, expected = (each.accuracy(source.train)["conv3"] for each in (trained, exact))
    assert found > expected - 0.1
    assert found > 0.3


def test_no_two_kernels_of_backbone_and_head_are_drawn_alike(small_backbone):
    network = taps.untrained_copy(small_backbone, 0)
    head = heads.conv(heads.Site((8, 8, 8), 10, seed=0, filters=8))
    x = keras.Input((8, 8, 8))
    heads.apply(head, x)
    kernels = [layer.kernel for layer in [*network.layers, *head] if hasattr(layer, "kernel")]
    draws = [np.array(kernel).ravel()[:64] for kernel in kernels if np.prod(kernel.shape) >= 64]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert len(draws) >= 10
    assert np.abs(correlation).max() < 0.6
    again = taps.untrained_copy(small_backbone, 0)
    assert bits(again) == bits(network)


def test_kept_features_are_let_go_after_the_fit(source, backbone):
    import gc
    import weakref

    from rotkeras.data.pipelines import feature_pipeline

    features = {"a": np.zeros((64, 4), np.float32)}
    gone = weakref.ref(features["a"])
    batches = feature_pipeline(features, np.zeros(64, np.int64), images_per_batch=8)
    next(iter(batches.dataset.take(1)))
    del features
    assert gone() is not None
    del batches
    gc.collect()
    assert gone() is None


def test_pooled_features_are_computed_once(source, backbone, monkeypatch):
    pooled = PooledFeatures(backbone)
    first = pooled(source.train)
    monkeypatch.setattr("rotkeras.probes.features.extract", lambda *_: pytest.fail("again"))
    assert pooled(source.train) is first
    assert fit(backbone, "ridge", source.train, pooled=pooled).probe == "ridge"


def test_few_images_of_two_labels_that_are_not_0_and_1(source, backbone, eagerly):
    part = source.train.part(np.flatnonzero(np.isin(source.train.labels, (3, 8)))).per_class(5)
    steps = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    for probe in ("ridge", "knn-3", "conv"):
        fitted = fit(
            backbone,
            probe,
            part,
            source.validation,
            budget=QUICK,
            taps=["conv1"],
            callbacks=[watch],
        )
        assert set(fitted.predict(source.validation)["conv1"]) <= {3, 8}
        if probe != "conv":
            assert fitted.accuracy(part)["conv1"] > 0.8
    assert steps == [0, 0]  # 10 images six times: an epoch is one batch of 60


def test_every_mistake_is_one_sentence(source, backbone, eagerly):
    with pytest.raises(UserError, match="got 'lineer'; did you mean 'linear'"):
        fit(backbone, "lineer", source.train)
    for name in ("knn", "knn-0", "knn-x"):
        with pytest.raises(UserError, match="probe must be ridge, logistic"):
            fit(backbone, name, source.train)
    with pytest.raises(UserError, match="must be one of 'conv1', 'conv2', 'conv3', got 'conv4'"):
        fit(backbone, "ridge", source.train, taps=["conv4"])
    with pytest.raises(UserError, match="needs labels"):
        fit(backbone, "ridge", data.load(source.train.take(slice(None))).train)
    with pytest.raises(UserError, match="at least two classes"):
        fit(backbone, "conv", source.train.part(np.flatnonzero(source.train.labels == 1)))
    with pytest.raises(
        UserError,
        match=r"The network takes images of 16×16, got 8×8; load them with image_size=16\.",
    ):
        fit(backbone, "ridge", data.load("digits", image_size=8).train)
    unlabelled = data.load(source.validation.take(slice(None)), validation_fraction=0).train
    with pytest.raises(UserError, match="Validation chooses the epoch by its labels"):
        fit(backbone, "conv", source.train, unlabelled)
    with pytest.raises(UserError, match="An accuracy needs labels"):
        fit(backbone, "ridge", source.train).accuracy(unlabelled)
    bad = Settings(
        "test",
        1,
        (),
        learning_rate=1e30,
        augment_frozen=False,
        epoch_images=512,
        images_per_batch=16,
    )
    with pytest.raises(UserError, match="loss became (nan|inf)"):
        fit(backbone, "conv", source.train, budget=bad, taps=["conv2"])
