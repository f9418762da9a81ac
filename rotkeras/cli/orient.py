"""`rotkeras orient`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rotkeras.files import as_text, expanded

if TYPE_CHECKING:
    from rotkeras.orient.files import Oriented
    from rotkeras.orient.measure import Measured

_SHOWN = 20
_WIDTH = 80


@click.command()
@click.argument("given", metavar="[NETWORK] IMAGES", nargs=-1, required=True)
@click.option(
    "--fix",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Write upright copies of the turned images there.",
)
@click.option("--copy-all", is_flag=True, help="With --fix: copy the other images too, unchanged.")
@click.option(
    "--pixels",
    is_flag=True,
    help=(
        "With --fix: turn pixels instead of setting the orientation tag, for programs that ignore"
        " it. JPEG is coded again."
    ),
)
@click.option(
    "--confidence",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Images below this confidence stay as they are.",
)
@click.option(
    "--single-look",
    is_flag=True,
    help="One prediction instead of one for each quarter turn: faster, less accurate.",
)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the prediction for each image to a .csv file.",
)
@click.option(
    "--measure",
    is_flag=True,
    help=(
        "Instead: IMAGES are upright; turn each by an angle of --seed, and say how often the"
        " network is right, and how far its confidence can be trusted."
    ),
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="With --measure: of the angles. [default: 0]"
)
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --measure: draw accuracy over coverage to a .png or .svg file.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace copies and a .csv that are there; never an original."
)
def orient(
    given: tuple[str, ...],
    fix: Path | None,
    copy_all: bool,
    pixels: bool,
    confidence: float,
    single_look: bool,
    table: Path | None,
    measure: bool,
    seed: int | None,
    plot: Path | None,
    overwrite: bool,
) -> None:
    """Predict the orientation of photographs, and write upright copies with --fix.

    NETWORK is an orient.tflite, a run folder or a SavedModel folder; without one it is that which
    ships with rotkeras, trained on photographs. IMAGES is a folder (searched
    recursively) or an image file. Images are read as a viewer shows them, with their EXIF
    orientation applied. Originals are never written to.

    \b
    rotkeras orient photos
    rotkeras orient photos --fix upright
    rotkeras orient runs/photographs photos --measure --seed 1 --plot curve.png
    """
    from rotkeras.cli.embed import interruptible, new_console, showing, start
    from rotkeras.cli.shipped import with_network
    from rotkeras.cli.skipped import tell_skipped
    from rotkeras.data.source import BadImage
    from rotkeras.device.notes import without_notes
    from rotkeras.embedding.feature_file import check_file
    from rotkeras.errors import UserError
    from rotkeras.orient.files import Wishes, check_copies, find_images, write_table
    from rotkeras.orient.files import orient as tell
    from rotkeras.orient.measure import measure as measure_orienter
    from rotkeras.orient.network import find_orientation_file, load_orienter

    if not 0 <= confidence <= 1:  # nan
        raise click.UsageError(f"--confidence must be from 0 to 1, got {confidence:g}.")
    if fix is not None and table is not None and fix.resolve() == table.resolve():
        raise click.UsageError("--csv and --fix must be different paths.")
    if fix is None and (copy_all or pixels):
        raise click.UsageError(
            f"--{'copy-all' if copy_all else 'pixels'} needs --fix FOLDER: add it, or leave the"
            " option out."
        )
    if measure and (fix is not None or table is not None):
        raise click.UsageError(
            f"--measure turns nothing upright: leave --{'fix' if fix is not None else 'csv'} out."
        )
    if not measure and (plot is not None or seed is not None):
        raise click.UsageError(f"--{'plot' if plot is not None else 'seed'} needs --measure.")
    if table is not None:
        table = check_file(table, (".csv",), overwrite, "--csv")
    if plot is not None:
        plot = check_file(plot, (".png", ".svg"), overwrite, "--plot")
    console = new_console()
    network, images = with_network(given, ["IMAGES"], "orient.tflite", console.print)
    file = find_orientation_file(network)
    found = find_images(Path(images))
    if fix is not None:
        fix = expanded(fix)
        check_copies(found, fix, overwrite)
    wishes = Wishes(fix, confidence, single_look, pixels, copy_all, overwrite)
    with interruptible() as interrupted:
        if file.needs_tensorflow:
            start(console)
        with without_notes():
            orienter = load_orienter(file)
        if measure:
            with showing(console, "looking at images", interrupted) as progress:
                measured = measure_orienter(
                    orienter, found, seed or 0, single_look=single_look, progress=progress
                )
            tell_skipped(console, found.skipped + measured.skipped, notes=found.notes)
            for line in trust(measured):
                console.print(line, highlight=False)
            if plot is not None:
                draw(measured, plot)
                console.print(f"written: {plot}")
            return
        with showing(console, "looking at images", interrupted) as progress:
            results = tell(orienter, found, wishes, progress)
        if table is not None:
            write_table(table, results)
    unread = [
        BadImage.of(str(found.folder / each.path), each.reason)
        for each in results
        if each.action == "unreadable"
    ]
    tell_skipped(console, found.skipped + unread, notes=found.notes)
    if len(unread) == len(results):
        raise UserError("None of the images could be read; give other image files.")
    for line in summary(results, confidence) + turned_ones(results):
        console.print(line)
    if fix is not None:
        for line in copies(results, fix):
            console.print(line)
    if table is not None:
        console.print(f"written: {table}")


def summary(results: list["Oriented"], confidence: float) -> list[str]:
    """How many images are upright, turned by each angle, unsure and unreadable: lines of at most 80
    columns."""
    actions = Counter(each.action for each in results)
    angles = Counter(each.angle for each in results if each.action == "turned")
    rows = [("upright", actions["upright"], "")]
    rows += [
        (f"turned {angle}°", count, "counter-clockwise") for angle, count in sorted(angles.items())
    ]
    rows += [
        ("unsure", actions["unsure"], f"below a confidence of {confidence:g}, left as they are")
    ]
    if actions["unreadable"]:
        rows.append(("unreadable", actions["unreadable"], ""))
    lines = [f"{name:<12}{count:>9,}   {remark}".rstrip() for name, count, remark in rows]
    return [*lines, f"{'images':<12}{len(results):>9,}"]


def trust(measured: "Measured") -> list[str]:
    """How often answers of each confidence are right: lines of at most 80 columns."""
    from rotkeras.orient.measure import LEVELS, interval

    count = len(measured.turned)
    lines = ["confidence  answered   share     right  (95 % interval)"]
    for level in LEVELS:
        answered, right = measured.at(level)
        name = f"≥ {level:g}" if level else "any"
        line = f"{name:<10}{answered:>9,} {100 * answered / count:>6.1f} %"
        if answered:
            low, high = interval(right, answered)
            line += f"{100 * right / answered:>9.1f} %  ({100 * low:.1f} … {100 * high:.1f})"
        lines.append(line)
    return [
        *lines,
        f"{count:,} upright images, each turned by a drawn angle; confidence and accuracy differ by"
        f" {100 * measured.calibration_error():.1f}\npoints on average (ten bins of equal size)",
    ]


def draw(measured: "Measured", path: Path) -> None:
    """Draw accuracy over coverage."""
    from matplotlib.figure import Figure

    from rotkeras.files import write_whole

    coverage, accuracy = measured.curve()
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(100 * coverage, 100 * accuracy, linewidth=2, color="#1f5fa8")
    for level in (0.5, 0.9, 0.99):
        answered, right = measured.at(level)
        if answered:
            place = 100 * answered / len(measured.turned), 100 * right / answered
            axes.plot(*place, "o", color="#1f5fa8")
            axes.annotate(f"≥ {level:g}", place, (4, 5), textcoords="offset points", fontsize=9)
    axes.set_xlim(0, 101)
    axes.set_xlabel("answered, % of images, the surest first")
    axes.set_ylabel("right of these, %")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    kind = path.suffix[1:].lower()
    write_whole(path, lambda working: figure.savefig(working, format=kind, dpi=150))


def turned_ones(results: list["Oriented"]) -> list[str]:
    """The first twenty images that are turned, with angle and confidence: lines of at most 80
    columns."""
    turned = [each for each in results if each.action == "turned"]
    lines = ["", "turned  confidence  image"] if turned else []
    for each in turned[:_SHOWN]:
        lines.append(
            f"{each.angle:>5}°  {each.confidence:>10.3f} "
            f" {_short(as_text(each.path.as_posix()), _WIDTH - 20)}"
        )
    if len(turned) > _SHOWN:
        lines.append(f"… and {len(turned) - _SHOWN:,} more; all of them with --csv FILE")
    return lines


def copies(results: list["Oriented"], folder: Path) -> list[str]:
    """How many copies were written, how, and which could not be."""
    words = {
        "tag": "by the orientation tag, pixels untouched",
        "pixels": "by turning pixels, without loss",
        "re-encoded": "by turning pixels and coding them again",
        "unchanged": "unchanged",
    }
    written = Counter(each.written for each in results if each.written)
    count = sum(written.values())
    lines = ["", f"{count:,} {'copy' if count == 1 else 'copies'} in {folder}"]
    lines += [f"{written[how]:>9,} {text}" for how, text in words.items() if written[how]]
    left = [each for each in results if each.reason and each.action != "unreadable"]
    if left:
        lines.append(f"{len(left):,} could not be put upright:")
        lines += [f"  {as_text(each.path.as_posix())}: {each.reason}" for each in left[:5]]
    if len(left) > 5:
        lines.append(f"  … and {len(left) - 5:,} more; all of them with --csv FILE")
    return lines


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else "…" + name[1 - width :]
