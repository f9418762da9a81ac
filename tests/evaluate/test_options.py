import pytest

from rotkeras import UserError
from rotkeras.evaluate import Options
from rotkeras.evaluate.options import plan

TAPS = ["conv1", "conv2", "conv3"]


def units(**options):
    return plan(Options(**options), TAPS, "conv2")


def test_frozen_probes_take_all_taps_in_one_pass_cheap_ones_first():
    found = units(probes=("conv", "knn", "ridge"))
    assert [(unit.mode, unit.probe) for unit in found] == [
        (mode, probe)
        for mode in ("frozen", "random")
        for probe in ("knn-20", "knn-200", "ridge", "conv")
    ]
    assert all(unit.taps == ("conv1", "conv2", "conv3") for unit in found)


def test_a_backbone_that_trains_has_one_tap_a_trained_probe_and_its_own_schedule():
    found = units(probes=("ridge", "conv"), modes=("fine_tuned", "scratch"), budget="published")
    assert [(unit.mode, unit.probe, unit.taps, unit.epochs) for unit in found] == [
        ("fine_tuned", "conv", ("conv2",), 100),
        ("scratch", "conv", ("conv2",), 200),
    ]
    both = units(probes=("conv",), modes=("fine_tuned",), taps=("conv1", "conv2", "conv1"))
    assert [unit.taps for unit in both] == [("conv1",), ("conv2",)]


def test_few_labels_take_the_default_tap():
    found = units(probes=("conv",), modes=("frozen",), labels_per_class=(20, None))
    assert [(unit.labels_per_class, unit.taps, unit.draw) for unit in found] == [
        (20, ("conv2",), "first"),
        (None, ("conv1", "conv2", "conv3"), "all"),
    ]


def test_a_number_that_no_seed_can_change_is_made_once():
    found = units(probes=("ridge", "conv"), seeds=(0, 1, 2))
    made = [(unit.probe, unit.mode, unit.seed) for unit in found]
    assert [seed for probe, mode, seed in made if (probe, mode) == ("ridge", "frozen")] == [0]
    assert [seed for probe, mode, seed in made if (probe, mode) == ("ridge", "random")] == [0, 1, 2]
    assert [seed for probe, mode, seed in made if (probe, mode) == ("conv", "frozen")] == [0, 1, 2]
    drawn = units(
        probes=("ridge",), modes=("frozen",), labels_per_class=(5,), draw="seeded", seeds=(0, 1)
    )
    assert [unit.seed for unit in drawn] == [0, 1]


def test_a_scaled_budget_is_another_budget():
    (full,), (small,) = (
        units(probes=("conv",), modes=("frozen",), budget="published", scale=scale)
        for scale in ((1.0, 1.0), (0.02, 0.02))
    )
    assert (full.budget, full.epochs, small.budget, small.epochs) == (
        "published",
        100,
        "published×0.02",
        5,
    )


def test_every_mistake_is_one_sentence():
    with pytest.raises(UserError, match="got 'linaer'; did you mean 'linear'"):
        Options(probes=("linaer",))
    with pytest.raises(UserError, match="got 'frosen'; did you mean 'frozen'"):
        Options(modes=("frosen",))
    with pytest.raises(UserError, match="did you mean 'fast'"):
        Options(budget="fats")
    with pytest.raises(UserError, match="needs a probe that is trained"):
        Options(probes=("ridge",), modes=("scratch",))


def test_patches_have_a_share_of_their_own_and_none_without_patches():
    assert Options().of_patches is None
    assert str(Options(patches=3).of_patches) == "3×3 of 75 %"
    assert str(Options(patches=2, patch_crop=0.5).of_patches) == "2×2 of 50 %"
    assert units(probes=("ridge",), patches=3, taps=("conv1",))[0].name == "ridge, 3×3 of 75 %"
    with pytest.raises(UserError, match=r"patch_crop needs patches, got patch_crop=0\.5"):
        Options(patch_crop=0.5)
