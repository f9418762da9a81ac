"""Accuracy of the features: taps by probe, trained and untrained (table 1 of the paper)."""

from typing import Any

from rotkeras.evaluate import tables
from rotkeras.evaluate.names import MODE_NAMES
from rotkeras.page import Cell, Figure, Table, new_axes, to_figure
from rotkeras.page.figures import MARKERS, SERIES, plain
from rotkeras.probes.choice import choose
from rotkeras.probes.choice import describe as choice_in_words
from rotkeras.report.collect import Evaluation, Gathered
from rotkeras.report.curves import put_legend

_DRAWN = ("ridge", "knn-20", "nonlinear", "conv")
_STYLES: dict[tuple[bool, bool], Any] = {
    (False, True): "-",
    (False, False): (0, (4, 3)),
    (True, True): (0, (7, 2, 1, 2)),
    (True, False): (0, (1, 2)),
}
"""Of a line, by whether it is of patches, and of the trained network."""


def with_all_labels(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The rows that learned from all labels."""
    return [row for row in evaluation.rows if row["labels_per_class"] == "all"]


def taps_by_probe(evaluation: Evaluation) -> Table | None:
    """Accuracy of every tap, with a column for each probe and state of the backbone; the best tap
    by validation is marked."""
    rows = with_all_labels(evaluation)
    if not rows:
        return None
    part = evaluation.part(rows)
    count = evaluation.images(part)
    columns = tables.columns(rows)
    found = tables.grouped(rows, "tap", "probe", "mode", "budget")
    chosen = {
        column: (
            tables.best_tap(
                [row for row in rows if column_of(row) == column], evaluation.content
            ).tap
        )
        for column in columns
    }
    taps = list(dict.fromkeys(row["tap"] for row in rows))
    cells = [cell for group in found.values() if (cell := tables.cell(group, part, count))]
    low, high = min(cell.mean for cell in cells), max(cell.mean for cell in cells)
    lines: list[list[Any]] = []
    for tap in sorted(taps):
        line: list[Any] = [tap]
        for column in columns:
            cell = tables.cell(found.get((tap, *column), []), part, count)
            if cell is None:
                line.append(None)
                continue
            shade = (cell.mean - low) / (high - low) if high > low else 0.0
            line.append(
                Cell(
                    cell.text(),
                    cell.mean,
                    shade,
                    chosen[column] == tap,
                    f"±{100 * cell.margin:.1f}, 95 % interval",
                )
            )
        lines.append(line)
    budgets = sorted({row["budget"] for row in rows} - {"closed form"})
    margin = 100 * max(cell.margin for cell in cells)
    budget = f"; trained probes with the {budgets[0]} budget" if len(budgets) == 1 else ""
    caption = (
        f"Accuracy in % on {evaluation.title(part)} (at most ±{margin:.1f}, 95 % interval), with"
        f" all labels{budget}."
        " ★: the tap with the highest accuracy on validation images, or the second tap where it"
        " does not differ significantly from that."
    )
    several = len(budgets) > 1
    headings = [
        f"{probe}\n{MODE_NAMES[mode]}{f', {budget}' if several else ''}"
        for probe, mode, budget in columns
    ]
    return Table(caption, ["tap", *headings], lines)


def online_table(run: Gathered) -> Table | None:
    """Taps by probe from training itself: a table of its own, for these numbers are no
    evaluation."""
    probes = (run.summary or {}).get("probes") or {}
    trained, untrained = probes.get("trained"), probes.get("untrained")
    if not trained or not untrained:
        return None
    names = list(next(iter(trained.values())))
    headings = [f"{name}\n{state}" for name in names for state in ("untrained", "trained")]
    count = probes.get("images") or run.summary["images"]["validation"]  # type: ignore[index]
    default = list(trained)[min(1, len(trained) - 1)]
    best = {
        name: choose({tap: trained[tap][name] for tap in trained}, count, default).tap
        for name in names
    }
    # The tap of the encoder was chosen on the predictions themselves.
    if (chosen := (run.summary or {}).get("encoder", {}).get("last")) and "rivals" in chosen:
        best[chosen["measure"].removesuffix(" probe")] = chosen["tap"]
    rows = [
        [
            tap,
            *(
                Cell(
                    f"{100 * state[tap][name]:.1f}",
                    state[tap][name],
                    best=state is trained and best[name] == tap,
                )
                for name in names
                for state in (untrained, trained)
            ),
        ]
        for tap in trained
    ]
    after = f"after epoch {probes['epoch']}"
    caption = (
        f"Probes during training: accuracy in % on {count:,} validation images {after}, not by the"
        " published protocol."
    )
    return Table(caption, ["tap", *headings], rows)


def taps_figure(evaluation: Evaluation, name: str) -> Figure | None:
    """Accuracy over taps, trained beside untrained: a pair of lines for each of at most four
    probes, of whole images and of each kind of patches."""
    rows = [
        row
        for row in with_all_labels(evaluation)
        if row["mode"] in ("frozen", "random") and row.get("patches", row)["probe"] in _DRAWN
    ]
    taps = sorted({row["tap"] for row in rows})
    if len(taps) < 2:
        return None
    part = evaluation.part(rows)
    count = evaluation.images(part)
    found = tables.grouped(rows, "probe", "mode", "budget", "tap")
    lines = {
        column: [
            (at, cell)
            for at, tap in enumerate(taps)
            if (cell := tables.cell(found.get((*column, tap), []), part, count))
        ]
        for column in tables.columns(rows)
    }
    probes = list(dict.fromkeys((probe, budget) for probe, _, budget in lines))
    on_patches = {row["probe"] for row in rows if "patches" in row}
    figure, axes = new_axes()
    values: dict[str, list[str]] = {}
    labels = []
    several = len({budget for _, _, budget in lines} - {"closed form"}) > 1
    for number, ((probe, mode, budget), points) in enumerate(lines.items()):
        index = probes.index((probe, budget)) % len(SERIES)
        labels.append(f"{probe}, {MODE_NAMES[mode]}{f', {budget}' if several else ''}")
        axes.plot(
            [at for at, _ in points],
            [100 * cell.mean for _, cell in points],
            color=SERIES[index],
            marker=MARKERS[index],
            markersize=5,
            linewidth=1.8,
            linestyle=_STYLES[probe in on_patches, mode == "frozen"],
            markerfacecolor=SERIES[index] if mode == "frozen" else "none",
            label=plain(labels[-1]),
            gid=f"line{number}",
        )
        values[f"line{number}"] = [
            f"{labels[-1]}, {taps[at]}: {cell.text(margin=True)} %" for at, cell in points
        ]
    axes.set_xticks(range(len(taps)), [plain(tap) for tap in taps])
    axes.set_ylabel(f"accuracy on {part} images, %")
    put_legend(axes, labels)
    chosen = chosen_rows(evaluation)
    words = "Solid lines: the trained network. Dashed lines: an untrained one."
    if on_patches:
        words += " Features averaged over patches: dash-dotted if trained, dotted if untrained."
    if chosen[0]["mode"] == "frozen":
        part = evaluation.part(chosen)
        mean = sum(row[part]["accuracy"] for row in chosen) / len(chosen)
        words += (
            f" Chosen on validation: {chosen[0]['probe']} on {chosen[0]['tap']}: accuracy"
            f" {100 * mean:.1f} % on {part} images."
        )
    return to_figure(figure, name, "Accuracy by tap, trained and untrained", words, values)


def chosen_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The rows (of all seeds) of the frozen probe with the highest accuracy on validation, at the
    tap that `tables.best_tap` chooses; without a frozen probe those of any mode."""
    group = _best_probe(evaluation)
    tap = tables.best_tap(group, evaluation.content).tap
    return [row for row in group if row["tap"] == tap]


def about_tap(evaluation: Evaluation) -> str:
    """A sentence on the tap of `chosen_rows`, if validation does not decide it; else ""."""
    choice = tables.best_tap(_best_probe(evaluation), evaluation.content)
    return choice_in_words(choice.tap, choice.record())


def _best_probe(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The rows of all taps of the probe with the highest accuracy on validation."""
    rows = with_all_labels(evaluation) or evaluation.rows
    rows = [row for row in rows if row["mode"] == "frozen"] or rows
    groups = tables.grouped(rows, "probe", "mode", "budget", "labels_per_class", "draw")

    def highest(group: list[dict[str, Any]]) -> float:
        means = [
            sum(row["validation"]["accuracy"] for row in of_tap) / len(of_tap)
            for of_tap in tables.grouped(group, "tap").values()
        ]
        return float(max(means))

    return max(groups.values(), key=highest)


def describe(row: dict[str, Any]) -> str:
    """A row in words: probe, tap, state of the backbone."""
    return f"{row['probe']} probe on {row['tap']}, {MODE_NAMES[row['mode']]}"


def untrained_twin(evaluation: Evaluation, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the same probe, tap and labels on an untrained network."""
    names = ("tap", "probe", "labels_per_class", "draw", "budget")
    return [
        row
        for row in evaluation.rows
        if row["mode"] == "random" and all(row[name] == rows[0][name] for name in names)
    ]


def column_of(row: dict[str, Any]) -> tuple[str, str, str]:
    """The column of a table that a row belongs to: (probe, mode, budget)."""
    return row["probe"], row["mode"], row["budget"]
