"""Run, or go on with, everything that a table needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from rotkeras.data import Source
from rotkeras.errors import UserError
from rotkeras.evaluate import Options, evaluate
from rotkeras.evaluate.intervals import mean_margin, share_margin
from rotkeras.evaluate.options import Mode, Unit
from rotkeras.probes.fits import is_trained
from rotkeras.probes.settings import settings_for
from rotkeras.reproduce.paper import Entry, Table
from rotkeras.reproduce.plan import build_recipe
from rotkeras.reproduce.scale import Scale
from rotkeras.run import images as run_images
from rotkeras.run.folder import Run
from rotkeras.training import devices


class Shows(Protocol):
    """What shows the progress of a reproduction."""

    def pretraining(self, network: str, seed: int, done: bool) -> Sequence[Any]:
        """Called before each pre-training; gives callbacks for it."""
        ...

    def watch(self, number: int, units: Sequence[Any]) -> Sequence[Any]:
        """See `rotkeras.evaluate.evaluate`."""
        ...

    def done(self, unit: Any, rows: Any) -> None:
        """See `rotkeras.evaluate.evaluate`."""
        ...

    def tested(self, done: int, count: int) -> None:
        """See `rotkeras.evaluate.evaluate`."""
        ...

    def tell(self, line: str) -> None:
        """Called with what a reader must know of a run that exists already."""
        ...


@dataclass(frozen=True)
class Reproduced:
    """A number of the paper, and ours.

    Attributes:
        entry: the paper's.
        values: ours in percent, one for each seed.
        mean: of the values.
        margin: half of the 95 % interval in points: over seeds, or with one seed of the test
            images.
    """

    entry: Entry
    values: tuple[float, ...]
    mean: float
    margin: float

    @property
    def difference(self) -> float | None:
        """Points from the paper."""
        return None if self.entry.paper is None else self.mean - self.entry.paper

    @property
    def within(self) -> bool | None:
        """Whether the difference lies within the tolerance."""
        return None if self.difference is None else abs(self.difference) <= self.entry.tolerance


def reproduce(
    table: Table,
    folder: Path,
    base: str,
    scale: Scale,
    seeds: Sequence[int],
    overrides: Sequence[str],
    data_dir: str | None,
    source: Source,
    shows: Shows,
) -> tuple[list[Reproduced], list[Run]]:
    """Pre-train and evaluate what is missing, and collect the numbers of a table.

    Args:
        table: one of `rotkeras.reproduce.paper.TABLES`.
        folder: where runs are, and are left.
        base: the recipe that is followed, "cifar10" or "cifar10-paper".
        scale: how large.
        seeds: of pre-training and probes alike.
        overrides: more changes to the recipe.
        data_dir: of prepared tensorflow-datasets sets.
        source: the images at this scale.
        shows: what shows the progress.

    Returns:
        (the numbers in the order of the table, the runs that they come from).

    Raises:
        UserError: for images without a class that the table names.
    """
    from rotkeras.training.trainer import train

    named = {entry.class_name for entry in table.entries if entry.class_name}
    if missing := sorted(named - set(source.train.class_names)):
        raise UserError(
            f"{table.title} needs images with class names, got {source.name} without"
            f" {', '.join(missing)}; add class_names to the .npz."
        )
    runs: list[Run] = []
    values: dict[Entry, list[tuple[float, int]]] = {entry: [] for entry in table.entries}
    for network in dict.fromkeys(entry.network for entry in table.entries):
        mine = [entry for entry in table.entries if entry.network is network]
        for seed in seeds:
            run = Run(folder / "runs" / f"{base}-{network.name}{suffix(scale)}-seed{seed}")
            recipe = build_recipe(base, network, scale, seed, overrides, data_dir)
            elsewhere = "name another folder with --out"
            run.check(recipe, resume=True, elsewhere=elsewhere)
            if run.resuming:
                run_images.check_images(run, source, remedy=f"{elsewhere}.", tell=shows.tell)
            callbacks = shows.pretraining(network.name, seed, run.load_summary() is not None)
            if run.load_summary() is None:
                train(recipe, run, source, callbacks)
            runs.append(run)
            options = wanted(mine, scale, seed)
            content = evaluate(
                run, options, source, watch=shows.watch, done=shows.done, tested=shows.tested
            )
            for entry in mine:
                values[entry].append(_value(entry, content, scale, seed))
    return [_reproduced(entry, found) for entry, found in values.items()], runs


def suffix(scale: Scale) -> str:
    """For the names of files: the scale, and the library where it is not TensorFlow, so that no
    numbers of two are mixed."""
    library = devices.backend()
    return scale.suffix() + ("" if library == "tensorflow" else f"-{library}")


def wanted(entries: Sequence[Entry], scale: Scale, seed: int) -> list[Options]:
    """The evaluations that entries of one network need: one for each probe, mode and number of
    labels, with all its taps."""
    taps: dict[tuple[str, str, int | None], dict[str, None]] = {}
    for entry in entries:
        taps.setdefault((entry.probe, entry.mode, entry.labels_per_class), {})[entry.tap] = None
    shares = scale.epochs, scale.images
    return [
        Options(
            (probe,),
            (cast(Mode, mode),),
            tuple(each),
            (scale.labels(labels),),
            seeds=(seed,),
            budget="published",
            scale=shares,
        )
        for (probe, mode, labels), each in taps.items()
    ]


def _value(entry: Entry, content: dict[str, Any], scale: Scale, seed: int) -> tuple[float, int]:
    labels = scale.labels(entry.labels_per_class)
    settings = None
    if is_trained(entry.probe):
        supervised, few = entry.mode == "scratch", labels is not None
        settings = settings_for(
            "published", entry.probe, supervised, few, (scale.epochs, scale.images)
        )
    unit = Unit(
        entry.probe,
        entry.mode,
        labels,
        "all" if labels is None else "first",
        seed,
        (entry.tap,),
        settings,
    )
    key = unit.row(entry.tap)
    row = next(
        each for each in content["rows"] if all(each[name] == value for name, value in key.items())
    )
    result = row["test"] or row["validation"]
    images = content["images"]["test" if row["test"] else "validation"]
    if entry.class_name is None:
        return 100 * result["accuracy"], images
    share = result["per_class"][entry.class_name]
    return 100 * (share if share is not None else float("nan")), max(
        1, images // len(result["per_class"])
    )


def _reproduced(entry: Entry, found: list[tuple[float, int]]) -> Reproduced:
    values = tuple(value for value, _ in found)
    mean, margin = mean_margin(values)
    if margin is None:
        margin = 100 * share_margin(min(1.0, mean / 100), found[0][1])
    return Reproduced(entry, values, mean, margin)
