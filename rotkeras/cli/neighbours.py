"""`rotkeras neighbours`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rotkeras.arguments.accepted import OnBadImage
from rotkeras.cli.embed import image_options, interruptible, new_console, showing, start
from rotkeras.cli.shipped import SHIPPED_ENCODER, with_network
from rotkeras.cli.skipped import tell_skipped

if TYPE_CHECKING:
    from rotkeras.embedding import Neighbours


@click.command()
@click.argument("given", metavar="[ENCODER] QUERY IMAGES", nargs=-1, required=True)
@click.option(
    "-k", default=10, show_default=True, type=click.IntRange(1), help="Neighbours of each query."
)
@click.option(
    "--queries",
    default=8,
    show_default=True,
    type=click.IntRange(1),
    help="Largest number of queries; of more, evenly spaced ones are used.",
)
@click.option(
    "-o",
    "--output",
    "sheet",
    type=click.Path(path_type=Path),
    help="Draw a contact sheet, a .png file.",
)
@click.option(
    "--csv", "table", type=click.Path(path_type=Path), help="Write all neighbours to a .csv file."
)
@click.option("--query-split", help="Like --split, for QUERY.")
@image_options
def neighbours(
    given: tuple[str, ...],
    k: int,
    queries: int,
    sheet: Path | None,
    table: Path | None,
    query_split: str | None,
    data_dir: str | None,
    list_folder: str | None,
    split: str | None,
    resize: bool,
    image_size: int | None,
    images_per_batch: int,
    on_bad_image: OnBadImage,
    overwrite: bool,
) -> None:
    """Show the images of IMAGES that are nearest to QUERY for ENCODER, or for a network that ships
    with rotkeras, trained on photographs.

    Nearest is by cosine distance, 1 − cos of the angle between two feature vectors: 0 for one
    direction, 1 for a right angle, 2 for opposite directions. An image with exactly the query's
    pixels (the query itself, or a copy) is left out.

    QUERY and IMAGES are each a folder, an image file, an .npz of arrays, digits, or a name of
    tensorflow-datasets. If a folder and a set have the same name, write ./NAME for the folder and
    tfds:NAME or embedded:digits for the set.

    \b
    rotkeras neighbours photos/cat.jpg photos -o sheet.png
    rotkeras neighbours runs/quickstart digits digits --resize --query-split test
    """
    from rotkeras import embedding
    from rotkeras.device.notes import without_notes
    from rotkeras.embedding.contact_sheet import check_sheet_size
    from rotkeras.embedding.encoder import find_encoder
    from rotkeras.embedding.feature_file import check_file
    from rotkeras.files import check_keeps

    console = new_console()
    words = ["QUERY", "IMAGES"]
    network, query, images = with_network(given, words, SHIPPED_ENCODER, console.print)
    encoder = Path(network)
    files = [encoder] if encoder.is_file() else []
    # before the seconds that TensorFlow takes to start
    if sheet is not None:
        sheet = check_file(sheet, (".png",), overwrite, "-o")
        check_keeps(sheet, "-o", query, images, *files)
    if table is not None:
        table = check_file(table, (".csv",), overwrite, "--csv")
        check_keeps(table, "--csv", query, images, *files)
    file = find_encoder(encoder)
    how: dict[str, Any] = {"data_dir": data_dir, "resize": resize, "on_bad_image": on_bad_image}
    how["list_folder"] = list_folder
    asked, searched = (
        embedding.open_images(each, split=part, **how)
        for each, part in ((query, query_split), (images, split))
    )
    with interruptible() as interrupted:
        if file.suffix.lower() != ".tflite":
            start(console)
        with without_notes():
            loaded = embedding.load_encoder(encoder, image_size, images_per_batch)
        lists = asked(loaded.input_size), searched(loaded.input_size)
        if sheet is not None:
            check_sheet_size(min(queries, len(lists[0])), min(k, len(lists[1])))
        with showing(console, "searching images", interrupted) as progress:
            found = embedding.nearest(
                loaded,
                *lists,
                k=k,
                most_queries=queries,
                on_bad_image=on_bad_image,
                progress=progress,
            )
        if sheet is not None:
            embedding.write_sheet(found, sheet, overwrite)
        if table is not None:
            embedding.write_neighbours(found, table, overwrite)
    console.print(neighbour_table(found, plain=not console.is_terminal))
    notes = dict.fromkeys((*found.queries.notes, *found.images.notes))
    tell_skipped(console, [*found.queries.skipped, *found.images.skipped], notes=notes)
    for line in _notes(found, k):
        console.print(line)
    for path in (sheet, table):
        if path is not None:
            console.print(f"written: {path}")


def neighbour_table(found: "Neighbours", plain: bool) -> Any:
    """Every neighbour of every query; fits 80 columns."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from rotkeras.embedding.contact_sheet import shorten

    def cell(text: str, width: int, form: str = "{}") -> Text:
        return Text(
            form.format(shorten(text, lambda each: cell_len(form.format(each)) <= width)),
            no_wrap=True,
        )

    table = Table(
        box=None if plain else box.SIMPLE_HEAD, padding=(0, 2 if plain else 1, 0, 0), pad_edge=False
    )
    classes = bool(found.images.class_names or found.queries.class_names)
    for column in ("query", "rank", "name", *(("class",) if classes else ()), "distance"):
        table.add_column(
            column, justify="right" if column in ("rank", "distance") else "left", no_wrap=True
        )
    for query in range(len(found.query_positions)):
        of_query = found.of(query)
        position = int(found.query_positions[query])
        class_name = found.queries.class_of(position)
        about = [
            cell(found.queries.short_name(position), 19),
            cell(class_name, 19, "({})") if class_name else "",
        ]
        for place, each in enumerate(of_query):
            name = cell(
                found.images.short_name(int(found.positions[query, place])), 23 if classes else 41
            )
            row = [about[place] if place < 2 else "", str(each.rank), name]
            table.add_row(
                *row, *([cell(each.class_name, 16)] if classes else []), f"{each.distance:.4f}"
            )
        if of_query and query + 1 < len(found.query_positions):
            table.add_row()
    return table


def _notes(found: "Neighbours", k: int) -> list[str]:
    """What is to be said below the table."""
    notes = [f"\ncosine distance 1 − cos; {found.searched:,} images searched"]
    if found.left_out:
        notes.append(
            f"{found.left_out:,} left out, with exactly a query's pixels: the query itself, or a"
            " copy of it"
        )
    if (fewest := int(found.compared.min())) < k:
        notes.append(f"{k} neighbours were requested, and there are only {fewest}: all are shown")
    if share := found.share_of_class():
        notes.append(
            f"{100 * share[0]:.1f} % of the neighbours are of their query's class (drawn at random:"
            f" {100 * share[1]:.1f} %)"
        )
    return notes
