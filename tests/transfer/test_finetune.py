"""Fine-tuning: what is frozen, what is repeated, what is kept, and that it learns."""

import keras
import numpy as np
import pytest
from small_transfer import strided

from rotkeras.backbones import taps
from rotkeras.data import load
from rotkeras.errors import UserError
from rotkeras.recipe.files import validate_kind
from rotkeras.training.callbacks import MetricsLog
from rotkeras.transfer.base import Labelled
from rotkeras.transfer.classify.goal import Classify, crossentropy, multi_label_crossentropy
from rotkeras.transfer.classify.read import ClassifiedImages
from rotkeras.transfer.encoder import Encoder
from rotkeras.transfer.finetune import build_optimizer, fine_tune, phases, set_frozen
from rotkeras.transfer.run import with_best_tap
from rotkeras.transfer.segment.loss import loss as segment_loss
from rotkeras.transfer.settings import FineTuning

FROZEN = ("conv", "norm")


@pytest.fixture(scope="module")
def encoder():
    return Encoder(strided(32), "encoder.keras", "drawn")


@pytest.fixture(scope="module")
def digits():
    """Real digits in three parts of one source."""
    source = load("digits", image_size=32, validation_fraction=0.2)
    images = source.train

    def part(begin, end):
        rows = np.arange(begin, end)
        return ClassifiedImages(images.part(rows), images.labels[rows])

    parts = (part(0, 320), part(320, 420), part(420, 620))
    return Labelled("digits", *parts, tuple("0123456789"))


def settings(**train):
    train = {"epochs": 2, "images_per_batch": 32, "learning_rate": 0.01, **train}
    train.setdefault("schedule", {"name": "constant"})
    return validate_kind(FineTuning, {"train": train, "augmentation": None}, "test")


def tuned(given, labelled, callbacks=(), **train):
    recipe = settings(**train)
    return fine_tune(recipe, Classify(recipe.task), given, labelled, callbacks=callbacks)


def few(digits):
    return digits.with_train(digits.train.part(np.arange(64)))


def weights(network):
    """Path -> array of the encoder's layers, batch statistics among them."""
    return {
        each.path: np.array(each)
        for layer in network.layers
        if layer.name.startswith(FROZEN)
        for each in layer.weights
    }


class Watch(keras.callbacks.Callback):
    """The encoder's weights, the epoch and the logs at each epoch's end."""

    def __init__(self):
        super().__init__()
        self.epochs, self.weights, self.logs = [], [], []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.weights.append(weights(self.model))
        self.logs.append(dict(logs))


def same(one, other):
    return {path for path in one if np.array_equal(one[path], other[path])}


