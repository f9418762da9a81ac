"""`rotkeras export`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rotkeras.cli.advice import places_as_options
from rotkeras.cli.places import places
from rotkeras.text import Words

if TYPE_CHECKING:
    from rotkeras.recipe.models import Export


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of the export. [default: export in the run]",
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    help=(
        "float32, float16, dynamic, mixed, int16x8, int8, mediapipe, learner, classifier, orient,"
        " onnx, all or auto; may be repeated. all: those that the run and the installed packages"
        " allow, but int16x8. auto: the best of the first six for --aim. [default: the recipe's,"
        " or all]"
    ),
)
@click.option(
    "--aim",
    type=click.Choice(["size", "speed", "accuracy"]),
    help=(
        "What --profile auto takes: the smallest or the fastest file of those that lose no more"
        " than --max-drop as measured, or, for accuracy, the smallest of those where such a drop"
        " is excluded. [default: the recipe's, or size]"
    ),
)
@click.option(
    "--saved-model/--no-saved-model",
    default=None,
    help="Write a SavedModel too. [default: the recipe's, or yes]",
)
@click.option(
    "--tap", help="Where the encoder is cut. [default: the recipe's, or the best on validation]"
)
@click.option(
    "--pooling",
    type=click.Choice(["average", "max"]),
    help="Over positions of the map. [default: the recipe's, or average]",
)
@click.option(
    "--l2-normalization/--no-l2-normalization", default=None, help="Give vectors of unit length."
)
@click.option(
    "--input-size",
    type=int,
    help="Pixels of each side of the images that the files take. [default: as trained]",
)
@click.option(
    "--resize/--no-resize",
    default=None,
    help="Resize images of --input-size to the size of training inside the files.",
)
@click.option(
    "--calibration-images",
    type=int,
    help="Training images that set int8 ranges, 100 to 1000. [default: 200]",
)
@click.option(
    "--images", "verify_images", type=int, help="Largest number of held-out images. [default: 2000]"
)
@click.option(
    "--max-drop",
    type=float,
    help="Accuracy drop that is allowed against Keras, in points. [default: 0.5]",
)
@click.option(
    "--classes", type=int, help="Profile learner: largest number of classes. [default: 10]"
)
@click.option("--author", help="For the metadata and the model card.")
@click.option("--licence", help="Of the files, for the metadata and the model card.")
@click.option(
    "--data-dir",
    help="Folder of prepared tensorflow-datasets sets, when it is no longer where the recipe says.",
)
@places
@click.option(
    "--overwrite",
    is_flag=True,
    help="Overwrite an existing export, with all files in its folder.",
)
def export(
    run_folder: Path,
    folder: Path | None,
    data_dir: str | None,
    places: dict[str, str | None],
    overwrite: bool,
    **options: Any,
) -> None:
    """Export the encoder of RUN for servers and devices, with proof that each file agrees with
    Keras. RUN may be a fine-tuning too: then its classifier, detector or segmenter is exported.

    Exit code 1 if the accuracy of a file drops by more than --max-drop. Then the files are written
    to FOLDER-rejected, and an older export stays in place.

    \b
    rotkeras export runs/quickstart
    rotkeras export runs/mobile --profile auto --aim speed
    rotkeras export runs/detect --profile auto -o phone
    rotkeras export runs/cifar10-cpu --profile int8 --profile learner --classes 20 -o device
    """
    from rotkeras.cli.export_fine_tuning import export_again
    from rotkeras.export.target import check_target, resolved
    from rotkeras.run.folder import Run
    from rotkeras.run.images import recipe_of_images
    from rotkeras.training import devices
    from rotkeras.transfer.folder import is_fine_tuning

    if is_fine_tuning(run_folder):
        export_again(run_folder, folder, data_dir, places, overwrite, options)
        return
    run = Run(run_folder)
    run.check_ended()  # mistakes are reported before the seconds that TensorFlow takes to start
    devices.check_tensorflow("export")
    settings, left_out = _settings(run, options)
    check_target(resolved(folder or run.export), overwrite)
    command: Words = ["rotkeras", "export", run.path]
    recipe_of_images(run, places, data_dir=data_dir, command=command)

    from rotkeras.cli.embed import interruptible, new_console, start
    from rotkeras.cli.export_console import ExportConsole

    console = new_console()
    with interruptible() as interrupted:
        start(console)
        if left_out:
            console.print(left_out, markup=False)
        from rotkeras.export import export_run

        with ExportConsole(console, interrupted) as shown:
            exported = export_run(
                run,
                settings,
                folder,
                data_dir=data_dir,
                data=places,
                overwrite=overwrite,
                command=["rotkeras", *sys.argv[1:]] if sys.argv[1:2] == ["export"] else [],
                tell=shown.tell,
                note=lambda line: console.print(line, markup=False),
            )
    shown.show(exported, run, places_as_options(places, data_dir))
    if exported.rejected:
        sys.exit(1)


def _settings(run: Any, options: dict[str, Any]) -> tuple["Export", str]:
    """The section of the run's recipe, changed by what the command line says, or all profiles that
    the run can have when the recipe has none; and a line about those that "all" leaves out."""
    from pydantic import ValidationError

    from rotkeras.arguments.sentences import clause, complete
    from rotkeras.errors import UserError
    from rotkeras.export.profiles import available, profile
    from rotkeras.recipe.models import Export

    recipe = run.load_recipe()
    every, left_out = available(run.task_facts())
    content = recipe.export.model_dump() if recipe.export is not None else {"profiles": every}
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    if "profiles" in given:
        names = [
            each for name in given["profiles"] for each in (every if name == "all" else [name])
        ]
        given["profiles"] = [name if name == "auto" else profile(name).name for name in names]
    if "aim" in given and "auto" not in given.get("profiles", content["profiles"]):
        raise UserError(
            f"--aim says what --profile auto takes, got --aim {given['aim']} without it; add"
            " --profile auto."
        )
    asked = options.get("profiles") or (() if recipe.export is not None else ("all",))
    try:
        return Export.model_validate(content | given), left_out if "all" in asked else ""
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-").replace("verify-images", "images")
        raise UserError(complete(f"--{name}", clause(first))) from None
