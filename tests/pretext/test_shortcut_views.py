import numpy as np
import pytest

from rotkeras.errors import UserError
from rotkeras.pretext import ShortcutViews
from rotkeras.pretext.shortcut_views import POSITIONS, tile_pairs

VIEWS = np.zeros((4, 2, 8, 8, 3), np.uint8)
LABELS = np.array([0, 1, 0, 1])


def test_kinds():
    assert ShortcutViews("a", VIEWS, LABELS, ("x", "y")).kind == "classes"
    assert ShortcutViews("a", VIEWS, parameters=np.zeros((4, 3))).kind == "parameters"
    assert ShortcutViews("a", VIEWS).kind == "pairs"
    ShortcutViews("a", VIEWS[:0], LABELS[:0], ("x", "y"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"views": VIEWS[:, 0]},
            r"views must be uint8 \(n, V, h, w, 3\), got uint8 \(4, 8, 8, 3\)",
        ),
        ({"views": VIEWS.astype(float)}, "got float64"),
        ({"labels": LABELS[:3]}, "labels must have one row for each of 4 rows of views, got 3"),
        ({"parameters": np.zeros((2, 1))}, "parameters must have one row for each of 4"),
        ({"labels": LABELS, "parameters": np.zeros((4, 1))}, "got both; keep one"),
        ({"labels": LABELS, "class_names": ("x",)}, "must be from 0 to 0, .* got 0 to 1"),
        ({"labels": LABELS - 1, "class_names": ("x", "y")}, "got -1 to 0"),
        ({"views": VIEWS[:, :1]}, "must be at least 2 of an image"),
        (
            {"labels": LABELS, "class_names": ("x", "y"), "beside": True},
            "beside needs labels, two views and .* below right, got labels, 2 views and 2 names",
        ),
        (
            {"parameters": np.zeros((4, 1)), "class_names": POSITIONS, "beside": True},
            "beside needs labels, .* got no labels, 2 views and 8 names",
        ),
        ({"class_names": POSITIONS, "beside": True}, "beside needs labels, .* got no labels"),
    ],
)
def test_mistakes_are_sentences(arguments, words):
    with pytest.raises(UserError, match=words):
        ShortcutViews("a", **{"views": VIEWS, **arguments})


def test_pairs_of_tiles_by_hand():
    """Each tile has the number of its place; the middle one is 4."""
    tiles = np.arange(9, dtype=np.uint8)[None, :, None, None, None]
    tiles = (
        np.broadcast_to(tiles, (3, 9, 2, 5, 3))
        + np.array([0, 10, 20], np.uint8)[:, None, None, None, None]
    )
    (asked,) = tile_pairs(tiles)
    assert asked.views.shape == (24, 2, 2, 5, 3)
    assert asked.views[:8, 0].ravel().tolist() == [4] * (8 * 30)
    assert asked.views[:8, 1, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert asked.views[8:16, 1, 0, 0, 0].tolist() == [10, 11, 12, 13, 15, 16, 17, 18]
    assert asked.labels.tolist() == [*range(8)] * 3
    assert [asked.class_names[each] for each in (0, 4, 7)] == ["above left", "right", "below right"]
