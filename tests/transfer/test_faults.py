"""Faults are counted by kind, and end a reading only where that is asked for."""

import pytest

from rotkeras.errors import UserError
from rotkeras.transfer.faults import Faults


def test_faults_are_counted_with_their_first_places():
    faults = Faults()
    for number in range(5):
        faults.add("boxes are inverted and left out", f"{number}.xml")
    faults.add("images have no annotation and are left out", "a.jpg")
    assert faults.lines() == [
        "boxes are inverted and left out: 5 (0.xml, 1.xml, 2.xml, …)",
        "images have no annotation and are left out: 1 (a.jpg)",
    ]
    assert Faults().lines() == []


def test_the_first_fault_is_an_error_where_that_is_asked_for():
    with pytest.raises(UserError, match=r"^7\.xml: boxes are inverted.*data.on_fault to skip"):
        Faults("error").add("boxes are inverted and left out", "7.xml")
