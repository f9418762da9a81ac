import re
from dataclasses import replace

import pytest
import yaml

from rotkeras.audit import limits
from rotkeras.audit.findings import find, is_shortcut, lower_end, percent
from rotkeras.audit.report import Folder
from rotkeras.audit.shortcuts import ShortcutResult
from rotkeras.recipe import validate

FIT = Folder("(all)", 5000, 0.5, 0.5, 0.1, 0.0, 0.0, 0.0, 5000, 0.6, 0.012, 0.4, 0.003)
# As measured on CIFAR-10, 5000 images, seed 0: see docs/guides/check_images.md.
NATURAL = [
    ShortcutResult("border", "", 0.545, 0.014, 0.436, "", 0.109, 0.017),
    ShortcutResult("mark", "", 0.516, 0.014, 0.429, "", 0.087, 0.016),
    ShortcutResult("colour", "", 0.489, 0.014),
    ShortcutResult("grid", "", 0.285, 0.013),
    ShortcutResult("residue", "", 0.422, 0.014, 0.408, "", 0.014, 0.017),
]


def names(folders=(FIT,), shortcuts=NATURAL):
    return [each.name for each in find(list(folders), shortcuts, 64)]


def told(**changes):
    """The natural figures, with (accuracy, excess) of some predictors changed."""
    return [
        (
            replace(each, accuracy=changes[each.name][0], excess=changes[each.name][1])
            if each.name in changes
            else each
        )
        for each in NATURAL
    ]


def test_natural_figures_are_fit():
    assert names() == []


def test_no_up():
    assert names([replace(FIT, accuracy=0.25)]) == ["no-up"]
    assert names([replace(FIT, accuracy=0.29, margin=0.02)]) == []  # it may be above the limit
    assert names([replace(FIT, accuracy=0.25, evaluated=limits.FEWEST_IMAGES - 1)]) == []
    # Where nothing has an up, nothing can be seen to be turned.
    assert names([replace(FIT, accuracy=0.25, turned=0.3)]) == ["no-up"]


def test_a_folder_without_an_up_is_named():
    aerial = Folder("aerial", 500, 0, 0, 0, 0, 0, 0, 400, 0.26, 0.02, 0.9, 0.0)
    (finding,) = find([FIT, aerial, replace(FIT, name="street")], NATURAL, 64)
    assert (
        "the folder or class aerial has no upright orientation: a small network reaches 26.0 %"
        in finding.what
    )
    assert "data.folder" in finding.fix
    (finding,) = find([FIT, *(replace(aerial, name=f"a{n}") for n in range(5))], NATURAL, 64)
    assert "the folders or classes a0, a1, a2 and 2 more have no up" in finding.what
    assert names([FIT, replace(aerial, evaluated=limits.FEWEST_OF_A_FOLDER - 1)]) == []


@pytest.mark.parametrize(
    ("figure", "name"),
    [
        ("turned", "turned"),
        ("corners", "corners"),
        ("turned_duplicates", "turned-duplicates"),
        ("duplicates", "duplicates"),
    ],
)
def test_shares_beyond_their_limits(figure, name):
    limit = getattr(limits, f"{figure.upper()}_SHARE")
    assert names([replace(FIT, **{figure: limit})]) == []
    assert names([replace(FIT, **{figure: 1.5 * limit})]) == [name]
    few = replace(FIT, images=41, evaluated=41, **{figure: 1.5 * limit})
    assert names([few]) == (
        [name] if "duplicates" in name else []
    )  # copies are counted; shares of few images are uncertain


@pytest.mark.parametrize(("right", "count"), [(0, 10), (3, 50), (50, 5000), (10, 10)])
def test_the_lower_end_is_that_of_wilsons_interval(right, count):
    from scipy.stats import binomtest

    expected = binomtest(right, count).proportion_ci(0.95, method="wilson").low
    assert lower_end(right / count, count) == pytest.approx(expected, abs=1e-4)


def test_a_folder_that_lies_turned_is_named():
    scans = replace(FIT, name="scans", accuracy=0.1, lies=90)
    (finding,) = find([replace(FIT, turned=0.3), replace(FIT, name="a"), scans], NATURAL, 64)
    assert finding.name == "turned"
    assert "against the others: scans (by 90°); every rotation label" in finding.what
    assert names([FIT, replace(scans, evaluated=limits.FEWEST_OF_A_FOLDER - 1)]) == []
    many = [replace(scans, name=f"s{n}") for n in range(5)]
    assert "s2 (by 90°) and 2 more" in find([FIT, *many], NATURAL, 64)[0].what


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                "border": (0.657, 0.22),
                "mark": (0.676, 0.247),
                "grid": (0.539, None),
                "residue": (0.615, 0.099),
            },
            ["mark"],
        ),
        ({"border": (0.986, 0.549), "grid": (0.888, None), "residue": (0.961, 0.047)}, ["border"]),
        (
            {
                "mark": (0.988, 0.559),
                "colour": (0.758, None),
                "grid": (0.861, None),
                "residue": (0.628, -0.156),
            },
            ["mark"],
        ),
        ({"border": (0.772, 0.28), "mark": (0.717, 0.24), "colour": (0.695, None)}, ["colour"]),
        ({"grid": (0.982, None)}, ["grid"]),
        ({"residue": (0.517, 0.024)}, ["residue"]),
        ({"residue": (0.439, 0.148)}, ["residue"]),
        ({"grid": (0.6, None), "residue": (0.55, 0.1)}, ["grid", "residue"]),
    ],
)
def test_what_tells_is_named(changes, expected):
    assert names(shortcuts=told(**changes)) == expected


def test_the_lower_end_of_an_interval_counts():
    sure = ShortcutResult("grid", "", 0.42, 0.01)
    assert is_shortcut(sure)
    assert not is_shortcut(replace(sure, margin=0.03))
    few = ShortcutResult("border", "", 0.7, 0.1, 0.45, "", 0.25, 0.12)
    assert not is_shortcut(few)
    assert is_shortcut(replace(few, margin=0.05, excess_margin=0.06))


def test_every_fix_names_keys_that_a_recipe_has():
    folders = [replace(FIT, turned=0.1, corners=0.1, turned_duplicates=0.1, duplicates=0.1)]
    everything = find([replace(folders[0], corners=0.0)], NATURAL, 64)[:1]
    everything += find(
        folders, NATURAL, 64
    )  # where corners are found, that is why images look turned
    for predictor in ("border", "mark", "colour", "grid", "residue"):
        everything += find([FIT], told(**{predictor: (0.95, 0.5)}), 64)
    assert [each.name for each in everything] == [
        "turned", "corners", "turned-duplicates", "duplicates", "border", "mark", "colour", "grid", "residue",
    ]  # fmt: skip
    tried = 0
    for finding in everything:
        assert "{" not in finding.what
        for text in re.findall(r"augmentation: \[\{.*?\}+\]", finding.fix):
            validate(yaml.safe_load(f"data: {{folder: photos, image_size: 64}}\n{text}"), "fix")
            tried += 1
        for text in re.findall(r"data\.image_size: (\d+)", finding.fix):
            assert int(text) == 40
            tried += 1
    assert tried == 7


def test_percent():
    assert (percent(0.1234), percent(None), percent(1.0)) == ("12.3 %", "–", "100.0 %")
