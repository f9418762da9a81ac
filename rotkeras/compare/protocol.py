"""What all runs of a comparison are evaluated by: its probes, and the choice of a tap."""

from collections.abc import Mapping
from typing import Any

NEIGHBOURS = {"knn-20": 20, "knn-200": 200}

MAIN = "ridge"
"""The probe whose validation accuracy chooses the tap, and that the verdict is about."""

PROBES = (MAIN, *NEIGHBOURS)


def chosen_tap(accuracies: Mapping[str, float]) -> str | None:
    """The tap with the highest accuracy; of equal ones the first in the order of the network. None
    without taps.

    Args:
        accuracies: {tap: validation accuracy by `MAIN`}, in the order of the network.
    """
    return max(accuracies, key=lambda tap: accuracies[tap]) if accuracies else None


def is_ranked(run: Mapping[str, Any]) -> bool:
    """Whether means and the verdict contain a run of `results.json`: not one whose embeddings
    collapsed."""
    return run.get("status") != "collapsed"
