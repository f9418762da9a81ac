"""What the runs of a comparison came to, read from their folders."""

from pathlib import Path
from typing import Any

from rotkeras import pretext
from rotkeras.backbones import summary as backbone_summary
from rotkeras.compare import verdict
from rotkeras.compare.budget import parse
from rotkeras.compare.plan import COMPARED, Plan, Planned, run_name
from rotkeras.compare.protocol import MAIN, PROBES, chosen_tap, is_ranked
from rotkeras.files import read_json, read_json_lines
from rotkeras.run.folder import Run

Row = dict[str, Any]


def collect(folder: Path, plan: Plan, failures: dict[str, str]) -> dict[str, Any]:
    """The content of `results.json`: plain JSON, accuracies in 0 … 1.

    Args:
        folder: of the comparison.
        plan: its plan.
        failures: {run: the sentence that it ended with}.
    """
    entries = {name: _entry(folder, entry, plan, failures) for name, entry in plan.entries.items()}
    evaluated = [run for entry in entries.values() for run in entry["runs"].values() if run["tap"]]
    part = "test" if any(run["test"] for run in evaluated) else "validation"
    images = next((run["images"][part] for run in evaluated if run[part]), 0)
    untrained = _untrained(folder, plan)
    reasons = [run["no_probes"] for entry in entries.values() for run in entry["runs"].values()]
    for name, entry in entries.items():
        entry["summary"] = _summary(entry, untrained.get(name, {}), part, images)
    content: dict[str, Any] = {
        "budget": plan.budget,
        "rounds": plan.rounds,
        "seeds": plan.seeds,
        "by_backbone": plan.by_backbone,
        "source": next(
            (run["source"] for entry in entries.values() for run in entry["runs"].values()), ""
        ),
        "part": part,
        "images": images,
        "no_probes": next(filter(None, reasons), ""),
        "entries": entries,
        "untrained": untrained,
        "not_planned": {name: each for name, each in failures.items() if _is_entry(name, plan)},
    }
    content["verdict"] = _verdict(content)
    return content


def scores_of(runs: dict[str, Any], part: str, probe: str) -> dict[str, float]:
    """{seed: accuracy at the chosen tap} of the runs that count and have it."""
    return {
        seed: run[part][run["tap"]][probe]
        for seed, run in runs.items()
        if is_ranked(run) and run["tap"] and probe in run[part].get(run["tap"], {})
    }


def _is_entry(key: str, plan: Plan) -> bool:
    return not any(key.startswith(f"{name}-seed") for name in plan.entries)


def _entry(folder: Path, entry: Planned, plan: Plan, failures: dict[str, str]) -> dict[str, Any]:
    runs = {}
    for seed in range(plan.seeds):
        key = run_name(entry.name, seed)
        found = _run(Run(folder / key), entry, failures.get(key, ""))
        if found:
            runs[str(seed)] = found
    task = pretext.facts_of_section(entry.recipe.task, entry.recipe.train.images_per_batch)
    return {
        "task": task.name,
        "method": task.method,
        "backbone": backbone_summary(entry.recipe.backbone),
        "views": entry.views,
        "views_per_image": entry.views_per_image,
        "images_per_batch": entry.recipe.train.images_per_batch,
        "rounds": entry.rounds.count,
        "monitor": vars(task.monitor),
        "runs": runs,
    }


def _run(run: Run, entry: Planned, failure: str) -> dict[str, Any] | None:
    """What one run came to; None for one that has not begun, and has not failed."""
    if not run.metrics.exists() and not failure:
        return None
    metrics = read_json_lines(run.metrics) if run.metrics.exists() else []
    summary = run.load_summary() or {}
    compared = run.path / COMPARED
    done = read_json(compared) if compared.exists() else {}
    # Of an evaluation that has not ended the test set may not have been read yet.
    rows = rows_of(run, "frozen") if done else []
    last = metrics[-1] if metrics else {}
    status = "finished" if done else "failed" if failure else "unfinished"
    if done and done["collapsed"]:
        status = "collapsed"
    memory = run.path / "memory.json"
    rounds = _rounds(metrics, entry)
    chosen = (summary.get("encoder") or {}).get("best") or {}
    return {
        "status": status,
        "sentence": failure,
        "no_probes": done.get("no_probes", ""),
        "source": done.get("source", summary.get("source", "")),
        "images": images_of(run),
        **_accuracies(rows),
        "encoder_tap": chosen.get("tap"),
        "minutes": rounds[-1]["minutes"] if rounds else 0.0,
        "views": rounds[-1]["views"] if rounds else 0,
        "views_per_second": _speed(rounds),
        "seconds_in_all": summary.get("seconds"),
        "parameters": summary.get("parameters"),
        "memory": read_json(memory) if memory.exists() else {},
        "before": ((summary.get("probes") or {}).get("untrained")) or {},
        "rounds": rounds,
        "label_free": _label_free(last),
    }


def _rounds(metrics: list[Row], entry: Planned) -> list[Row]:
    """Minutes and views after each round, with the probes and the monitor.

    Minutes are views by the speed that training logs: without tracing, validation and probes.
    """
    monitor = pretext.facts_of_section(entry.recipe.task).monitor
    views_of_round = entry.views / entry.rounds.count
    found, minutes = [], 0.0
    for row in metrics:
        minutes += views_of_round / row["views_per_second"] / 60
        accuracies: dict[str, dict[str, float]] = {}
        for key, value in row.items():
            if key.startswith("probe/") and key.count("/") == 2:
                _, tap, probe = key.split("/")
                accuracies.setdefault(probe, {})[tap] = value
        found.append(
            {
                "round": row["epoch"],
                "minutes": minutes,
                "views": round(views_of_round * row["epoch"]),
                "probes": accuracies,
                "monitor": row.get(monitor.metric),
                "monitor_validation": row.get(f"val_{monitor.metric}"),
            }
        )
    return found


