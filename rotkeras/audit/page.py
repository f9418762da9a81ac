"""The audit's page, and its figures as JSON."""

from pathlib import Path

import numpy as np

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.audit.charts import shortcut_figure
from rotkeras.audit.findings import percent
from rotkeras.audit.limits import FEWEST_IMAGES
from rotkeras.audit.questions import Question
from rotkeras.audit.report import Folder, Report
from rotkeras.audit.sheets import sheet
from rotkeras.audit.up import Up
from rotkeras.page import Cell, Figure, Picture, Table, check_page, render, write_page

_EXAMPLES, _MOST_PAIRS = 12, 200


@checked
def write(report: Report, path: AnyPath, overwrite: bool = False) -> Path:
    """Write the page of an audit, one HTML file that needs nothing else.

    Args:
        report: of `audit`.
        path: a file that ends in `.html`.
        overwrite: replace a file that is there.

    Raises:
        UserError: when the path may not be written.
    """
    file = check_page(path, overwrite)
    write_page(file, page(report))
    return file


def page(report: Report) -> str:
    """The page of an audit as HTML."""
    whole = report.whole
    evaluated = f"{whole.evaluated:,}" if whole.evaluated else f"none: below {FEWEST_IMAGES}"
    if report.task and report.questions and report.up is None:
        evaluated = "none: the task predicts no rotations"
    facts = [
        *([("task", report.task)] if report.task else []),
        ("images to train on", f"{whole.images:,}"),
        ("seen as", f"{report.size} × {report.size}"),
        ("evaluated by the network", evaluated),
        ("rotation accuracy", _with_margin(whole)),
        ("ambiguous", percent(whole.ambiguous)),
        ("look rotated already", percent(whole.turned)),
        ("rotated by EXIF", percent(whole.exif)),
        ("files not read", f"{len(report.skipped):,}"),
    ]
    up = report.up
    return render(
        "rotkeras.audit",
        "audit.html.j2",
        f"Audit of {report.name}",
        report=report,
        facts=facts,
        folders=folder_table(report.folders),
        shortcuts=(
            shortcut_figure(report.shortcuts, whole.accuracy)
            if report.shortcuts and not report.task
            else None
        ),
        questions=[_question(number, each) for number, each in enumerate(report.questions)],
        confusion=None if up is None else _confusion(up),
        examples=[] if up is None else _examples(report, up),
        pairs=_pairs(report),
        skipped=Table(
            "Files that could not be read",
            ["file", "reason"],
            [[each.path, each.reason] for each in report.skipped[:200]],
        ),
        seed=report.seed,
    )


def folder_table(folders: list[Folder]) -> Table:
    """The figures of all images and of each folder."""

    def share(value: float | None) -> Cell:
        return Cell(percent(value), -1.0 if value is None else value)

    rows = [
        [
            each.name,
            each.images,
            Cell(
                _with_margin(each),
                each.accuracy if each.accuracy is not None else -1.0,
                shade=each.accuracy,
            ),
            share(each.ambiguous),
            share(each.turned),
            share(each.corners),
            share(each.duplicates),
            share(each.turned_duplicates),
            share(each.exif),
            share(each.portrait),
            share(each.landscape),
        ]
        for each in folders
    ]
    key = {
        "up": "rotation accuracy of the small network with its 95 % interval; chance is 25 %",
        "ambiguous": "images without a likely way up",
        "turned": "images that are already rotated, according to all four views",
        "corners": "images with the empty corners of a rotation by interpolation",
        "copies": "images that are an upright copy of an earlier one",
        "turned copies": "images that are a turned copy of an earlier one",
    }
    columns = [
        "folder",
        "images",
        "up",
        "ambiguous",
        "turned",
        "corners",
        "copies",
        "turned copies",
        "EXIF",
        "portrait",
        "landscape",
    ]
    return Table("All images, and each folder or class", columns, rows, key=key)


def _with_margin(folder: Folder) -> str:
    return (
        "–"
        if folder.accuracy is None or folder.margin is None
        else f"{percent(folder.accuracy)} ± {100 * folder.margin:.1f}"
    )


def _question(number: int, question: Question) -> tuple[str, str, Figure, Picture]:
    """Heading, words, figure and views of what a task asks."""
    count, height, width = question.shape
    views = "one view" if count == 1 else f"{count} views"
    words = f"Predictors see {views} of {height}×{width} pixels"
    if question.kind == "pairs":
        words += (
            f" of each image, and look for the nearest view among those of {question.classes}"
            " images by the distance of standardised features."
        )
    elif question.kind == "parameters":
        words += "; a ridge regression on other images predicts the numbers."
    else:
        words += (
            f"; a linear classifier on other images predicts one of {question.classes} classes."
        )
    lines = [question.examples[:, view] for view in range(count)]
    below = (
        f"The {views} of the first rows, one below the other." if count > 1 else "The first rows."
    )
    picture = sheet(lines, f"views of {len(question.examples)} rows", below)
    figure = shortcut_figure(question.results, None, f"shortcuts{number}")
    return f"Shortcuts: {question.asks}", words, figure, picture


def _confusion(up: Up) -> Table:
    angles = [f"{90 * number}°" for number in range(4)]
    rows = [
        [angle, *(Cell(percent(share), share, shade=share) for share in line)]
        for angle, line in zip(angles, up.confusion, strict=True)
    ]
    caption = "Views of each angle (row) by predicted angle (column)"
    return Table(caption, ["view", *angles], rows, sortable=False)


def _examples(report: Report, up: Up) -> list[tuple[str, str, Picture]]:
    """Headings, words and pictures of the images that a look is worth."""
    found = []
    certain = up.way_up.max(axis=1)
    rows = np.argsort(certain, kind="stable")[:_EXAMPLES]
    rows = rows[up.ambiguous[rows]]
    if len(rows):
        words = "The images for which the network is least certain of any orientation."
        found.append(("Most ambiguous", words, _sheet(report, rows, "the most ambiguous images")))
    otherwise = up.way_up[:, 1:].max(axis=1)
    rows = np.argsort(-otherwise, kind="stable")[:_EXAMPLES]
    rows = rows[up.turned[rows]]
    if len(rows):
        words = (
            "Above: as stored. Below: rotated upright as the network predicts. It is a small"
            " network: check by eye, and look for a pattern, such as one camera or one folder."
        )
        found.append(
            (
                "Most likely rotated",
                words,
                _sheet(report, rows, "images that look rotated", up.way_up.argmax(axis=1)),
            )
        )
    return found


def _sheet(report: Report, rows: np.ndarray, what: str, turns: np.ndarray | None = None) -> Picture:
    lines = [report.pixels[rows]]
    if turns is not None:
        lines.append(np.stack([np.rot90(report.pixels[row], -turns[row]) for row in rows]))
    names = ", ".join(report.names[report.drawn[row]] for row in rows)
    return sheet(lines, f"{len(rows)} of {what}", f"From left to right: {names}")


def _pairs(report: Report) -> Table:
    copies = report.duplicates
    order = np.lexsort((copies.second, copies.turns == 0))[:_MOST_PAIRS]  # turned ones first
    rows = [
        [
            report.names[copies.second[each]],
            report.names[copies.first[each]],
            f"{90 * copies.turns[each]}°",
            "same pixels" if copies.exact[each] else "nearly the same",
        ]
        for each in order
    ]
    more = f"; the first {_MOST_PAIRS} of {len(copies):,}" if len(copies) > _MOST_PAIRS else ""
    return Table(
        f"Images that are copies of others{more}",
        ["image", "is a copy of", "rotated by", "similarity"],
        rows,
    )
