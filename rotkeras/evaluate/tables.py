"""Rows of an evaluation as tables: means over seeds, and one column for each kind of number."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rotkeras.evaluate.intervals import mean_margin, share_margin
from rotkeras.evaluate.names import MODE_NAMES
from rotkeras.probes.choice import Choice, choose

PROBE_ORDER = (
    *("ridge", "logistic", "global-logistic", "knn-20", "knn-200"),
    *("linear", "nonlinear", "conv", "global-linear"),
)


@dataclass(frozen=True)
class Cell:
    """A number of a table.

    Attributes:
        mean: accuracy, 0 … 1, over seeds.
        margin: half of the 95 % interval over seeds; with one seed that of a share of so many
            images.
        seeds: how many there are.
    """

    mean: float
    margin: float
    seeds: int

    def text(self, margin: bool = False) -> str:
        """In percent, with its margin if requested."""
        return f"{100 * self.mean:.1f}" + (f" ±{100 * self.margin:.1f}" if margin else "")


def part_of(rows: Iterable[dict[str, Any]]) -> str:
    """The part that tables show: test when every row has it, else validation."""
    return "test" if all(row["test"] for row in rows) else "validation"


def cell(rows: Sequence[dict[str, Any]], part: str, images: int) -> Cell | None:
    """Mean and margin over rows that differ in their seed alone; None without rows."""
    if not rows:
        return None
    values = [row[part]["accuracy"] for row in rows]
    mean, margin = mean_margin(values)
    return Cell(mean, share_margin(mean, images) if margin is None else margin, len(values))


def grouped(
    rows: Iterable[dict[str, Any]], *names: str
) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Rows by the values of some of their keys, in the order of their coming."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return dict(groups)


def columns(rows: Iterable[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The (probe, mode, budget) that occur, in the order of a table: probes by cost, untrained
    before trained."""
    found = {(row["probe"], row["mode"], row["budget"]) for row in rows}
    modes = list(MODE_NAMES)

    def place(column: tuple[str, str, str]) -> tuple[Any, ...]:
        probe, mode, budget = column
        kind = probe.partition(",")[0]  # on patches it is "ridge, 3×3 of 75 %"
        known = PROBE_ORDER.index(kind) if kind in PROBE_ORDER else 2
        return known, probe, budget, modes.index(mode)

    return sorted(found, key=place)


def best_tap(rows: Sequence[dict[str, Any]], content: Mapping[str, Any]) -> Choice:
    """The tap with the highest mean accuracy on validation among rows of one kind; the default tap
    where it does not differ significantly from it.

    Args:
        rows: that differ in tap and seed alone.
        content: of the evaluation file, which has the number of validation images and the default
            tap.
    """
    means = {
        tap: mean_margin([row["validation"]["accuracy"] for row in group])[0]
        for (tap,), group in grouped(rows, "tap").items()
    }
    return choose(means, content["images"]["validation"], content.get("default_tap"))


def per_class(rows: Sequence[dict[str, Any]], part: str) -> dict[str, float | None]:
    """{class: mean accuracy over rows}, None for a class without images."""
    names = rows[0][part]["per_class"]
    found: dict[str, float | None] = {}
    for name in names:
        values = [
            row[part]["per_class"][name] for row in rows if row[part]["per_class"][name] is not None
        ]
        found[name] = sum(values) / len(values) if values else None
    return found