def _speed(rounds: list[Row]) -> float | None:
    return rounds[-1]["views"] / rounds[-1]["minutes"] / 60 if rounds else None


def _label_free(row: Row) -> dict[str, dict[str, float]]:
    """{tap: {measure: value}} of the last round, whatever measures were logged; "" for those of the
    model's embeddings."""
    found: dict[str, dict[str, float]] = {}
    for key, value in row.items():
        parts = key.split("/")
        if parts[0] == "quality" and len(parts) == 3 and value is not None:
            found.setdefault(parts[1], {})[parts[2]] = value
        elif parts[0] == "spread" and value is not None:
            found.setdefault("", {})[f"spread {parts[1]}"] = value
    return found


def rows_of(run: Run, mode: str) -> list[Row]:
    """The rows of the protocol for a network, "frozen" or "random", in the order of its taps."""
    path, compared = run.path / "evaluation.json", run.path / COMPARED
    if not path.exists():
        return []
    rows = [
        row
        for row in read_json(path)["rows"]
        if row["mode"] == mode and row["labels_per_class"] == "all"
    ]
    if not compared.exists():
        return rows
    order = read_json(compared)["taps"]
    return sorted(rows, key=lambda row: order.index(row["tap"]))


def images_of(run: Run) -> dict[str, int]:
    """How many images of each part a run was evaluated on."""
    path = run.path / "evaluation.json"
    return read_json(path)["images"] if path.exists() else {}


def _accuracies(rows: list[Row]) -> dict[str, Any]:
    """The chosen tap, and {tap: {probe: accuracy}} on validation and test."""
    found: dict[str, Any] = {"tap": None, "validation": {}, "test": {}}
    for row in rows:
        for part in ("validation", "test"):
            if row[part]:
                there = found[part].setdefault(row["tap"], {})
                there[row["probe"]] = row[part]["accuracy"]
    of_main = {tap: each[MAIN] for tap, each in found["validation"].items() if MAIN in each}
    return {**found, "tap": chosen_tap(of_main)}


def _untrained(folder: Path, plan: Plan) -> dict[str, dict[str, Any]]:
    """{name: {seed: accuracies}} of the untrained network of each entry's backbone."""
    found: dict[str, dict[str, Any]] = {}
    for name, entry in plan.entries.items():
        for seed in range(plan.seeds):
            for other in plan.entries.values():
                if other.recipe.backbone != entry.recipe.backbone:
                    continue
                rows = rows_of(Run(folder / run_name(other.name, seed)), "random")
                if rows := [row for row in rows if row["seed"] == seed]:
                    found.setdefault(name, {})[str(seed)] = _accuracies(rows)
                    break
    return found


def _summary(
    entry: dict[str, Any], untrained: dict[str, Any], part: str, images: int
) -> dict[str, Any]:
    """Means with intervals of the probes that the runs have, and the gain of the first."""
    runs = entry["runs"]
    found: dict[str, Any] = {"probes": {}, "gain": None, "untrained": {}}
    for probe in PROBES:
        if scores := scores_of(runs, part, probe):
            found["probes"][probe] = verdict.interval(scores, images).record()
        if before := scores_of(untrained, part, probe):
            found["untrained"][probe] = verdict.interval(before, images).record()
    gain = verdict.difference(scores_of(runs, part, MAIN), scores_of(untrained, part, MAIN), images)
    found["gain"] = gain.record() if gain else None
    return found


def _verdict(content: dict[str, Any]) -> list[str]:
    entries, part = content["entries"], content["part"]
    budget = f"{parse(content['budget'])}"
    noun = "backbone" if content["by_backbone"] else "task"
    if content["no_probes"] and not content["images"]:
        said = [
            f"Nothing here says which {noun} gives the better features, because"
            f" {content['no_probes']}: look at the measures without labels and at the neighbours."
        ]
    else:
        where = f"the {content['images']:,} {part} images of {content['source']}"
        said = verdict.sentences(
            {name: scores_of(entry["runs"], part, MAIN) for name, entry in entries.items()},
            {name: scores_of(each, part, MAIN) for name, each in content["untrained"].items()},
            content["images"],
            where,
            f"{budget} of training" if "minute" in budget or "second" in budget else budget,
            noun,
        )
    for status in ("collapsed", "failed"):
        names = [
            f"{name} ({count} of {content['seeds']} runs)"
            for name, entry in entries.items()
            if (count := sum(run["status"] == status for run in entry["runs"].values()))
        ]
        if names:
            left_out = ", left out of the ranking" if status == "collapsed" else ""
            said.append(f"{status.capitalize()}{left_out}: {', '.join(names)}.")
    unread = [
        f"{name}, seed {seed}"
        for name, entry in entries.items()
        for seed, run in entry["runs"].items()
        if is_ranked(run) and run["tap"] and run["tap"] not in run[part]
    ]
    if unread:
        said.append(f"Without a result on {part} images, left out: {'; '.join(unread)}.")
    if content["not_planned"]:
        said.append(f"Could not be trained: {', '.join(content['not_planned'])}.")
    return said
