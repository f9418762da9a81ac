"""The protocol that all runs of a comparison are evaluated by."""

from collections.abc import Callable, Sequence
from typing import Any

from rotkeras.compare.plan import COMPARED
from rotkeras.data import Source
from rotkeras.evaluate import Options, evaluate
from rotkeras.files import write_json
from rotkeras.run.folder import Run
from rotkeras.training.notes import why_no_probes

PROBES = ("ridge", "knn-20", "knn-200")
CHOOSES = "ridge"
"""The probe whose validation accuracy chooses the tap."""

Row = dict[str, Any]


def evaluate_run(
    run: Run, source: Source, seed: int, untrained: bool, tell: Callable[[str], None]
) -> None:
    """Fit the probes at every tap, choose one on validation, and read the test set once for it.

    Writes `evaluation.json`, as `rotkeras evaluate` does, and `compared.json`, which says that it
    is whole, or why the images have no probes.

    Args:
        run: that has ended.
        source: its images.
        seed: of the run, and of the untrained network.
        untrained: whether to evaluate the untrained network too.
        tell: called with a line about images that are left out.
    """
    reason = why_no_probes(source)
    if not reason:
        neighbours = {"knn-20": 20, "knn-200": 200}
        probes: Any = tuple(each for each in PROBES if neighbours.get(each, 0) <= len(source.train))
        modes: Any = ("frozen", "random") if untrained else ("frozen",)
        options = Options(probes=probes, modes=modes, seeds=(seed,))
        evaluate(run, options, source, test_rows=of_chosen_taps, tell=tell)
    write_json(run.path / COMPARED, {"no_probes": reason, "source": source.name})


def of_chosen_taps(rows: Sequence[Row]) -> list[Row]:
    """The rows of the tap that validation chooses, of each network and seed by itself."""
    groups: dict[tuple[Any, Any], list[Row]] = {}
    for row in rows:
        if row["probe"] not in PROBES or row["labels_per_class"] != "all":
            continue  # of an evaluation that was made besides
        groups.setdefault((row["mode"], row["seed"]), []).append(row)
    return [row for group in groups.values() for row in group if row["tap"] == chosen_tap(group)]


def chosen_tap(rows: Sequence[Row]) -> str:
    """The tap with the highest validation accuracy by ridge; of equal ones the first."""
    found: dict[str, float] = {
        row["tap"]: row["validation"]["accuracy"] for row in rows if row["probe"] == CHOOSES
    }
    return max(sorted(found), key=lambda tap: found[tap])
