"""`rotkeras worth-it`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rotkeras.cli.evaluate import label_numbers
from rotkeras.cli.places import places


@click.command("worth-it", context_settings={"show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--labelled",
    metavar="IMAGES",
    help=(
        "Labelled images other than the run's: class folders, an .npz, digits, or a name of"
        " tensorflow-datasets. If a folder and a set have the same name: ./NAME or tfds:NAME"
        " (embedded:digits)."
    ),
)
@click.option(
    "--test-folder",
    metavar="FOLDER",
    help="With --labelled FOLDER: class folders of the test set.",
)
@click.option("--data-dir", help="Folder of prepared tensorflow-datasets sets.")
@places
@click.option(
    "--labels-per-class",
    "labels",
    callback=label_numbers,
    metavar="K,K,…",
    help="Default: 5,20,100,400, up to the labels there are.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    help="Three or more; each draws labels of its own.",
)
@click.option("--tap", help="Where the features are read. Default: the second tap.")
@click.option(
    "--budget", type=click.Choice(["fast", "published"]), default="fast", help="Schedules."
)
@click.option(
    "--task",
    type=click.Choice(["classify", "detect", "segment"]),
    help="Compare whole fine-tunings to this task, instead of probes; needs --labelled.",
)
@click.option("--recipe", help="With --task: of the fine-tuning. [default: that of its name]")
@click.option(
    "--set-task",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="With --task: change one value of the fine-tuning; may be given again.",
)
@click.option(
    "--images",
    callback=label_numbers,
    metavar="N,N,…",
    help="With --task detect or segment: training images to compare at. Default: all.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="With --task: the JSON file. [default: worth-it-TASK.json in the run]",
)
def worth_it(
    run: Path,
    labelled: str | None,
    test_folder: str | None,
    data_dir: str | None,
    labels: tuple[int | None, ...],
    seeds: int,
    tap: str | None,
    budget: Any,
    task: str | None,
    recipe: str | None,
    overrides: tuple[str, ...],
    images: tuple[int | None, ...],
    output: Path | None,
    places: dict[str, str | None],
) -> None:
    """Compare pre-training with training from scratch for your labelled images.

    Compares the pre-trained backbone of RUN (frozen, with a convolutional probe, and with ridge
    regression) with the same network trained from scratch, at a few numbers of labels, and says so
    in one sentence. Writes RUN/worth-it.json.

    With --task, whole fine-tunings are compared: the same images, settings and seeds, from the
    encoder of RUN (or a .keras file) and from scratch.

    \b
    rotkeras worth-it runs/folder --labelled photos-in-class-folders
    rotkeras worth-it runs/cifar10-cpu --labels-per-class 20,100 --seeds 5
    rotkeras worth-it runs/folder --task detect --labelled VOCdevkit/VOC2007 --images 50,all
    """
    from rotkeras.cli.worth_it_console import WorthItConsole

    given = (
        click.get_current_context().get_parameter_source("labels") is not ParameterSource.DEFAULT
    )
    if task is None and given and None in labels:
        raise click.BadParameter(
            "must be counts, such as 20,100; all is not accepted, as each repeat draws its labels.",
            param_hint="--labels-per-class",
        )
    if task is not None:
        from rotkeras.cli.worth_it_transfer import compare_fine_tunings

        _refuse(
            ("tap", "budget", "test_folder", "places"),
            "is for probes, and not for --task; leave it out",
        )
        if task != "classify" and given:
            raise click.UsageError("--labels-per-class is for classify; use --images.")
        if task == "classify":
            _refuse(("images",), "is for detect and segment; use --labels-per-class")
        compare_fine_tunings(
            run,
            task,
            labelled,
            data_dir,
            recipe or task,
            overrides,
            tuple(labels) if given else (tuple(images) or (None,)),
            seeds,
            output,
        )
        return
    _refuse(
        ("recipe", "overrides", "output", "images"),
        "is for --task: add --task classify, detect or segment",
    )
    wanted = tuple(count for count in labels if count is not None)
    WorthItConsole().run(run, labelled, test_folder, data_dir, wanted, seeds, tap, budget, places)


def _refuse(names: Sequence[str], why: str) -> None:
    """Raise a usage error for options that were given and would be ignored."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is not ParameterSource.DEFAULT:
            raise click.UsageError(f"{max(parameter.opts, key=len)} {why}.")