def test_full_learns_and_leaves_the_given_encoder_alone(encoder, digits):
    before = encoder.network.get_weights()
    watch = Watch()
    made = tuned(encoder, digits, [watch], epochs=6)
    assert made.result.score > 0.6  # chance is a tenth
    assert made.validation == max(each["val_accuracy"] for each in watch.logs)
    assert watch.logs[made.epoch - 1]["val_accuracy"] == made.validation
    assert (made.epochs, made.result.images) == (6, 200)
    for one, other in zip(before, encoder.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not same(watch.weights[-1], weights(encoder.network))
    # The kept network has the weights of the best epoch, and is measured with them.
    assert len(same(weights(made.network), watch.weights[made.epoch - 1])) == len(watch.weights[0])
    found = made.network.predict_on_batch(digits.test.images.take(slice(None))).argmax(axis=1)
    assert made.result.score == pytest.approx((found == digits.test.labels).mean())


@pytest.mark.usefixtures("eagerly")
class TestFrozen:
    def test_frozen_leaves_weights_and_statistics_bit_equal(self, encoder, digits):
        made = tuned(encoder, few(digits), encoder="frozen", epochs=1)
        given, found = weights(encoder.network), weights(made.network)
        assert same(given, found) == set(given)
        assert any("moving_variance" in path for path in given)
        assert len(made.network.trainable_variables) > 4  # nothing stays frozen in what is kept

    def test_frozen_then_full_changes_them_in_the_second_phase(self, encoder, digits):
        watch, said = Watch(), []
        recipe = settings(encoder="frozen_then_full", frozen_epochs=1, epochs=3)
        goal = Classify(recipe.task)
        fine_tune(recipe, goal, encoder, few(digits), callbacks=[watch], tell=said.append)
        given = weights(encoder.network)
        assert watch.epochs == [0, 1, 2]
        assert same(given, watch.weights[0]) == set(given)
        assert not same(given, watch.weights[1])
        assert said == ["epochs 1 to 1: the head alone", "epochs 2 to 3: all weights"]

    def test_the_same_seed_gives_the_same_bits(self, encoder, digits):
        first, again, other = (
            tuned(encoder, few(digits), epochs=1, seed=seed).network.get_weights()
            for seed in (5, 5, 6)
        )
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(first[:3], other[:3], strict=True))

    def test_it_stops_when_validation_gets_no_better(self, encoder, digits):
        # Steps of no size: every epoch is as good as the first, but for the batch statistics.
        watch = Watch()
        labelled = Labelled(
            "x", few(digits).train, *[digits.test.part(np.zeros(1, int))] * 2, digits.class_names
        )
        made = tuned(
            encoder, labelled, [watch], epochs=9, patience=1, learning_rate=1e-12, encoder="frozen"
        )
        assert made.epochs == len(watch.epochs) < 9
        assert made.epoch == made.epochs - 1

    def test_a_stop_in_the_first_phase_ends_that_phase_alone(self, encoder, digits):
        watch = Watch()
        labelled = Labelled(
            "x", few(digits).train, *[digits.test.part(np.zeros(1, int))] * 2, digits.class_names
        )
        tuned(
            encoder,
            labelled,
            [watch],
            epochs=5,
            patience=1,
            learning_rate=1e-12,
            encoder="frozen_then_full",
            frozen_epochs=4,
        )
        assert watch.epochs == list(range(len(watch.epochs)))  # epochs go on without a gap
        given = weights(encoder.network)
        moved = [same(given, each) != set(given) for each in watch.weights]
        assert 1 <= moved.index(True) < 4

    @pytest.mark.parametrize("decay", [1.0, 0.9])
    def test_a_loss_that_is_not_finite_is_a_sentence(self, decay, encoder, digits):
        optimizer = {"name": "sgd", "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
        wild = {"learning_rate": 1e30, "learning_rate_decay": decay, "optimizer": optimizer}
        with pytest.raises(UserError, match="at learning rate 1e") as error:
            tuned(encoder, few(digits), epochs=3, **wild)
        assert "\n" not in str(error.value)

    def test_with_rates_of_stages_the_highest_is_logged(self, encoder, digits, tmp_path):
        log = MetricsLog(tmp_path / "metrics.jsonl")
        tuned(encoder, few(digits), [log], epochs=1, learning_rate_decay=0.5)
        (row,) = log.rows
        assert row["learning_rate"] == pytest.approx(0.01)


def test_a_frozen_classifier_reads_the_tap_that_its_run_found_best(encoder):
    known = Encoder(encoder.network, "run", "pre-trained", "stage2", 5.0)
    cut = with_best_tap(settings(encoder="frozen"), known)
    assert taps.names(cut.network) == ["stage1", "stage2"]
    assert (cut.name, cut.words, cut.seconds) == ("run", "pre-trained", 5.0)
    assert with_best_tap(settings(), known) is known
    assert with_best_tap(settings(encoder="frozen"), encoder) is encoder
    named = validate_kind(
        FineTuning,
        {"train": {"encoder": "frozen"}, "task": {"name": "classify", "tap": "stage3"}},
        "x",
    )
    assert with_best_tap(named, known) is known


def test_phases():
    assert phases(settings().train) == [(False, 2)]
    assert phases(settings(encoder="frozen", epochs=7).train) == [(True, 7)]
    both = settings(encoder="frozen_then_full", epochs=7, frozen_epochs=3).train
    assert phases(both) == [(True, 3), (False, 7)]


def test_frozen_needs_a_head_to_train():
    model = strided(32)
    with pytest.raises(UserError, match="Nothing is left to train .* set train.encoder: full"):
        set_frozen(model, [], True)


def test_the_optimizer_is_that_of_the_recipe():
    model = strided(32)
    names = taps.names(model)
    schedule = {"name": "steps", "factor": 0.5, "at_epochs": [2]}
    made = build_optimizer(settings(schedule=schedule, epochs=4).train, (0, 4), 10, model, names)
    assert isinstance(made, keras.optimizers.Optimizer)
    assert (made.weight_decay, made.global_clipnorm) == (0.05, None)
    rates = [float(made._learning_rate(step)) for step in (0, 19, 20, 39)]
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005])


