"""The page of a fine-tuning: curve, classes, confusion, and predictions to look at."""

from pathlib import Path
from typing import Any

from rotkeras.page import Cell, Picture, Table, render, to_picture, write_page
from rotkeras.report.curves import over_epochs
from rotkeras.text import clock, points, readable_size
from rotkeras.transfer.base import Goal, Labelled
from rotkeras.transfer.segment.colours import voc_colours

_HEADINGS = {
    "classify": "Worst errors",
    "detect": "Hits and misses",
    "segment": "Least accurate predictions",
}
_WORDS = {
    "classify": "Test images whose own class got the least probability.",
    "detect": (
        "Test photographs with most mistakes first, then with fewest: found objects are green,"
        " missed ones orange, and finds of nothing red. Shown are the ten best detections with a"
        " score of 0.3 or more."
    ),
    "segment": "Test photographs, their true classes, and the predicted ones.",
}
_MOST_CONFUSED = 20


def write(
    path: Path,
    goal: Goal,
    labelled: Labelled,
    summary: dict[str, Any],
    metrics: list[dict[str, Any]],
    pictures: list[tuple[str, Any]],
    confusion: Any,
    proof: dict[str, Any] | None,
    recipe: str,
) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        goal: of the fine-tuning.
        labelled: its images.
        summary: the content of `summary.json`.
        metrics: rows of `metrics.jsonl`.
        pictures: (caption, uint8 (H, W, 3)).
        confusion: int (C, C), rows are true classes; None where there is none.
        proof: the content of the export's `verify.json`, or None.
        recipe: the resolved recipe in YAML.
    """
    key = f"val_{goal.score.key}"
    points = [(row["epoch"], row[key]) for row in metrics if row.get(key) is not None]
    curve = over_epochs(
        [("validation", points)],
        "score",
        f"{goal.score.words[:1].upper()}{goal.score.words[1:]} over epochs",
        f"{goal.score.short}, %",
    )
    shown: list[Picture] = [
        to_picture(picture, caption, caption, lossless=False) for caption, picture in pictures
    ]
    html = render(
        "rotkeras.transfer",
        "finetuned.html.j2",
        f"rotkeras: {summary['name']}",
        lead=lead(summary),
        facts=facts(summary),
        notes=summary["notes"],
        curve=curve,
        classes=class_table(summary, goal),
        confusion=None if confusion is None else confusion_table(confusion, labelled.class_names),
        heading=_HEADINGS[goal.name],
        words=_WORDS[goal.name],
        pictures=shown,
        legend=_legend(goal, labelled),
        files=None if proof is None else file_table(proof),
        recipe=recipe,
    )
    write_page(path, html)


def _legend(goal: Goal, labelled: Labelled) -> list[tuple[str, str]]:
    """(class name, colour) of masks; [] for other goals."""
    if goal.name != "segment":
        return []
    colours = voc_colours(len(labelled.class_names))
    return [
        (name, f"rgb({red}, {green}, {blue})")
        for name, (red, green, blue) in zip(labelled.class_names, colours.tolist(), strict=True)
    ]


def lead(summary: dict[str, Any]) -> str:
    """The result in one sentence."""
    test = summary["test"]
    return (
        f"{summary['score_words'][:1].upper()}{summary['score_words'][1:]}"
        f" {100 * test['score']:.1f} % ({100 * test['low']:.1f} … {100 * test['high']:.1f}) on"
        f" {test['images']:,} test images, with an encoder"
        f" {summary['encoder_words']}."
    )


def facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What stands in the box at the top."""
    images = summary["images"]
    counts = " / ".join(f"{images[part]:,}" for part in ("train", "validation", "test"))
    found = [
        ("task", summary["task"]),
        ("encoder", summary["encoder"]),
        ("train / validation / test", counts),
        ("classes", f"{len(summary['class_names']):,}"),
        ("image size", summary["image_size"]),
        ("epochs", f"{summary['epochs']} (best: {summary['best_epoch']})"),
        ("training", clock(summary["seconds"])),
        ("validation", f"{100 * summary['validation']:.1f} %"),
        ("parameters", f"{summary['parameters']:,}"),
        ("seed", str(summary["seed"])),
    ]
    details = summary["test"]["details"]
    return [*found, *((name, f"{100 * each:.1f} %") for name, each in details.items())]


def class_table(summary: dict[str, Any], goal: Goal) -> Table:
    """The score of each class."""
    rows = [
        [name, Cell("–", -1.0) if value is None else Cell(f"{100 * value:.1f}", value, value)]
        for name, value in summary["test"]["classes"].items()
    ]
    what = {
        "accuracy": "accuracy",
        "map": "average precision",
        "miou": "intersection over union",
    }[goal.score.key]
    return Table(
        f"{what[:1].upper()}{what[1:]} of each class on the test images, in %.",
        ["class", what],
        rows,
    )


def confusion_table(matrix: Any, names: Any) -> Table:
    """The confusion matrix, or of many classes the pairs that are confused most."""
    if len(names) <= _MOST_CONFUSED:
        rows = [
            [
                names[true],
                *(
                    Cell(
                        f"{100 * count / max(1, counts.sum()):.0f}" if count else "",
                        float(count),
                        float(count / max(1, counts.sum())),
                        title=f"true {names[true]}, predicted {names[found]}: {count:,}",
                    )
                    for found, count in enumerate(counts)
                ),
            ]
            for true, counts in enumerate(matrix)
        ]
        words = "Rows are the true class, columns the predicted class, in % of the row."
        return Table(words, ["", *names], rows, sortable=False)
    pairs = sorted(
        (
            (int(matrix[true, found]), true, found)
            for true in range(len(names))
            for found in range(len(names))
            if true != found and matrix[true, found]
        ),
        reverse=True,
    )[:_MOST_CONFUSED]
    return Table(
        "The pairs of classes that are confused most.",
        ["true", "predicted", "images"],
        [[names[true], names[found], count] for count, true, found in pairs],
    )


def file_table(proof: dict[str, Any]) -> Table:
    """The exported files beside Keras."""
    rows = []
    for name, record in proof["files"].items():
        (drop,) = record["drops"].values()
        lost = points(drop["drop"], drop["low"], drop["high"])
        rows.append(
            [
                name,
                Cell(readable_size(record["bytes"]), record["bytes"]),
                Cell(f"{record['milliseconds']:.3g}", record["milliseconds"]),
                Cell(f"{100 * record['score']['score']:.1f}", record["score"]["score"]),
                Cell(lost, drop["drop"]),
            ]
        )
    return Table(
        "Files on one thread of this machine, and their drop against Keras in points (95 %"
        " interval over images).",
        ["file", "size", "ms", "score, %", "drop"],
        rows,
    )
