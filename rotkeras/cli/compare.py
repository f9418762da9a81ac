"""`rotkeras compare`."""

from pathlib import Path
from typing import Any

import click


def _names(_context: Any, _parameter: Any, value: str | None) -> tuple[str, ...]:
    """Comma-separated names; a name that stands twice is refused where the names are known."""
    if value is None:
        return ()
    names = tuple(each.strip() for each in value.split(","))
    if not all(names):
        raise click.BadParameter(
            f"must be names between commas, none of them empty, got {value!r}."
        )
    return names


@click.command(context_settings={"show_default": True})
@click.argument("tasks", callback=_names)
@click.option(
    "--data",
    metavar="IMAGES",
    help=(
        "A folder, a list of files, an .npz, digits, or a name of tensorflow-datasets. If a folder"
        " and a set have the same name: ./NAME or tfds:NAME (embedded:digits)."
        " [default: those of the recipes]"
    ),
)
@click.option("--data-dir", help="Folder of prepared tensorflow-datasets sets.")
@click.option(
    "--backbone",
    metavar="NAME",
    help="Of all runs, such as nin or keras_applications:MobileNetV3Small. [default: the recipes']",
)
@click.option(
    "--backbones",
    callback=_names,
    metavar="NAME,NAME,…",
    help="Compare these backbones for one task.",
)
@click.option(
    "--budget",
    default="10min",
    metavar="10min|2e6views|5epochs",
    help="Of each run; minutes of training alone, at the speed that is measured first.",
)
@click.option("--seeds", type=click.IntRange(1, 100), default=3, help="Runs of each task.")
@click.option(
    "--rounds", type=click.IntRange(1, 1000), default=5, help="Parts of a run, probed after each."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="[TASK:]KEY.PATH=VALUE",
    help="Change one value of every recipe, or of one; may be given again.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="comparison.html",
    help="The page.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Of plan, runs and results. [default: the page's name with .compare]",
)
@click.option("--overwrite", is_flag=True, help="Delete the comparison in the folder.")
@click.option("--no-pictures", is_flag=True, help="A page without views and neighbours.")
def compare(
    tasks: tuple[str, ...],
    data: str | None,
    data_dir: str | None,
    backbone: str | None,
    backbones: tuple[str, ...],
    budget: str,
    seeds: int,
    rounds: int,
    overrides: tuple[str, ...],
    output: Path,
    folder: Path | None,
    overwrite: bool,
    no_pictures: bool,
) -> None:
    """Train several pretext TASKS on the same images and budget, and compare their features.

    TASKS are names, separated by commas, paths of recipes, or all. The settings of a task are those
    of its built-in recipe; images, backbone, seeds, precision and probes are the same for all. The
    result is one page, with a verdict. The same command resumes, or adds tasks and seeds.

    \b
    rotkeras compare rotation,simclr --data cifar10 --data-dir ~/tensorflow_datasets --budget 5min
    rotkeras compare all --data photos --backbone resnet --budget 2e6views --set data.image_size=64
    rotkeras compare rotation --data photos
    --backbones nin,resnet,keras_applications:MobileNetV3Small
    """
    from rotkeras.cli.compare_console import CompareConsole
    from rotkeras.compare import Settings

    settings = Settings(
        tasks=tasks,
        data=data,
        data_dir=data_dir,
        backbone=backbone,
        backbones=backbones,
        budget=budget,
        seeds=seeds,
        rounds=rounds,
        overrides=overrides,
    )
    place = folder or output.with_name(f"{output.stem}.compare")
    CompareConsole().run(settings, place, output, overwrite, not no_pictures)
