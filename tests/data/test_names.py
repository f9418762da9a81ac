import sys

import numpy as np
import pytest

from rotkeras.data.names import Names

NAMES = [
    "cat/1.jpg",
    "",
    "ein Bild ä.png",
    "line\nbreak.png",
    "fa\udce7ade.png",
    "\ud800",
    "🦉.webp",
]


def test_names_come_back_as_they_were():
    names = Names(NAMES)
    assert len(names) == len(NAMES)
    assert list(names) == NAMES
    assert [names[position] for position in range(-7, 7)] == NAMES + NAMES
    for part in (slice(None), slice(1, 3), slice(None, None, -2), slice(5, 100)):
        assert names[part] == NAMES[part]
    with pytest.raises(IndexError):
        names[7]


def test_names_are_added_and_selected():
    names = Names(NAMES)
    names.append("last")
    assert names.select(np.array([7, 0])) == ["last", "cat/1.jpg"]
    assert "line\nbreak.png" in names
    assert names.index("last") == 7


def test_names_are_equal_to_other_sequences_of_the_same():
    assert Names(NAMES) == NAMES
    assert Names("ab") == ("a", "b")
    assert Names("ab") != ["a", "c"]
    assert Names("ab") != ["a"]
    assert Names("ab") != "ab"
    assert repr(Names("abc")) == "Names(3, 'a', 'b', …)"


def test_a_name_takes_its_letters_and_few_bytes_more():
    names = Names(f"folder{number % 9}/image_{number:06d}.jpg" for number in range(20_000))
    size = sys.getsizeof(names._letters) + sys.getsizeof(names._ends)
    assert size / len(names) < 1.13 * (
        len("folder0/image_000000.jpg") + 8
    )  # an eighth is room to grow
