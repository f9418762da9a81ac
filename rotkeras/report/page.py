"""Write the page: gather, draw, render."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotkeras.arguments.accepted import AnyPath, Paths, Text
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError
from rotkeras.files import check_writable
from rotkeras.page import render, write_page
from rotkeras.report import classes, compare, curves, efficiency, encoders, quality, scores
from rotkeras.report.answers import answers
from rotkeras.report.collect import Gathered, gather_all
from rotkeras.report.summary import facts, lead
from rotkeras.run import images as run_images
from rotkeras.text import command_line


@checked
def write_report(
    runs: Paths,
    path: AnyPath,
    *,
    pictures: bool = True,
    data_dir: Text | None = None,
    data: run_images.Locations | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write one HTML page of a run, or of several side by side.

    Args:
        runs: run folders; one that has not ended shows what is there.
        path: where the page goes; a page that is there is replaced.
        pictures: whether networks and images are loaded, for attention, filters, neighbours and the
            map of embeddings. Without them the page is made from the run's tables alone, without
            TensorFlow.
        data_dir: where tensorflow-datasets keeps prepared sets; None for what the recipes say.
        data: where the runs' images lie, if they have moved, such as {"folder": "photos"}; see
            `rotkeras.run.images.load_run_images`.
        progress: called with the name of each step.

    Returns:
        The path of the page.

    Raises:
        UserError: for a folder that is no run, a run given twice, or a page that cannot be written.
            Images or networks that are not there any more are noted on the page.
    """
    gathered = gather_all([Path(run) for run in runs])
    if not gathered:
        raise UserError("A report needs a run: give the folder of at least one.")
    file = check_writable(path, "The page")
    tell = progress or (lambda _step: None)
    sections = []
    for run in gathered:
        tell(f"{run.name}: curves and tables")
        section = _section(run)
        if pictures:
            from rotkeras.report.draw import add_pictures

            add_pictures(section, run, data_dir, tell, data)
        sections.append(section)
    several = len(gathered) > 1
    title = f"rotkeras report: {', '.join(run.name for run in gathered)}"
    html = render(
        "rotkeras.report",
        "report.html.j2",
        title,
        runs=sections,
        several=several,
        comparison=compare.side_by_side(gathered) if several else [],
        shared=(
            [
                each
                for each in (
                    curves.monitor_curve(gathered, "all-monitor"),
                    curves.best_probe_curve(gathered, "all-probe"),
                )
                if each
            ]
            if several
            else []
        ),
        made=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        command=command_line("rotkeras", "report", *map(Path, runs)),
    )
    write_page(file, html)
    return file


def _section(run: Gathered) -> dict[str, Any]:
    """All of a run that needs no network."""
    again = Path(f"{run.run.path}-again")
    evaluated = [
        {
            "name": each.name,
            "title": each.content["images"]["source"],
            "taps": scores.taps_by_probe(each),
            "about_tap": scores.about_tap(each),
            "figure": scores.taps_figure(each, f"{run.key}-taps{number}"),
            "classes": classes.class_table(each),
            "confusion": classes.confusion_table(each),
            "labels": efficiency.label_efficiency(each, f"{run.key}-labels{number}"),
            "protocol": each.content.get("protocol", ""),
        }
        for number, each in enumerate(run.evaluations)
    ]
    figures = [
        curves.monitor_curve([run], f"{run.key}-monitor"),
        curves.output_curve(run, f"{run.key}-outputs"),
        *curves.probe_curves(run, f"{run.key}-probe"),
        curves.online_probe_curve(run, f"{run.key}-online"),
    ]
    figures.append(curves.equivariance_curve(run, f"{run.key}-equivariance"))
    figures += curves.spread_curves(run, f"{run.key}-spread")
    drawn = answers(run)  # before the notes are read
    return {
        "key": run.key,
        "name": run.name,
        "path": str(run.run.path),
        "notes": list(run.notes),
        "lead": lead(run),
        "facts": facts(run),
        "curves": [figure for figure in figures if figure],
        "online": scores.online_table(run),
        "answers": drawn,
        "quality": quality.quality_table(run),
        "quality_curves": quality.quality_curves(run, f"{run.key}-quality"),
        "evaluations": evaluated,
        "attention": None,
        "equivariance": None,
        "filters": [],
        "variety": None,
        "neighbours": None,
        "alike": "",
        "map": None,
        "about_tap": encoders.about_tap(run),
        "encoders": encoders.encoder_table(run),
        "exports": encoders.export_table(run),
        "recipe": run.run.recipe.read_text(encoding="utf-8"),
        "command": command_line("rotkeras", "train", run.run.recipe, "--run-dir", again),
    }
