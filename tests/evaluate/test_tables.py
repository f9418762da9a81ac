import pytest

from rotkeras.evaluate import tables


def row(tap="conv1", probe="conv", mode="frozen", seed=0, validation=0.5, test=None, budget="fast"):
    made = {"tap": tap, "probe": probe, "mode": mode, "seed": seed, "budget": budget}
    per_class = {"a": validation, "b": None}
    made["validation"] = {"accuracy": validation, "per_class": per_class}
    made["test"] = None if test is None else {"accuracy": test, "per_class": {"a": test, "b": None}}
    return made


def test_the_tap_is_chosen_by_validation_and_never_by_test():
    rows = [row("conv1", validation=0.6, test=0.5), row("conv2", validation=0.5, test=0.9)]
    content = {"images": {"validation": 1000}, "default_tap": "conv2"}
    assert tables.best_tap(rows, content).tap == "conv1"


def test_on_few_validation_images_the_default_tap_is_taken():
    rows = [row("conv1", validation=0.6), row("conv2", validation=0.55)]
    few = {"images": {"validation": 30}}
    assert tables.best_tap(rows, few | {"default_tap": "conv2"}).tap == "conv2"
    earlier = tables.best_tap(rows, few)  # an evaluation that does not name the default tap
    assert (earlier.tap, earlier.arbitrary) == ("conv1", True)


def test_test_is_shown_only_when_every_row_has_it():
    assert tables.part_of([row(test=0.5), row(test=0.4)]) == "test"
    assert tables.part_of([row(test=0.5), row()]) == "validation"


def test_kinds_of_numbers_never_share_a_column():
    rows = [
        row(probe="conv"),
        row(probe="conv", mode="fine_tuned"),
        row(probe="linear", mode="random"),
        row(probe="linear"),
        row(probe="ridge", budget="closed form"),
        row(probe="conv", budget="published"),
    ]
    assert tables.columns(rows) == [
        ("ridge", "frozen", "closed form"),
        ("linear", "random", "fast"),
        ("linear", "frozen", "fast"),
        ("conv", "frozen", "fast"),
        ("conv", "fine_tuned", "fast"),
        ("conv", "frozen", "published"),
    ]


def test_a_cell_is_the_mean_over_seeds_with_its_interval():
    one = tables.cell([row(validation=0.5)], "validation", 10000)
    assert one.text(margin=True) == "50.0 ±1.0"
    several = tables.cell(
        [row(seed=n, validation=v) for n, v in enumerate((0.5, 0.6, 0.7))], "validation", 10000
    )
    assert several.text(margin=True) == "60.0 ±24.8"  # 4.303 · 0.1 / √3
    assert tables.cell([], "test", 1) is None


def test_per_class_means_leave_out_what_is_not_there():
    assert tables.per_class([row(validation=0.4), row(validation=0.6)], "validation") == {
        "a": pytest.approx(0.5),
        "b": None,
    }
