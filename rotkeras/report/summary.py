"""A run in words: a sentence or two, and a list of facts."""

from collections.abc import Sequence
from typing import Any

from rotkeras import backbones
from rotkeras.report import scores
from rotkeras.report.collect import Gathered
from rotkeras.text import clock


def lead(run: Gathered) -> str:
    """The run in a sentence or two: the monitor of the task, and accuracy of its features."""
    if not run.metrics:
        return "No epoch has ended yet."
    last = run.metrics[-1]
    value, part = run.monitored()
    monitor = run.monitor
    seconds = (run.summary or {}).get("seconds")
    took = f" in {clock(seconds)}" if seconds else ""
    epochs = f"{last['epoch']} epoch{'s' if last['epoch'] != 1 else ''}"
    sentences = (
        f"After {epochs}{took} the {monitor.words} is {monitor.show(value or 0.0)} on {part} images"
        + (f" (chance: {monitor.show(monitor.chance)})." if monitor.chance is not None else ".")
    )
    for evaluation in run.evaluations[:1]:
        rows = scores.chosen_rows(evaluation)
        if rows[0]["mode"] != "frozen":
            continue
        twin = scores.untrained_twin(evaluation, rows)
        part = evaluation.part([*rows, *twin])
        mean = _mean(rows, part)
        beside = f", untrained {100 * _mean(twin, part):.1f} %" if twin else ""
        labels = rows[0]["labels_per_class"]
        few = "" if labels == "all" else f" from {labels} labels per class"
        sentences += (
            f" A {rows[0]['probe']} probe on tap {rows[0]['tap']}{few} has an accuracy of"
            f" {100 * mean:.1f} % on {evaluation.title(part)}{beside}."
        )
    return sentences


def facts(run: Gathered) -> list[tuple[str, str]]:
    """Names and values of what was trained, on what, and for how long."""
    recipe, summary = run.recipe, run.summary or {}
    last = run.metrics[-1] if run.metrics else {}
    images = summary.get("images") or {}
    source = summary.get("source") or getattr(recipe.data, recipe.data.kind) or "digits"
    settings = recipe.train
    names = run.task.class_names
    backbone = backbones.summary(recipe.backbone)
    found = [
        ("task", ": ".join([run.task.name, *([", ".join(names)] if names else [])])),
        ("images", source),
        ("backbone", backbone),
        ("epochs", f"{len(run.metrics)} of {settings.epochs}"),
        ("batch", f"{settings.images_per_batch} images"),
        ("learning rate", f"{settings.learning_rate:g}, {settings.schedule.name}"),
        ("optimizer", settings.optimizer.name),
        ("precision", settings.precision),
        ("seed", str(settings.seed)),
    ]
    if images:
        found.insert(
            2, ("training / validation", f"{images['train']:,} / {images['validation']:,} images")
        )
    if summary.get("parameters"):
        found.insert(4, ("parameters", f"{summary['parameters']:,}"))
    if summary.get("seconds"):
        found.append(("time", clock(summary["seconds"])))
    if last.get("views_per_second"):
        found.append(("speed", f"{last['views_per_second']:,.0f} views/s"))
    if summary.get("machine"):
        found.append(
            (
                "machine",
                (
                    f"{summary['machine']['cores']} cores,"
                    f" {summary['machine']['platform'].split('-')[0]}"
                ),
            )
        )
    return found


def _mean(rows: Sequence[dict[str, Any]], part: str) -> float:
    return float(sum(row[part]["accuracy"] for row in rows) / len(rows))
