"""Images with boxes: parts and draws of them."""

from pathlib import Path

import numpy as np
import pytest

from rotkeras.errors import UserError
from rotkeras.transfer.detect.boxes import BoxedImages, Boxes


def images(count):
    boxes = tuple(
        Boxes(np.array([[0, 0, row + 1, 2]], np.float32), np.array([row % 2]), np.array([row == 3]))
        for row in range(count)
    )
    shapes = np.array([(10, 20 + row, 1) for row in range(count)], np.int32)
    return BoxedImages(
        tuple(Path(f"/set/{row}\n.jpg") for row in range(count)), shapes, boxes, ("a", "b")
    )


def test_a_part_keeps_what_belongs_together():
    part = images(6).part([4, 1])
    assert len(part) == 2
    assert part.names == ("4\\n.jpg", "1\\n.jpg")
    assert part.shapes.tolist() == [[10, 24, 1], [10, 21, 1]]
    assert [each.corners[0, 2] for each in part.boxes] == [5, 2]
    assert part.class_names == ("a", "b")
    assert len(images(6).part([])) == 0


def test_draws_are_random_nested_and_repeatable():
    whole = images(50)
    few, more = whole.draw(5, seed=1), whole.draw(20, seed=1)
    assert len(set(few.paths)) == 5
    assert set(few.paths) < set(more.paths)
    assert few.paths == whole.draw(5, seed=1).paths != whole.draw(5, seed=2).paths
    places = [whole.paths.index(path) for path in more.paths]
    assert places == sorted(places) != list(range(20))
    assert whole.draw(50, seed=3).paths == whole.paths


@pytest.mark.parametrize("count", [0, 7])
def test_a_draw_of_more_than_there_are_is_refused(count):
    with pytest.raises(UserError, match=rf"must be from 1 to 6, got {count}"):
        images(6).draw(count, seed=0)


def test_what_is_learned_is_not_difficult():
    boxes = Boxes(
        np.arange(8, dtype=np.float32).reshape(2, 4), np.array([3, 5]), np.array([True, False])
    )
    assert boxes.learned().classes.tolist() == [5]
    assert boxes.learned().corners.tolist() == [[4, 5, 6, 7]]
    assert len(Boxes.none()) == 0
    assert Boxes.none().corners.shape == (0, 4)
