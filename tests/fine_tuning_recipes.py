"""The recipes that ship and fine-tune, for the tests of recipes."""

from rotkeras import recipe
from rotkeras.recipe.files import load_kind
from rotkeras.transfer.settings import FineTuning

FINE_TUNINGS = {
    "classify": "classify",
    "detect": "detect",
    "segment": "segment",
    "voc07-classify": "classify",
    "voc07-detect": "detect",
    "voc12-segment": "segment",
}


def loaded(name):
    """A recipe that ships, of the kind of its task."""
    return load_kind(FineTuning if name in FINE_TUNINGS else recipe.Recipe, name)
