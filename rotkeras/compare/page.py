"""The page of a comparison."""

import datetime
from pathlib import Path
from typing import Any

from rotkeras import recipe as recipes
from rotkeras.backbones import summary as backbone_summary
from rotkeras.compare import bars, figures, tables
from rotkeras.compare.budget import parse
from rotkeras.compare.plan import Plan, Planned, run_name
from rotkeras.errors import UserError
from rotkeras.page import Picture, render, write_page
from rotkeras.run.folder import Run
from rotkeras.text import clock, command_line


def write(
    path: Path, folder: Path, plan: Plan, content: dict[str, Any], with_pictures: bool
) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        folder: of the comparison.
        plan: its plan.
        content: of `results.json`.
        with_pictures: whether images and encoders are loaded.
    """
    notes = _notes(content)
    views: list[Picture] = []
    nearest: list[Picture] = []
    if with_pictures:
        views, nearest = _pictures(folder, plan, content, notes)
    noun = "Backbones" if content["by_backbone"] else "Pretext tasks"
    html = render(
        "rotkeras.compare",
        "compare.html.j2",
        f"{noun} compared: {', '.join(content['entries'])}",
        heading=f"{noun} on {content['source'] or 'the same images'}",
        verdict=content["verdict"],
        notes=notes,
        facts=_facts(folder, plan, content),
        main=tables.main_table(content),
        curves=[
            each
            for each in (
                bars.scores_figure(content),
                figures.accuracy_curve(content, "minutes"),
                figures.accuracy_curve(content, "views"),
                *figures.tap_figures(content),
            )
            if each
        ],
        monitors=figures.monitor_figures(content),
        label_free=tables.label_free_table(content),
        views=views,
        nearest=nearest,
        runs=tables.run_table(content),
        settings=tables.settings_table(plan),
        recipes=[_recipe(folder, entry) for entry in plan.entries.values()],
        made=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    )
    write_page(path, html)


def _notes(content: dict[str, Any]) -> list[str]:
    notes = []
    if content["seeds"] == 1 and content["images"]:
        notes.append("One seed: how much the numbers change with the seed is not known.")
    if content["no_probes"]:
        notes.append(f"No probes: {content['no_probes']}.")
    for name, entry in content["entries"].items():
        for seed, run in entry["runs"].items():
            if run["sentence"]:
                notes.append(f"{name}, seed {seed}, {run['status']}: {run['sentence']}")
    notes += [f"{name}: {sentence}" for name, sentence in content["not_planned"].items()]
    return notes


def _facts(folder: Path, plan: Plan, content: dict[str, Any]) -> list[tuple[str, str]]:
    budget = parse(plan.budget)
    first = next(iter(plan.entries.values())).recipe
    facts = [
        ("budget of each run", f"{budget}"),
        ("seeds", str(plan.seeds)),
        ("rounds", str(plan.rounds)),
    ]
    if not content["by_backbone"]:
        facts.append(("backbone", backbone_summary(first.backbone)))
    summary = next((each for each in _summaries(folder, plan) if each), None)
    if summary:
        images = summary["images"]
        counts = [images["train"], images["validation"], _test_images(content)]
        facts.append(("train / validation / test images", " / ".join(f"{n:,}" for n in counts)))
    facts.append(("precision", first.train.precision))
    if summary:
        total = sum(each["seconds"] for each in _summaries(folder, plan) if each)
        machine = summary["machine"]
        facts += [
            ("all runs, with their probes", clock(total)),
            ("machine", f"{machine['platform'].split('-')[0]}, {machine['cores']} cores"),
            ("library", f"{summary['backend']}, Keras {summary['versions']['keras']}"),
        ]
    return facts


def _summaries(folder: Path, plan: Plan) -> list[dict[str, Any] | None]:
    return [Run(folder / run_name(name, seed)).load_summary() for name, seed in plan.runs]


def _test_images(content: dict[str, Any]) -> int:
    for entry in content["entries"].values():
        for run in entry["runs"].values():
            if "test" in run["images"]:
                return int(run["images"]["test"])
    return 0


def _recipe(folder: Path, entry: Planned) -> dict[str, str]:
    path = folder / run_name(entry.name, 0)
    return {
        "name": entry.name,
        "own": tables.own_settings(entry),
        "yaml": recipes.dump(entry.with_seed(0)),
        "command": command_line(
            "rotkeras", "train", path / "recipe.yaml", "--run-dir", Path(f"{path}-again")
        ),
    }


def _pictures(
    folder: Path, plan: Plan, content: dict[str, Any], notes: list[str]
) -> tuple[list[Picture], list[Picture]]:
    """(views of each entry, neighbours of each entry); what cannot be made is noted."""
    from rotkeras.training import devices

    devices.quiet()  # before TensorFlow is imported
    from rotkeras.compare import pictures
    from rotkeras.run.images import load_source
    from rotkeras.run.probe_images import load_probe_images_beside

    views: list[Picture] = []
    nearest: list[Picture] = []
    try:
        recipe = next(iter(plan.entries.values())).recipe
        source = load_source(recipe)
        # Neighbours are looked for among the images that features are evaluated on.
        labelled = load_probe_images_beside(recipe, source) or source
    except UserError as error:
        notes.append(f"No pictures of images: {error}")
        return [], []
    held_out = (labelled.validation or labelled.train).draw(pictures.SEARCHED, 0, "stratified")
    for name, entry in plan.entries.items():
        if not content["by_backbone"] or not views:
            try:
                views += filter(None, [pictures.views_of(entry, source.train)])
            except UserError as error:
                notes.append(f"No views of {name}: {error}")
        runs = content["entries"][name]["runs"]
        seed = next((seed for seed, run in runs.items() if run["status"] == "finished"), None)
        if seed is not None:
            try:
                picture, _ = pictures.neighbours(Run(folder / run_name(name, seed)), name, held_out)
                nearest.append(picture)
            except UserError as error:
                notes.append(f"No neighbours of {name}: {error}")
    return views, nearest
