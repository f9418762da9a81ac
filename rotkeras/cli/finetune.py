"""`rotkeras finetune`."""

import sys
from pathlib import Path

import click

TASKS = ("classify", "detect", "segment")


@click.command(context_settings={"show_default": True})
@click.argument("task", type=click.Choice(TASKS))
@click.argument("encoder", metavar="RUN")
@click.option(
    "--data",
    metavar="PATH",
    help=(
        "Labelled images: class folders, a VOCdevkit, COCO, YOLO, images and masks, a list, or a"
        " set of tensorflow-datasets. [default: the recipe's]"
    ),
)
@click.option(
    "--recipe", help="A YAML file or a built-in recipe of the task. [default: that of its name]"
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Change one value of the recipe; may be given again.",
)
@click.option("--data-dir", help="Folder of prepared tensorflow-datasets sets.")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of the result. [default: runs/<name of the recipe>]",
)
@click.option("--overwrite", is_flag=True, help="Replace a fine-tuning that is there.")
def finetune(
    task: str,
    encoder: str,
    data: str | None,
    recipe: str | None,
    overrides: tuple[str, ...],
    data_dir: str | None,
    folder: Path | None,
    overwrite: bool,
) -> None:
    """Fine-tune the encoder of RUN to a classifier, a detector or a segmenter.

    RUN is a run folder, a .keras file, or none: the recipe's backbone from scratch. Writes the
    network, a page, and files for devices, each proven on the test images. Exit code 1 if the score
    of a file drops by more than export.max_drop.

    \b
    rotkeras finetune classify runs/folder --data photos-in-class-folders
    rotkeras finetune detect runs/folder --data VOCdevkit/VOC2007
    rotkeras finetune segment runs/folder --data streets --set task.head=lr_aspp
    rotkeras finetune classify none --data cifar10 --set data.image_size=32
    """
    from rotkeras.recipe.files import load_kind
    from rotkeras.training import devices
    from rotkeras.transfer.folder import check_folder
    from rotkeras.transfer.settings import FineTuning

    given = {"path": data, "data_dir": data_dir}
    chosen = load_kind(
        FineTuning,
        recipe or task,
        overrides,
        {key: value for key, value in given.items() if value is not None},
    )
    if chosen.task.name != task:
        raise click.UsageError(
            f"The recipe {recipe} is one to {chosen.task.name}, and the task is {task}."
        )
    chosen = chosen.model_copy(update={"encoder": encoder})
    # Mistakes are reported before the seconds that TensorFlow takes to start.
    if chosen.data.path is None:
        raise click.UsageError("Give the labelled images with --data PATH.")
    target = check_folder(folder or Path("runs") / chosen.name, overwrite)
    devices.check_tensorflow("finetune")

    from rotkeras.cli.embed import interruptible, new_console, start

    console = new_console()
    with interruptible() as interrupted:
        start(console)
        from rotkeras.cli.finetune_console import FineTuneConsole

        shown = FineTuneConsole(console, interrupted)
        summary, exported = shown.run(chosen, target, overwrite)
    shown.show(summary, exported, target)
    if exported is not None and exported.rejected:
        sys.exit(1)
