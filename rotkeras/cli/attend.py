"""`rotkeras attend`."""

from pathlib import Path

import click

METHODS = ("activation", "gradcam", "gradcam++", "layercam", "scorecam", "saliency")


@click.command()
@click.argument("network", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the pictures.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=["activation"],
    show_default=True,
    type=click.Choice(METHODS),
    help="May be given again.",
)
@click.option(
    "--tap",
    "taps",
    multiple=True,
    help="A tap, such as conv2; may be given again. [default: the first three, or the last]",
)
@click.option(
    "--power",
    "powers",
    multiple=True,
    type=click.FloatRange(0, 16, min_open=True),
    help="p of |activation|^p, for all or each tap.",
)
@click.option(
    "--rotations",
    is_flag=True,
    help="Draw the four rotated copies of each image, as in figure 6 of the paper.",
)
@click.option(
    "--target",
    help="The class to explain, such as 90. Default: the predicted one. Not for activation.",
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    help="A second run or .keras file, drawn beside the first, as in figure 3.",
)
@click.option(
    "--size",
    "side",
    default=160,
    show_default=True,
    type=click.IntRange(16, 1024),
    help="Pixels of each tile.",
)
@click.option(
    "--most",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="Largest number of images; of more, evenly spaced ones are drawn.",
)
@click.option("--overwrite", is_flag=True, help="Replace pictures that are there.")
def attend(
    network: Path,
    images: tuple[str, ...],
    folder: Path,
    methods: tuple[str, ...],
    taps: tuple[str, ...],
    powers: tuple[float, ...],
    rotations: bool,
    target: str | None,
    beside: Path | None,
    side: int,
    most: int,
    overwrite: bool,
) -> None:
    """Draw attention maps of each IMAGE, a file or a folder, for the network of RUN.

    RUN is a run folder, or a .keras file of a classifier with taps. Each image is cut to its
    centred square. If a folder and a set have the same name, write ./NAME for the folder and
    tfds:NAME or embedded:digits for the set.

    \b
    rotkeras attend runs/quickstart photos/cat.jpg -o maps --rotations
    rotkeras attend runs/folder photos -o maps --method gradcam --method saliency --target 90
    """
    from rotkeras.attention.network import find_network, load_network
    from rotkeras.attention.pictures import View, make_folder
    from rotkeras.attention.pictures import attend as draw
    from rotkeras.cli.embed import interruptible, new_console, showing, start
    from rotkeras.cli.skipped import tell_skipped
    from rotkeras.embedding.image_sources import open_images
    from rotkeras.errors import UserError
    from rotkeras.files import check_keeps, check_writable

    given = [network, *([beside] if beside else [])]
    for path in given:  # before the seconds that TensorFlow takes to start
        find_network(path)
    folder = check_writable(folder, "-o", folder=True)
    if folder.exists() and not folder.is_dir():
        raise click.BadParameter(f"{folder} is a file: give a folder.", param_hint="-o")
    check_keeps(folder, "-o", *images, *given)
    opened = [open_images(image, resize=True) for image in images]
    make_folder(folder)
    if target is not None and set(methods) == {"activation"}:
        raise click.UsageError(
            "--target needs a method that explains a class: add --method gradcam, or remove it."
        )
    if powers and "activation" not in methods:
        raise click.UsageError("--power needs --method activation: add it, or leave --power out.")
    view = View(methods, taps, powers, rotations, target, side)
    console = new_console()
    with interruptible() as interrupted:
        start(console)
        networks = [load_network(path, taps[-1] if taps else None) for path in given]
        lists = [each(networks[0].size) for each in opened]
        count = sum(map(len, lists))
        with showing(console, "drawing", interrupted) as progress:
            written = draw(networks, lists, folder, view, most, overwrite, progress)
    notes = dict.fromkeys(note for each in lists for note in each.notes)
    tell_skipped(console, [bad for each in lists for bad in each.skipped], notes=notes)
    if count > most:
        console.print(f"{most:,} of {count:,} images, evenly spread; more with --most")
    if not written:
        raise UserError("None of the images could be read; give other image files.")
    for path in written[:5]:
        console.print(f"written: {path}")
    if len(written) > 5:
        console.print(f"… {len(written):,} pictures in {folder}")
