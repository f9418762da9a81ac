import pytest

from rotkeras.errors import UserError
from rotkeras.recipe import Export


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"profiles": ["int4"]},
            r"profiles\.0 must be one of .*, got 'int4'; did you mean 'int8'\?",
        ),
        ({"max_drop": 101.0}, r"max_drop must be at most 100, got 101\.0\."),
        ({"calibration_images": "200"}, r"calibration_images must be a whole number, got '200'\."),
        ({"profile": ["int8"]}, r"Export has no setting 'profile'; did you mean 'profiles'\?"),
    ],
)
def test_sections_made_in_python_refuse_what_recipes_refuse(settings, words):
    with pytest.raises(UserError, match=words):
        Export(**settings)


def test_sections_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Export().tap = "conv1"
