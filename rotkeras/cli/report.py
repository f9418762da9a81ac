"""`rotkeras report`."""

from pathlib import Path

import click

from rotkeras.cli.places import places


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "page",
    type=click.Path(path_type=Path),
    help="The page. [default: report.html in the run]",
)
@click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Attention, filters, neighbours, map of embeddings.",
)
@click.option(
    "--data-dir",
    help="Folder of prepared tensorflow-datasets sets, when it is no longer where the recipe says.",
)
@places
@click.option(
    "--overwrite", is_flag=True, help="Replace a page that is there; the one in the run always is."
)
def report(
    runs: tuple[Path, ...],
    page: Path | None,
    pictures: bool,
    data_dir: str | None,
    places: dict[str, str | None],
    overwrite: bool,
) -> None:
    """Make the page of RUN: one HTML file with curves, tables, attention maps, filters, neighbours
    and the recipe.

    Several runs are shown side by side; then name the page with -o. The file needs no network and
    no other file.

    \b
    rotkeras report runs/quickstart
    rotkeras report runs/one runs/other -o both.html
    """
    from rotkeras.files import check_writable
    from rotkeras.page import check_page
    from rotkeras.report.collect import gather_all
    from rotkeras.run.folder import Run

    if places and not pictures:
        raise click.UsageError("--no-pictures reads no images: leave it out, or leave --set out.")
    if page is None and len(runs) > 1:
        raise click.UsageError("A report of several runs needs an output file: -o PAGE.html.")
    own = check_writable(Run(runs[0]).report, "The page")
    file = own if page is None else check_page(page, overwrite, "-o")
    gather_all(
        list(runs)
    )  # mistakes are reported before the seconds that TensorFlow takes to start
    from rotkeras.cli.embed import interruptible, new_console
    from rotkeras.report import write_report

    console = new_console()
    with interruptible():
        if pictures:
            from rotkeras.training import devices

            console.print("starting TensorFlow …")
            devices.quiet()
        written = write_report(
            runs,
            file,
            pictures=pictures,
            data_dir=data_dir,
            data=places,
            progress=lambda step: console.print(f"  {step}"),
        )
    console.print(f"open: {written} ({written.stat().st_size / 1e6:.1f} MB)")
