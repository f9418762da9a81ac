"""`rotkeras reproduce`."""

from pathlib import Path

import click
from click.core import ParameterSource

VOC = "table-voc"
NAMES = ("table1", "table2", "table3", "table9", "figure5a", "figure5b", VOC)


@click.command(context_settings={"show_default": True})
@click.argument("table", type=click.Choice(NAMES))
@click.option(
    "--scale",
    type=float,
    default=1.0,
    help=(
        "Share of the images and epochs; the width is multiplied by its square root. 1 is as"
        " published."
    ),
)
@click.option("--images", type=float, help="Share of the images alone.")
@click.option("--width", type=float, help="Share of the width alone.")
@click.option("--epochs", type=float, help="Share of the epochs alone, of pre-training and probes.")
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=1, help="How many; each pre-trains anew."
)
@click.option(
    "--recipe",
    type=click.Choice(["cifar10", "cifar10-paper"]),
    default="cifar10",
    help="The code's 200 epochs or the paper's 100.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Change one value of the recipe, such as train.xla=true.",
)
@click.option("--data-dir", help="Folder of prepared tensorflow-datasets sets.")
@click.option("--run", help="table-voc: the run whose encoder is fine-tuned.")
@click.option("--classify", help="table-voc: a VOC folder with lists of classes (VOC2007).")
@click.option("--detect", help="table-voc: a VOC folder with boxes (VOC2007).")
@click.option("--segment", help="table-voc: a VOC folder with masks (VOC2012).")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reproduced"),
    help="Where runs and results go.",
)
def reproduce(
    table: str,
    scale: float,
    images: float | None,
    width: float | None,
    epochs: float | None,
    seeds: int,
    recipe: str,
    overrides: tuple[str, ...],
    data_dir: str | None,
    run: str | None,
    classify: str | None,
    detect: str | None,
    segment: str | None,
    out: Path,
) -> None:
    """Reproduce TABLE of the paper and print the numbers beside the paper's.

    Pre-trains, fits probes and writes Markdown, CSV and a plot. After an interruption, the same
    command resumes. Tables share their runs. A --scale below 1 runs every step on less data; its
    numbers cannot be compared with the paper's.

    \b
    rotkeras reproduce table1 --scale 0.02
    rotkeras reproduce table3 --seeds 3 --set train.xla=true --set train.deterministic=false
    rotkeras reproduce table-voc --run runs/imagenet-alexnet --classify VOC2007
    """
    from dataclasses import replace

    from rotkeras.cli.reproduce_console import ReproduceConsole
    from rotkeras.files import check_writable
    from rotkeras.reproduce.scale import Scale

    out = check_writable(out, "--out", folder=True)
    sets = {"classify": classify, "detect": detect, "segment": segment}
    named = {task: path for task, path in sets.items() if path is not None}
    if table == VOC:
        context = click.get_current_context()
        for name in ("images", "width", "epochs", "seeds", "recipe", "data_dir"):
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{option} is not for {VOC}; leave it out.")
        _of_voc(run, named, out, scale, overrides)
        return
    if run is not None or named:
        raise click.UsageError("--run, --classify, --detect and --segment are for table-voc.")
    chosen = Scale.of(scale)
    given = {
        name: value
        for name, value in (("images", images), ("width", width), ("epochs", epochs))
        if value is not None
    }
    ReproduceConsole().run(table, out, recipe, replace(chosen, **given), seeds, overrides, data_dir)


def _of_voc(
    run: str | None, sets: dict[str, str], out: Path, scale: float, overrides: tuple[str, ...]
) -> None:
    """Fine-tune a run to PASCAL VOC and write the table."""
    from rotkeras.reproduce.scale import Scale

    Scale.of(scale)  # a mistake is reported at once
    if run is None or not sets:
        raise click.UsageError(
            "table-voc needs --run, and at least one of --classify, --detect and --segment."
        )
    from rotkeras.training import devices

    devices.check_tensorflow("reproduce table-voc")
    from rotkeras.cli.embed import interruptible, new_console, start

    console = new_console()
    with interruptible() as interrupted:
        start(console)
        from rotkeras.cli.finetune_console import FineTuneConsole
        from rotkeras.reproduce.voc import reproduce_voc

        shown = FineTuneConsole(console, interrupted)
        _, path = reproduce_voc(run, sets, out, scale, overrides, shown.tell, shown.begun)
    console.print(path.read_text(encoding="utf-8"), markup=False)
    console.print(f"written: {path}", markup=False)
