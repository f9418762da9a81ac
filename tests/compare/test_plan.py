import pytest

from rotkeras import UserError, recipe
from rotkeras.compare import Settings
from rotkeras.compare import plan as plans
from rotkeras.compare.budget import Rounds, parse
from rotkeras.compare.entries import Entry, entries_of
from rotkeras.compare.plan import Plan, Speed, planned, scheduled

LARGE = ("train.images_per_batch=256", "train.learning_rate=0.3")


@pytest.fixture
def simclr():
    return entries_of(Settings(tasks=("simclr",), data="digits", overrides=LARGE))[0]


def test_a_budget_in_minutes_becomes_steps_by_the_measured_speed(simclr):
    """2 minutes at 1.5 steps a second are 180 steps: 5 rounds of 36, of 256 images with 2 views."""
    line = planned(simclr, parse("2min"), 5, None, Speed(1.5, 30, 20.0))
    assert line.rounds == Rounds(5, 36)
    assert line.views == 180 * 512
    assert line.recipe.train.images_per_epoch == 36 * 256
    assert line.with_seed(3).train.seed == 3
    assert line.with_seed(3).name == "simclr-seed3"


def test_warm_up_keeps_its_share(simclr):
    """The recipe warms up for 0.6 of 6 epochs: a tenth."""
    line = planned(simclr, parse("51200views"), 4, None, None)
    assert (simclr.recipe.train.schedule.warmup_epochs, simclr.recipe.train.epochs) == (0.6, 6)
    assert line.recipe.train.schedule.warmup_epochs == pytest.approx(0.4)
    assert line.recipe.train.epochs == 4


def test_steps_of_a_schedule_keep_their_share():
    schedule = {"name": "steps", "at_epochs": [60, 120], "warmup_epochs": 5.0}
    made = recipe.validate(
        {"data": {"embedded": "digits"}, "train": {"epochs": 200, "schedule": schedule}}, "test"
    )
    train = scheduled(made, Rounds(5, 7)).train
    assert train.schedule.at_epochs == pytest.approx([1.5, 3.0])
    assert train.schedule.warmup_epochs == pytest.approx(0.125)
    assert train.images_per_epoch == 7 * 128


def frozen_share(line, images):
    """Of all images of a training, the share that SwAV's layer counts before prototypes learn."""
    train, settings = line.recipe.train, line.recipe.task.model_dump()
    passes = settings.get("base_settings", settings)["frozen_epochs"]
    return round(passes * images) / (train.epochs * train.images_per_epoch)


@pytest.mark.parametrize("budget", ["256000views", "2epochs", "10min", "20epochs"])
def test_frozen_prototypes_keep_their_share_of_the_images(budget):
    """The recipe freezes them for half a pass of six: 1/12 of the training, however rounds are."""
    (swav,) = entries_of(Settings(tasks=("swav",), data="digits"))
    assert (swav.recipe.task.frozen_epochs, swav.recipe.train.epochs) == (0.5, 6)
    for rounds in (2, 5):
        line = planned(swav, parse(budget), rounds, 45_000, Speed(1.5, 30, 20.0))
        assert frozen_share(line, 45_000) == pytest.approx(1 / 12, rel=1e-3)


@pytest.mark.parametrize(("settings", "passes"), [({}, 1.0), ({"frozen_epochs": 2}, 2.0)])
def test_frozen_prototypes_of_a_base_task_too(settings, passes):
    """Those of its default as well, which is not written in the recipe."""
    essl = {"name": "essl", "base": "swav", "base_settings": {"prototypes": 16, **settings}}
    made = recipe.validate(
        {"data": {"embedded": "digits"}, "task": essl, "train": {"epochs": 10}}, "test"
    )
    line = planned(Entry("essl", made), parse("20epochs"), 5, 12_800, None)
    assert line.recipe.task.base_settings["prototypes"] == 16
    assert line.recipe.task.base_settings["frozen_epochs"] == pytest.approx(2 * passes)
    assert frozen_share(line, 12_800) == pytest.approx(passes / 10)


def test_epochs_of_another_length_than_a_pass():
    """4 epochs of 3,200 images in which the first 6,400 of 12,800 are frozen: one pass over 6,400
    images is half, and so is half of any other length."""
    made = recipe.validate(
        {
            "data": {"embedded": "digits"},
            "task": {"name": "swav", "prototypes": 16, "frozen_epochs": 1.0},
            "train": {"epochs": 4, "images_per_batch": 64, "images_per_epoch": 3200},
        },
        "test",
    )
    assert not plans.counts_passes(made)
    line = planned(Entry("swav", made), parse("51200views"), 5, None, None)
    assert frozen_share(line, 6400) == pytest.approx(1 / 2)


def test_only_tasks_with_passes_need_the_number_of_images(simclr):
    assert not plans.counts_passes(simclr.recipe)
    (swav,) = entries_of(Settings(tasks=("swav",), data="digits"))
    assert plans.counts_passes(swav.recipe)


def test_a_budget_below_one_step_is_said(simclr):
    with pytest.raises(UserError, match="at least one step of simclr, 512 views, got 100 views"):
        planned(simclr, parse("100views"), 5, None, None)


def test_a_plan_is_read_back_and_other_plans_are_refused(simclr, tmp_path):
    plan = Plan("51200views", 4, 2)
    plan.entries["simclr"] = planned(simclr, parse("51200views"), 4, None, None)
    plan.write(tmp_path)
    read = plans.read(tmp_path)
    assert read == plan
    assert read.runs == [("simclr", 0), ("simclr", 1)]
    with pytest.raises(UserError, match="its budget is '51200views', and now it is '1min'"):
        Plan("1min", 4, 2).check_same(read, tmp_path)
    with pytest.raises(UserError, match="its rounds is 4, and now it is 5"):
        Plan("51200views", 5, 2).check_same(read, tmp_path)
    Plan("51200views", 4, 7).check_same(read, tmp_path)
    other = Settings(
        tasks=("simclr",), data="digits", overrides=(LARGE[0], "train.learning_rate=0.1")
    )
    plans.same_entry(read.entries["simclr"], simclr, tmp_path)
    with pytest.raises(UserError, match="its train.learning_rate of simclr is 0.3, and now it is"):
        plans.same_entry(read.entries["simclr"], entries_of(other)[0], tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"entries": {}}', '{"entries": {"a": 3}}'])
def test_a_damaged_plan_is_said(tmp_path, text):
    assert plans.read(tmp_path) is None
    (tmp_path / plans.FILE).write_text(text)
    with pytest.raises(UserError, match="is damaged"):
        plans.read(tmp_path)
