"""What `rotkeras evaluate` shows of measures without labels."""

import textwrap
from typing import Any

from rich.table import Table

from rotkeras.cli.tables import new_table

_NOTE = (
    "rankme: dimensions that the features use. alpha_req: decay of their spectrum, best near 1."
    " lidar: directions that distinguish images better than views of one image. uniformity (lower"
    " is more even) and alignment (lower is closer): of directions on the sphere. Compare runs on"
    " the same images, and taps of similar width; none of these chooses a tap."
)

_HEADINGS = {"alpha_req": "alpha\nreq", "uniformity": "uniform-\nity", "alignment": "align-\nment"}
"""In two lines, so that taps of long names fit."""


def quality_table(content: dict[str, Any], plain: bool) -> Table:
    """Taps, untrained and trained, by measure; at most 80 columns with names of up to 16
    characters."""
    images = content["images"]
    table = new_table(
        f"without labels: {images['images']:,} {images['part']} images, {images['views']} views",
        plain,
    )
    table.add_column("tap")
    table.add_column("network")
    states = [state for of_tap in content["taps"].values() for state in of_tap.values()]
    measures = list(states[0])
    for measure in measures:
        table.add_column(_HEADINGS.get(measure, measure), justify="right")
    for tap, of_tap in content["taps"].items():
        for number, (state, values) in enumerate(of_tap.items()):
            table.add_row("" if number else tap, state, *(_text(values[each]) for each in measures))
    return table


def quality_notes() -> list[str]:
    """How to read the measures: lines of at most 80 columns."""
    return textwrap.wrap(_NOTE, 80, break_on_hyphens=False)


def _text(value: float | None) -> str:
    # The sum makes no negative zero of a small negative value.
    return "–" if value is None else f"{round(value, 2) + 0.0:.2f}"
