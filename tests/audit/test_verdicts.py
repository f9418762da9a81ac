"""Whether what a predictor tells is too much, for any number of classes."""

from dataclasses import replace

import pytest

from rotkeras.audit import limits
from rotkeras.audit.shortcuts import ShortcutResult
from rotkeras.audit.verdicts import is_shortcut, skill


def test_skill_is_zero_at_chance_and_one_for_everything():
    assert skill(0.25, 0.25) == 0
    assert skill(1.0, 0.125) == 1
    assert skill(0.5, 0.0) == 0.5


@pytest.mark.parametrize("chance", [0.5, 0.25, 0.125])
def test_angles_have_the_limits_of_four_by_their_skill(chance):
    """Grid: 0.40 among four angles is a skill of 0.2."""
    at_limit = chance + (1 - chance) * 0.2
    result = ShortcutResult("grid", "", at_limit + 0.011, 0.01, chance=chance)
    assert is_shortcut(result)
    assert not is_shortcut(replace(result, accuracy=at_limit + 0.009))
    with_control = replace(result, name="border", accuracy=0.9, control=0.5)
    beyond = limits.EXCESS["border"] * (1 - chance) / 0.75
    assert is_shortcut(replace(with_control, excess=beyond + 0.011, excess_margin=0.01))
    assert not is_shortcut(replace(with_control, excess=beyond + 0.009, excess_margin=0.01))


@pytest.mark.parametrize(("kind", "chance"), [("classes", 0.125), ("pairs", 1 / 64)])
def test_limits_of_other_tasks(kind, chance):
    told, _ = limits.OF_TASKS[kind]["lens"]
    at_limit = chance + (1 - chance) * told
    result = ShortcutResult("lens", "", at_limit + 0.011, 0.01, kind=kind, chance=chance)
    assert is_shortcut(result)
    assert not is_shortcut(replace(result, margin=0.02))


def test_an_edge_must_tell_more_than_lines_inside():
    sure = ShortcutResult("edge", "", 0.6, 0.01, 0.3, "", 0.3, 0.01, kind="classes", chance=0.125)
    assert is_shortcut(sure)
    assert not is_shortcut(replace(sure, excess=0.15))  # smooth photographs tell so much
    assert not is_shortcut(replace(sure, excess_margin=0.2))


def test_parameters_are_held_against_nothing():
    result = ShortcutResult("colour", "", 0.4, 0.02, kind="parameters", chance=0.0)
    assert is_shortcut(result)
    assert not is_shortcut(replace(result, accuracy=-0.3))


def test_every_predictor_has_a_limit_for_every_kind():
    names = set(limits.SHORTCUT_ACCURACY)
    for kind in ("classes", "pairs", "parameters"):
        assert names <= set(limits.OF_TASKS[kind])
