"""Tables of the page of a comparison."""

from typing import Any

from rotkeras.compare.markdown import mean, memory_of, number, status_of, taps_of
from rotkeras.compare.plan import Plan, Planned
from rotkeras.compare.protocol import PROBES
from rotkeras.compare.verdict import Interval
from rotkeras.page import Cell, Table
from rotkeras.text import clock


def main_table(content: dict[str, Any]) -> Table:
    """One row for each entry, and one for the untrained network."""
    entries = content["entries"]
    probes = [
        probe
        for probe in PROBES
        if any(probe in entry["summary"]["probes"] for entry in entries.values())
    ]
    means = {
        probe: [
            entry["summary"]["probes"][probe]["mean"]
            for entry in entries.values()
            if probe in entry["summary"]["probes"]
        ]
        for probe in probes
    }
    rows: list[list[Any]] = []
    for name, entry in entries.items():
        summary, runs = entry["summary"], list(entry["runs"].values())
        row: list[Any] = [name]
        for probe in probes:
            record = summary["probes"].get(probe)
            row.append(_accuracy(record, means[probe]))
        if probes:
            row += [_gain(summary["gain"]), taps_of(runs)]
        row += [
            _mean(runs, "minutes"),
            Cell(f"{entry['views']:,}", entry["views"]),
            _mean(runs, "views_per_second"),
            _memory(runs),
            status_of(runs, content["seeds"]),
        ]
        rows.append(row)
    for row in _untrained_rows(content, probes):
        rows.append([*row, *[None] * (len(rows[0]) - len(row))])
    headings = [
        "backbone" if content["by_backbone"] else "task",
        *probes,
        *(["gain over\nuntrained", "tap"] if probes else []),
        *("min", "views", "views/s", "memory,\nMiB", "status"),
    ]
    return Table(_caption(content, probes), headings, rows)


def _caption(content: dict[str, Any], probes: list[str]) -> str:
    if not probes:
        return "What each run was; there are no labels to probe the features with."
    count = content["seeds"]
    over = f"{count} seeds and the images" if count > 1 else "the images; one seed"
    where = (
        "the test set was read once, for this tap alone"
        if content["part"] == "test"
        else "there is no test set, so these numbers, which chose the tap, are a little too high"
    )
    return (
        f"Accuracy in % on {content['images']:,} {content['part']} images of {content['source']},"
        f" at the tap that ridge chooses on validation ({where}). ±: half the width of a 95 %"
        f" interval over {over}. Minutes of training alone, mean over seeds. Memory: the highest of"
        " training steps. ★: the highest, whether or not the difference is significant. The"
        " verdict corrects its comparisons with the first by Holm's method; runs that collapsed are"
        " in no mean accuracy."
    )


def _untrained_rows(content: dict[str, Any], probes: list[str]) -> list[list[Any]]:
    found = []
    for name, entry in content["entries"].items():
        before = entry["summary"]["untrained"]
        if before:
            title = f"untrained {name}" if content["by_backbone"] else "untrained"
            cells = [_accuracy(before.get(probe), []) for probe in probes]
            taps = taps_of(list(content["untrained"][name].values()))
            found.append([title, *cells, None, taps])
            if not content["by_backbone"]:
                break
    return found


def _accuracy(record: dict[str, Any] | None, means: list[float]) -> Cell | None:
    if record is None:
        return None
    found = Interval(**record)
    low, high = (min(means), max(means)) if means else (0.0, 0.0)
    shade = (found.mean - low) / (high - low) if high > low else None
    best = bool(means) and len(means) > 1 and found.mean == high
    return Cell(found.text(), found.mean, shade, best)


def _gain(record: dict[str, Any] | None) -> Cell | None:
    if record is None:
        return None
    found = Interval(**record)
    title = "" if found.significant else "not significant, or of one seed"
    return Cell(found.text(sign=True), found.mean, title=title)


def _mean(runs: list[dict[str, Any]], key: str) -> Cell | None:
    found = mean(runs, key)
    return None if found is None else Cell(number(found), found)


def _memory(runs: list[dict[str, Any]]) -> Cell | None:
    text = memory_of(runs)
    return Cell(text, float(text.split()[0].replace(",", ""))) if text else None


def run_table(content: dict[str, Any]) -> Table:
    """Every run by itself."""
    rows = []
    part = content["part"]
    for name, entry in content["entries"].items():
        for seed, run in entry["runs"].items():
            found = run[part].get(run["tap"], {}) if run["tap"] else {}
            process = run["memory"].get("process_mib")
            rows.append(
                [
                    f"{name}, seed {seed}",
                    run["tap"] or "",
                    *(
                        Cell(f"{100 * found[probe]:.1f}", found[probe]) if probe in found else None
                        for probe in PROBES
                    ),
                    Cell(number(run["minutes"]), run["minutes"]),
                    Cell(clock(run["seconds_in_all"]), run["seconds_in_all"])
                    if run["seconds_in_all"]
                    else None,
                    Cell(f"{process:,.0f}", process) if process else None,
                    run["status"],
                ]
            )
    headings = ["run", "tap", *(f"{probe}, %" for probe in PROBES)]
    headings += ["minutes", "with probes", "memory, MiB", ""]
    return Table("Every run by itself.", headings, rows)


def label_free_table(content: dict[str, Any]) -> Table | None:
    """Measures that need no labels, of each entry's chosen tap, means over seeds; None where none
    were logged."""
    found: dict[str, dict[str, float]] = {}
    for name, entry in content["entries"].items():
        sums: dict[str, list[float]] = {}
        for run in entry["runs"].values():
            tap = run["tap"] or run["encoder_tap"]
            for place in (tap, ""):
                for measure, value in run["label_free"].get(place, {}).items():
                    sums.setdefault(measure, []).append(value)
        found[name] = {measure: sum(each) / len(each) for measure, each in sums.items()}
    measures = list(dict.fromkeys(measure for each in found.values() for measure in each))
    if not measures:
        return None
    rows = [
        [
            name,
            *(
                Cell(f"{each[measure]:.3g}", each[measure]) if measure in each else None
                for measure in measures
            ),
        ]
        for name, each in found.items()
    ]
    key = {
        "spread std": "of the model's embeddings: 1 for an even spread, 0 for a collapse",
        "spread rank": "effective rank of the model's embeddings",
        "spread cosine": "mean cosine similarity of the embeddings of different images",
    }
    return Table(
        "Measures without labels after the last round, at the tap of the table above, means over"
        " seeds. A high value need not mean good features.",
        ["", *measures],
        rows,
        key={name: words for name, words in key.items() if name in measures},
    )


def settings_table(plan: Plan) -> Table:
    """What is each entry's own."""
    rows = []
    for name, entry in plan.entries.items():
        train = entry.recipe.train
        rows.append(
            [
                name,
                ", ".join(step.name for step in entry.recipe.augmentation) or "of the task alone",
                f"{entry.views_per_image:g}",
                train.images_per_batch,
                train.learning_rate,
                train.optimizer.name,
                train.schedule.name,
                f"{entry.rounds.count} × {entry.rounds.steps:,}",
            ]
        )
    headings = ["", "augmentation", "views of\nan image", "images in\na batch", "learning\nrate"]
    headings += ["optimizer", "schedule", "rounds ×\nsteps"]
    return Table("What is each one's own; all else is the same.", headings, rows, sortable=False)


def own_settings(entry: Planned) -> str:
    """The settings of an entry's task, in words."""
    settings = entry.recipe.task.model_dump(exclude={"name"})
    return ", ".join(f"{key} {value}" for key, value in settings.items())
