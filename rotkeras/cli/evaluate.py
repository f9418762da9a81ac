"""`rotkeras evaluate`."""

from pathlib import Path
from typing import Any

import click

from rotkeras.cli.places import places

PROBES = "ridge, logistic, knn (20 and 200), knn-K, linear, nonlinear, conv"


def label_numbers(
    _context: Any, _parameter: click.Parameter, value: str | None
) -> tuple[int | None, ...]:
    """Comma-separated counts of labels per class as numbers, "all" as None."""
    counts: list[int | None] = []
    for text in (value or "all").split(","):
        text = text.strip()
        if text == "all":
            counts.append(None)
        elif text.isdecimal() and int(text) > 0:
            counts.append(int(text))
        else:
            raise click.BadParameter(
                f"must be whole numbers of at least 1 or all, such as 20,100,all, got {value!r}."
            )
    return tuple(dict.fromkeys(counts))


def _names(_context: Any, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Comma-separated names."""
    if value is not None and not all(each.strip() for each in value.split(",")):
        raise click.BadParameter(
            f"must be names between commas, none of them empty, got {value!r}."
        )
    return (
        tuple(dict.fromkeys(each.strip() for each in value.split(",") if each.strip()))
        if value
        else None
    )


@click.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--probe",
    "probes",
    callback=_names,
    metavar="NAMES",
    help=f"Comma-separated, of {PROBES}. Default: all but logistic.",
)
@click.option(
    "--tap",
    "taps",
    callback=_names,
    metavar="NAMES",
    help="Comma-separated. Default: all; for few labels the second.",
)
@click.option(
    "--init",
    "inits",
    callback=_names,
    metavar="NAMES",
    help=(
        "Comma-separated, of trained, random (untrained, frozen), scratch (untrained, trained on"
        " the labels alone). Default: trained,random."
    ),
)
@click.option(
    "--fine-tune", is_flag=True, help="Train the pre-trained backbone too, instead of freezing it."
)
@click.option(
    "--labels-per-class",
    "labels",
    callback=label_numbers,
    metavar="K,K,…",
    help="Such as 20,100,400,1000,all. Default: all.",
)
@click.option(
    "--draw",
    type=click.Choice(["first", "seeded"]),
    default="first",
    help="How the images are chosen: the first K of a class, as published, or drawn by the seed.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=1,
    help="How many seeds; several give mean and 95 % interval.",
)
@click.option(
    "--budget",
    type=click.Choice(["fast", "published"]),
    default="fast",
    help="Training schedule of the probes: fast, or as published.",
)
@click.option(
    "--patches",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help=(
        "Average the features over N×N patches of each image, after the published evaluation of"
        " tasks of tiles (3). 0: whole images."
    ),
)
@click.option(
    "--patch-crop",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help=("With --patches: share of the sides that the patches make up together.  [default: 0.75]"),
)
@click.option(
    "--patch-standardize/--no-patch-standardize",
    default=None,
    help=(
        "With --patches: give each patch one mean and deviation. Default: what the task does with"
        " its tiles."
    ),
)
@click.option(
    "--labelled",
    metavar="IMAGES",
    help=(
        "Other labelled images than those of the run: a folder of class folders, an .npz, digits,"
        " or a name of tensorflow-datasets. If a folder and a set have the same name: ./NAME or"
        " tfds:NAME (embedded:digits)."
    ),
)
@click.option(
    "--test-folder",
    metavar="FOLDER",
    help="With --labelled FOLDER: class folders that are the test set.",
)
@click.option("--data-dir", help="Folder of prepared tensorflow-datasets sets.")
@places
def evaluate(
    run: Path,
    probes: tuple[str, ...] | None,
    taps: tuple[str, ...] | None,
    inits: tuple[str, ...] | None,
    fine_tune: bool,
    labels: tuple[int | None, ...],
    draw: Any,
    seeds: int,
    budget: str,
    patches: int,
    patch_crop: float | None,
    patch_standardize: bool | None,
    labelled: str | None,
    test_folder: str | None,
    data_dir: str | None,
    places: dict[str, str | None],
) -> None:
    """Evaluate the features of RUN: probes on every tap, beside an untrained network.

    Writes RUN/evaluation.json. Models are selected on validation; the test set is read once, after
    all fitting. Called again it adds what is missing and repeats nothing; so does a call after an
    interruption.

    Measures that need no labels follow, in RUN/quality.json; of images without labels they are all.

    \b
    rotkeras evaluate runs/quickstart
    rotkeras evaluate runs/folder --set data.folder=/mnt/photos     # where the images are now
    rotkeras evaluate runs/cifar10-cpu --probe conv --init trained,scratch --labels-per-class 20,100
    rotkeras evaluate runs/cifar10 --probe nonlinear,conv --tap conv2 --fine-tune --budget published
    --seeds 3
    rotkeras evaluate runs/jigsaw --probe ridge --patches 3
    """
    from rotkeras.cli.evaluate_console import EvaluateConsole
    from rotkeras.errors import UserError, nearest

    for init in inits or ():
        if init not in ("trained", "random", "scratch"):
            raise UserError(
                f"--init must be trained, random or scratch, got {init!r};"
                f" {nearest(init, ['trained', 'random', 'scratch'])}"
            )
    if fine_tune and inits and "trained" not in inits:
        raise UserError(
            "--fine-tune trains the pre-trained backbone and needs --init trained; for an untrained"
            " one use --init scratch."
        )
    if patch_crop is not None and not patches:
        raise UserError(
            f"--patch-crop needs --patches, got --patch-crop {patch_crop:g} alone; add --patches 3,"
            " or leave it out."
        )
    inits = inits or (("trained",) if fine_tune else ("trained", "random"))
    modes = tuple(
        {"trained": "fine_tuned" if fine_tune else "frozen"}.get(init, init) for init in inits
    )
    trains = fine_tune or "scratch" in modes
    default = ("conv",) if trains and set(modes) <= {"fine_tuned", "scratch"} else None
    EvaluateConsole().run(
        run,
        {
            "modes": modes,
            "taps": taps,
            "labels_per_class": labels,
            "draw": draw,
            "seeds": tuple(range(seeds)),
            "budget": budget,
            "patches": patches,
            "patch_crop": patch_crop,
            "patch_standardize": patch_standardize,
        }
        | ({"probes": probes or default} if probes or default else {}),
        labelled=labelled,
        test_folder=test_folder,
        data_dir=data_dir,
        places=places,
    )
