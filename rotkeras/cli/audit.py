"""`rotkeras audit`."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from rotkeras.cli.embed import interruptible, new_console, showing, start
from rotkeras.cli.skipped import tell_skipped
from rotkeras.files import expanded


@click.command()
@click.argument("data")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    default=Path("audit.html"),
    show_default=True,
    help="The page to write, a .html file.",
)
@click.option(
    "--json",
    "figures",
    type=click.Path(path_type=Path),
    help="Write all figures and the names of images to a .json file.",
)
@click.option("--data-dir", help="Folder of prepared tensorflow-datasets sets.")
@click.option(
    "--list-folder", help="Where the paths of a list begin.  [default: the folder of the list]"
)
@click.option(
    "--image-size",
    type=int,
    help="Pixels of each side in training.  [default: 64 for files, else as they are]",
)
@click.option(
    "--images",
    type=int,
    default=5000,
    show_default=True,
    help="Most images for networks and shortcuts (a random draw).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Random seed.",
)
@click.option(
    "--crops",
    is_flag=True,
    help=(
        "Evaluate random resized crops, cut from the photographs as training with"
        " data.storage=encoded cuts them, instead of centred squares."
    ),
)
@click.option(
    "--task",
    "task_name",
    metavar="NAME|RECIPE",
    help="Look for shortcuts in the views of this task or recipe.  [default: rotation]",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting of the recipe of --task, such as task.gap=0; may be repeated.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def audit(
    data: str,
    path: Path,
    figures: Path | None,
    data_dir: str | None,
    list_folder: str | None,
    image_size: int | None,
    images: int,
    seed: int,
    crops: bool,
    task_name: str | None,
    overrides: tuple[str, ...],
    overwrite: bool,
) -> None:
    """Check whether predicting rotations, or another task, suits the images of DATA, before
    training.

    Looks for images without an upright orientation, rotated images, empty corners, copies, and
    shortcuts: borders, colours, the JPEG grid or noise that reveal the rotation. Exit code 0:
    suitable. 1: something was found. 2: a mistake in the command. 3: too few images to decide.

    With --task the shortcuts are those of the views that this task makes, with its augmentations
    and those of the recipe: can chromatic aberration, colours, or borders that meet give the
    task's answers away?

    A recipe that trains on crops of one image (data.crops) makes its crops of DATA, and these are
    searched; DATA may then be an image file.

    DATA is a folder (searched recursively), a list of files (.csv, .tsv, .txt), an .npz of arrays,
    digits, or a name of tensorflow-datasets. If a folder and a set have the same name, write ./NAME
    for the folder and tfds:NAME or embedded:digits for the set.

    \b
    rotkeras audit photos
    rotkeras audit cifar10 --data-dir ~/tensorflow_datasets -o cifar10.html
    rotkeras audit photos --task simclr --set task.color_strength=0
    rotkeras audit photograph.jpg --task single_image
    """
    from rotkeras.cli.audit_task import named_task
    from rotkeras.data.folder import check_folder
    from rotkeras.data.interpret import interpret
    from rotkeras.embedding.feature_file import check_file
    from rotkeras.errors import UserError
    from rotkeras.files import write_json
    from rotkeras.page import check_page

    path = check_page(path, overwrite, "-o")  # before minutes of work
    if figures is not None:
        figures = check_file(figures, (".json",), overwrite, "--json")
    kind, _ = interpret(data, data_dir)
    is_file = kind == "folder" and expanded(data).is_file()
    not_a_folder = (
        f"{data!r} is a file. Give a folder of images, a list of files, an .npz file, the name of a"
        " tensorflow-datasets set, or --task with a recipe that makes crops (single_image)."
    )
    if is_file and task_name is None:
        raise UserError(not_a_folder)
    if kind == "folder" and not is_file:
        check_folder(expanded(data))
    if overrides and task_name is None:
        raise UserError("--set needs --task, whose recipe it changes; add --task NAME.")
    console = new_console()
    with interruptible() as interrupted:
        start(console)
        named = None if task_name is None else named_task(task_name, overrides)
        if named is not None and image_size is None:
            image_size = named.image_size
        made = None if named is None else named.crops
        if is_file and made is None:
            raise UserError(not_a_folder)
        if crops and made is not None:
            raise UserError(
                f"--crops is for training on photographs, but the recipe {task_name} makes crops of"
                " its own (data.crops): leave --crops out, or add --set data.crops=null."
            )
        from rotkeras.audit import audit as run
        from rotkeras.audit import write
        from rotkeras.audit.collection import FOLDER_IMAGE_SIZE

        if kind in ("folder", "list") and image_size is None:
            console.print(
                f"images are resized to {FOLDER_IMAGE_SIZE} × {FOLDER_IMAGE_SIZE}, as by `rotkeras"
                " train folder`; change it with --image-size"
            )
        with ExitStack() as stack:
            shown: list[str] = []

            def progress(what: str, done: int, total: int) -> None:
                if shown[-1:] != [what]:
                    stack.close()
                    report_to.append(stack.enter_context(showing(console, what, interrupted)))
                    shown.append(what)
                report_to[-1](done, total)

            report_to: list = []
            report = run(
                data,
                data_dir=data_dir,
                list_folder=list_folder,
                image_size=image_size,
                images=images,
                seed=seed,
                crops=made or crops,
                task=None if named is None else named.task,
                task_name="" if named is None else named.name,
                augmentation=() if named is None else named.augmentation,
                progress=progress,
            )
        write(report, path, overwrite)
        if figures is not None:
            write_json(figures, report.to_json())
    from rotkeras.cli.audit_console import show

    show(console, report)
    tell_skipped(console, report.skipped)
    console.print(f"open: {path}")
    sys.exit(0 if report.fit else 3 if report.undecided else 1)
