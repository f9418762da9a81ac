import pytest

from rotkeras import UserError
from rotkeras.probes.settings import FAST, PUBLISHED, settings_for
from rotkeras.probes.train import _sgd


def rates(settings, steps_per_epoch=10):
    """The learning rate in the middle of every epoch."""
    schedule = _sgd(settings, steps_per_epoch)._learning_rate
    return [
        round(float(schedule(epoch * steps_per_epoch + 5)), 6) for epoch in range(settings.epochs)
    ]


@pytest.mark.parametrize(
    ("probe", "table"),
    [
        ("nonlinear", {20: 0.1, 40: 0.02, 45: 0.004, 50: 0.0008}),
        ("conv", {35: 0.1, 70: 0.02, 85: 0.004, 100: 0.0008}),
        ("linear", {5: 0.01, 15: 0.002, 25: 0.0004, 35: 0.00008}),
        ("supervised", {60: 0.1, 120: 0.02, 160: 0.004, 200: 0.0008}),
    ],
)
def test_published_schedules_epoch_by_epoch(probe, table):
    expected = [
        next(rate for until, rate in table.items() if epoch < until) for epoch in range(max(table))
    ]
    assert rates(PUBLISHED[probe]) == expected
    assert PUBLISHED[probe].augment_frozen
    assert (
        PUBLISHED[probe].images_per_batch,
        PUBLISHED[probe].weight_decay,
        PUBLISHED[probe].epoch_images,
    ) == (128, 5e-4, 50_000)


def test_the_long_schedule_of_kolesnikov():
    settings = PUBLISHED["global-linear"]
    """0.1 for 256 images, by the size of the batch."""
    rate = 0.1 * 2048 / 256
    expected = [rate] * 480 + [rate / 10] * 20 + [rate / 100] * 20
    assert rates(settings) == pytest.approx(expected)
    assert (settings.images_per_batch, settings.weight_decay) == (2048, 0.0)


def test_the_rate_falls_at_the_first_step_of_the_epoch():
    schedule = _sgd(PUBLISHED["conv"], 10)._learning_rate
    assert [round(float(schedule(step)), 6) for step in (349, 350)] == [0.1, 0.02]


def test_a_scaled_budget_keeps_its_shape_and_says_so():
    tenth = settings_for("published", "conv", scale=(0.1, 0.1))
    assert tenth.at_epochs == (3.5, 7, 8.5)
    assert rates(tenth) == [0.1] * 3 + [0.02] * 4 + [0.004] + [0.0008] * 2
    assert tenth.budget == "published×0.1"
    assert (tenth.images_per_batch, tenth.epoch_images) == (128, 5000)
    assert settings_for("published", "conv", scale=(0.0001, 0.0001)).epochs == 5
    assert settings_for("published", "conv", scale=(0.02, 0.02)).images_per_batch == 31
    uneven = settings_for("published", "conv", scale=(1.0, 0.02))
    assert (uneven.epochs, uneven.epoch_images, uneven.budget) == (100, 1000, "published×1×0.02")


def test_few_labels_are_augmented_in_the_fast_budget_and_as_published_in_the_other():
    assert not settings_for("fast", "conv").augment_frozen
    assert settings_for("fast", "conv", few_labels=True).augment_frozen
    assert settings_for("published", "conv", few_labels=True) == PUBLISHED["conv"]
    assert settings_for("fast", "conv", supervised=True, few_labels=True) == FAST["supervised"]


def test_names():
    assert settings_for("fast", "conv") is FAST["conv"]
    assert settings_for("published", "conv", supervised=True).epochs == 200
    assert settings_for(FAST["linear"], "conv") is FAST["linear"]
    with pytest.raises(UserError, match="budget must be fast or published, got 'publshed';"):
        settings_for("publshed", "conv")