@pytest.mark.parametrize(("done", "rates"), [(1, (0.01, 0.005, 0.005)), (3, (0.005,))])
def test_steps_count_epochs_over_both_phases(done, rates):
    model = strided(32)
    names = taps.names(model)
    schedule = {"name": "steps", "factor": 0.5, "at_epochs": [2]}
    train = settings(schedule=schedule, epochs=4).train
    made = build_optimizer(train, (done, 4), 10, model, names, 10.0)
    assert made.global_clipnorm == 10.0
    found = (
        [float(made._learning_rate(step)) for step in range(0, 10 * (4 - done), 10)]
        if (callable(made._learning_rate))
        else [float(made.learning_rate)]
    )
    assert found == pytest.approx(rates)


def test_rates_fall_for_taps_that_the_head_reads():
    """A light segmenter leaves the last stage out, a classifier may read an earlier tap."""
    from rotkeras.transfer import classifier

    network = strided(64)
    last = taps.names(network)[-1]
    early = taps.names(network)[-2]
    model = classifier(network, 2, tap=early)
    there = [each for each in taps.names(network) if each in {e.name for e in model.layers}]
    assert last not in there
    made = build_optimizer(settings(learning_rate_decay=0.5).train, (0, 2), 10, model, there)
    made.build(model.trainable_variables)
    assert len(made.optimizers) == len(there)


def test_weighted_losses_against_numpy():
    random = np.random.default_rng(0)
    table = np.array([0.5, 2.0, 1.0], np.float32)
    chances = random.dirichlet(np.ones(3), 6).astype(np.float32)
    labels = np.array([0, 1, 2, 1, 0, 0])
    own = -np.log(chances[np.arange(6), labels])
    assert float(crossentropy(table)(labels, chances)) == pytest.approx(
        (own * table[labels]).sum() / table[labels].sum(), rel=1e-5
    )
    assert float(crossentropy(None)(labels, chances)) == pytest.approx(own.mean(), rel=1e-5)

    several = np.array([[1, -1, 0], [0, 0, 1], [-1, 1, 1]])
    chances = random.uniform(0.05, 0.95, (3, 3)).astype(np.float32)
    losses = np.where(several == 1, -np.log(chances), -np.log(1 - chances))
    counts = np.where(several == 1, table, 1.0) * (several != 0)
    for weights_, count in ((table, counts), (None, (several != 0) * 1.0)):
        assert float(multi_label_crossentropy(weights_)(several, chances)) == pytest.approx(
            (losses * count).sum() / count.sum(), rel=1e-5
        )
    none = multi_label_crossentropy(None)(np.zeros((2, 3)), chances[:2])
    assert float(none) == 0.0

    masks = np.array([[[0, 1], [255, 2]]])
    pixels = random.dirichlet(np.ones(3), (1, 2, 2)).astype(np.float32)
    counted = [(0, 0, 0), (0, 1, 1), (1, 1, 2)]
    own = np.array([-np.log(pixels[0, row, column, name]) for row, column, name in counted])
    of_pixel = table[[0, 1, 2]]
    assert float(segment_loss(table.tolist())(masks, pixels)) == pytest.approx(
        (own * of_pixel).sum() / of_pixel.sum(), rel=1e-5
    )
