"""`rotkeras embed`."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rotkeras.arguments.accepted import OnBadImage
from rotkeras.cli import signals
from rotkeras.cli.shipped import SHIPPED_ENCODER, with_network
from rotkeras.cli.skipped import tell_skipped

if TYPE_CHECKING:
    from rich.console import Console

_SECONDS_BETWEEN_LINES = 10


def image_options(command: Any) -> Any:
    """The options that say how images are read, shared by `embed` and `neighbours`."""
    options = (
        click.option("--data-dir", help="Folder of prepared tensorflow-datasets sets."),
        click.option(
            "--list-folder",
            help="Where the paths of a list begin. [default: the folder of the list]",
        ),
        click.option(
            "--split", help="Part of arrays, digits or a tensorflow-datasets set.  [default: train]"
        ),
        click.option(
            "--resize",
            is_flag=True,
            help="Cut and resize arrays of another size than the encoder's; files always are.",
        ),
        click.option(
            "--image-size",
            type=click.IntRange(1),
            help="Pixels of each side, for an encoder whose input size is open.",
        ),
        click.option(
            "--images-per-batch",
            type=click.IntRange(1),
            default=64,
            show_default=True,
            help="Images in a forward pass.",
        ),
        click.option(
            "--on-bad-image",
            type=click.Choice(["skip", "error"]),
            default="skip",
            show_default=True,
            help="Skip, count and name files that cannot be read, or stop at the first.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace a file that is there."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("given", metavar="[ENCODER] IMAGES", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    help="A .npz, .csv or .parquet file.",
)
@image_options
def embed(
    given: tuple[str, ...],
    path: Path,
    data_dir: str | None,
    list_folder: str | None,
    split: str | None,
    resize: bool,
    image_size: int | None,
    images_per_batch: int,
    on_bad_image: OnBadImage,
    overwrite: bool,
) -> None:
    """Write the features of IMAGES by ENCODER to a file.

    ENCODER is a .keras or .tflite file, the folder of a SavedModel, or a run folder; without one it
    is a network that ships with rotkeras, trained on photographs. IMAGES is a
    folder (searched recursively), an image file, an .npz of arrays, digits, or a name of
    tensorflow-datasets. If a folder and a set have the same name, write ./NAME for the folder and
    tfds:NAME or embedded:digits for the set.

    \b
    rotkeras embed photos -o features.npz
    rotkeras embed runs/quickstart digits -o features.npz
    rotkeras embed saved_models/cifar10-cpu cifar10 --split test -o features.parquet
    """
    from rotkeras.device.notes import without_notes
    from rotkeras.embedding.encoder import find_encoder, load_encoder
    from rotkeras.embedding.feature_file import check_file
    from rotkeras.embedding.feature_file import embed as write
    from rotkeras.embedding.formats import FORMATS
    from rotkeras.embedding.image_sources import open_images
    from rotkeras.files import check_keeps

    console = new_console()
    network, images = with_network(given, ["IMAGES"], SHIPPED_ENCODER, console.print)
    encoder = Path(network)
    # before the seconds that TensorFlow takes to start
    path = check_file(path, tuple(FORMATS), overwrite, "-o")
    check_keeps(path, "-o", images, *([encoder] if encoder.is_file() else []))
    found = find_encoder(encoder)
    opened = open_images(
        images,
        split=split,
        data_dir=data_dir,
        list_folder=list_folder,
        resize=resize,
        on_bad_image=on_bad_image,
    )
    with interruptible() as interrupted:
        if found.suffix.lower() != ".tflite":
            start(console)
        with without_notes():
            loaded = load_encoder(encoder, image_size, images_per_batch)
        with showing(console, "embedding images", interrupted) as progress:
            done = write(
                loaded,
                opened,
                path,
                on_bad_image=on_bad_image,
                overwrite=overwrite,
                progress=progress,
            )
    tell_skipped(console, done.skipped, notes=done.notes)
    count = f"{done.images:,} image{'s' if done.images != 1 else ''}"
    console.print(
        f"{count}, {done.dimensions} dimensions, {done.seconds:.1f} s"
        f" ({done.images / done.seconds:,.0f} images/s): {done.path},"
        f" {_size(done.path.stat().st_size)}"
    )


def new_console() -> "Console":
    """A console that writes file names as they are."""
    from rich.console import Console

    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False)


def start(console: "Console") -> None:
    """Start TensorFlow without its chatter."""
    from rotkeras.training import devices

    console.print("starting TensorFlow …")
    devices.quiet()


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Let Ctrl-C and a request to end (SIGTERM) take away unfinished files, say so, and exit.

    An interrupt can be swallowed by a library or come out as another error: it is noted in the list
    that is given, and `showing` looks at the note.
    """
    with signals.soon():
        try:
            yield signals.received
        except (KeyboardInterrupt, Exception) as error:
            if not signals.received and not isinstance(error, KeyboardInterrupt):
                raise
            signals.tell()
            sys.exit(signals.exit_code(error))


@contextmanager
def showing(
    console: "Console", what: str, interrupted: list[int]
) -> Iterator[Callable[[int, int], None]]:
    """Show progress with the time left: a bar on a terminal, elsewhere a line every ten seconds.

    Gives a function to call with (done, all), which raises `KeyboardInterrupt` once something is in
    `interrupted`.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from rotkeras.text import clock

    began = last = time.monotonic()
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def progress(done: int, total: int) -> None:
            nonlocal last
            if interrupted:
                raise KeyboardInterrupt
            bar.update(task, completed=done, total=total)
            if (
                not console.is_terminal
                and (now := time.monotonic()) - last >= _SECONDS_BETWEEN_LINES
            ):
                last = now
                console.print(
                    f"{what}: {done:,} of {total:,}, {clock((now - began) * (total / done - 1))}"
                    " left"
                )

        yield progress


def _size(count: int) -> str:
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):  # noqa: B007
        if value < 1000:
            break
        value /= 1000
    else:
        unit = "TB"
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
