"""A contact sheet: each query at the left, its nearest images beside it."""

import unicodedata
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.data.decode import ordered_map
from rotkeras.embedding.feature_file import check_file
from rotkeras.embedding.image_list import ImageList
from rotkeras.embedding.neighbours import Neighbour, Neighbours
from rotkeras.errors import UserError
from rotkeras.files import write_whole

_SIDE, _GAP, _MARGIN = 160, 14, 28
_LINE = 19
_COLUMNS = 10
_MOST_ROWS = 100
_INK, _PALE, _RULE, _SAME = "#1c1c1e", "#6b6b70", "#dcdce0", "#00795c"


def check_sheet_size(queries: int, k: int) -> None:
    """Raise a `UserError` when a sheet of so many queries with k neighbours each would have more
    than a hundred rows of images."""
    if (rows := queries * -(-k // _COLUMNS)) > _MOST_ROWS:
        raise UserError(
            f"A sheet of {queries} queries with {k} neighbours each has {rows} rows of {_COLUMNS},"
            f" and at most {_MOST_ROWS} fit. Lower --queries or -k, or write the whole list with"
            " --csv."
        )


@checked
def write_sheet(found: Neighbours, path: AnyPath, overwrite: bool = False) -> Path:
    """Draw queries and neighbours as a PNG, with names, classes and distances; written whole or not
    at all.

    Images of files are read again at the size at which they are shown; arrays are enlarged without
    smoothing. More than ten neighbours go on in the next row. The class of a neighbour is green and
    in bold when it is the query's.

    Args:
        found: of `nearest`.
        path: a file that ends in `.png`.
        overwrite: replace a file that is there.

    Raises:
        UserError: for another suffix, a file that is there, or more than a hundred rows of images.
    """
    file = check_file(path, (".png",), overwrite)
    check_sheet_size(*found.positions.shape)
    sheet = draw_sheet(found)
    write_whole(file, lambda working: sheet.save(working, "PNG"))
    return file


def draw_sheet(found: Neighbours, side: int = _SIDE) -> Image.Image:
    """The sheet as an image of Pillow; `side` is that of each picture in pixels."""
    queries, k = found.positions.shape
    columns, rows = min(k, _COLUMNS), max(1, -(-k // _COLUMNS))
    lines = 3 if found.images.class_names or found.queries.class_names else 2
    cell = side + 6 + lines * _LINE + 8
    block = rows * cell + 2 * _GAP
    first = _MARGIN + side + 2 * _GAP + _GAP // 2  # where the neighbours begin
    width = first + columns * (side + _GAP) - _GAP + _MARGIN
    top = _MARGIN + _LINE + _GAP
    sheet = Image.new("RGB", (width, top + queries * block + _MARGIN - 2 * _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    plain, bold = _font(), _font("-Bold")

    draw.text((_MARGIN, _MARGIN), "query", _INK, bold)
    heading = "nearest images, by cosine distance 1 − cos" if columns > 2 else "nearest images"
    draw.text((first, _MARGIN), heading, _INK, bold)
    for query in range(queries):
        y = top + query * block
        draw.line((_MARGIN, y - _GAP // 2, width - _MARGIN, y - _GAP // 2), _RULE)
        neighbours = found.of(query)
        position = int(found.query_positions[query])
        _paste(sheet, _MARGIN, y + _GAP // 2, side, _thumbnail(found.queries, position, side))
        about = [
            (found.queries.short_name(position), _INK, plain),
            (found.queries.class_of(position), _INK, bold),
        ]
        _write(draw, _MARGIN, y + _GAP // 2, side, about)
        positions = [int(each) for each in found.positions[query] if each >= 0]
        pictures = ordered_map(lambda each: _thumbnail(found.images, each, side), positions)
        for place, (neighbour, picture) in enumerate(zip(neighbours, pictures, strict=True)):
            left = first + place % columns * (side + _GAP)
            upper = y + _GAP // 2 + place // columns * cell
            _paste(sheet, left, upper, side, picture)
            _write(
                draw,
                left,
                upper,
                side,
                _caption(neighbour, found.images.short_name(positions[place]), plain, bold),
            )
    return sheet


def _caption(neighbour: Neighbour, name: str, plain: Any, bold: Any) -> list[tuple[str, str, Any]]:
    same = neighbour.class_name != "" and neighbour.class_name == neighbour.query_class
    return [
        (f"{neighbour.rank}.  {neighbour.distance:.4f}", _INK, bold),
        (name, _PALE, plain),
        (neighbour.class_name, _SAME if same else _PALE, bold if same else plain),
    ]


def _thumbnail(images: ImageList, position: int, side: int) -> Image.Image:
    picture = Image.fromarray(images.read(images.item(position), side))
    enlarging = Image.Resampling.NEAREST if 2 * picture.width <= side else Image.Resampling.BILINEAR
    return picture.resize((side, side), enlarging)


def _paste(sheet: Image.Image, x: int, y: int, side: int, picture: Any) -> None:
    if isinstance(picture, Exception):  # a file that has gone since it was embedded
        picture = Image.new("RGB", (side, side), _RULE)
    sheet.paste(picture, (x, y))


def _write(
    draw: ImageDraw.ImageDraw, x: int, y: int, side: int, lines: list[tuple[str, str, Any]]
) -> None:
    for number, (text, colour, font) in enumerate(lines):
        short = shorten(text, lambda each, font=font: font.getlength(each) <= side)
        draw.text((x, y + side + 6 + number * _LINE), short, colour, font)


def shorten(text: str, fits: Any) -> str:
    """The longest end of a name that fits, after an ellipsis; what cannot be shown (line feeds,
    controls) becomes `�`.

    Args:
        text: a name; its end tells more than its beginning.
        fits: str -> whether it is short enough.
    """
    text = "".join("�" if unicodedata.category(each)[0] == "C" else each for each in text)
    if fits(text):
        return text
    return next(
        ("…" + text[start:] for start in range(1, len(text)) if fits("…" + text[start:])), "…"
    )


def _font(weight: str = "") -> Any:
    import matplotlib

    return ImageFont.truetype(
        Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVuSans{weight}.ttf"), 13
    )
