"""How a run of a comparison is evaluated."""

from collections.abc import Callable, Sequence
from typing import Any

from rotkeras.backbones import taps
from rotkeras.compare.plan import COMPARED
from rotkeras.compare.protocol import MAIN, NEIGHBOURS, PROBES, chosen_tap
from rotkeras.data import Source
from rotkeras.evaluate import Options, evaluate
from rotkeras.evaluate.evaluation import load_network
from rotkeras.files import read_json_lines, write_json
from rotkeras.quality import Spread
from rotkeras.run.folder import Run
from rotkeras.training.notes import why_no_probes

Row = dict[str, Any]


def evaluate_run(
    run: Run, source: Source, seed: int, untrained: bool, tell: Callable[[str], None]
) -> bool:
    """Fit the probes at every tap, choose one on validation, and read the test set once for it.

    Writes `evaluation.json`, as `rotkeras evaluate` does, and `compared.json`, which says that it
    is whole, the taps in their order, why the images have no probes, and whether the embeddings
    have collapsed.

    Args:
        run: that has ended.
        source: the images that its features are evaluated on: those of `probe.data` where its
            recipe has such, else its own.
        seed: of the run, and of the untrained network.
        untrained: whether to evaluate the untrained network too.
        tell: called with a line about images that are left out.

    Returns:
        Whether the embeddings have collapsed.
    """
    order = taps.names(load_network(run))
    reason = why_no_probes(source)
    if not reason:
        probes: Any = tuple(each for each in PROBES if NEIGHBOURS.get(each, 0) <= len(source.train))
        modes: Any = ("frozen", "random") if untrained else ("frozen",)
        options = Options(probes=probes, modes=modes, seeds=(seed,))
        evaluate(
            run, options, source, test_rows=lambda rows: of_chosen_taps(rows, order), tell=tell
        )
    collapsed = has_collapsed(run)
    found = {"no_probes": reason, "source": source.name, "taps": order, "collapsed": collapsed}
    write_json(run.path / COMPARED, found)
    return collapsed


def has_collapsed(run: Run) -> bool:
    """Whether all images have nearly the same embedding after the last round, by the rule that
    `rotkeras train` ends with an error for; False for a task without embeddings to compare."""
    metrics = read_json_lines(run.metrics)
    last = metrics[-1] if metrics else {}
    if "spread/rank" not in last:
        return False
    # A measure that is not finite is written as null.
    return Spread(*(last[f"spread/{each}"] or 0.0 for each in ("std", "rank", "cosine"))).collapsed


def of_chosen_taps(rows: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """The rows of the tap that validation chooses, of each network and seed by itself.

    Args:
        rows: of an evaluation.
        order: of the taps in the network.
    """
    groups: dict[tuple[Any, Any], list[Row]] = {}
    for row in rows:
        if row["probe"] not in PROBES or row["labels_per_class"] != "all":
            continue  # of an evaluation that was made besides
        groups.setdefault((row["mode"], row["seed"]), []).append(row)
    return [row for group in groups.values() for row in _of_chosen(group, order)]


def _of_chosen(rows: Sequence[Row], order: Sequence[str]) -> list[Row]:
    found = {row["tap"]: row["validation"]["accuracy"] for row in rows if row["probe"] == MAIN}
    tap = chosen_tap({tap: found[tap] for tap in order if tap in found})
    return [row for row in rows if row["tap"] == tap]
