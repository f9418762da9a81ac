"""Figures as SVG inside the page: drawn by Matplotlib, coloured by the page, with a value at each
point."""

import io
import re
import unicodedata
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rotkeras.page.tables import Table

INK, PALE, RULE, PAPER = "#010101", "#020202", "#030303", "#040404"
"""Stand-ins that the page replaces by its own colours, so that a figure is right in light, in dark
and on paper."""

SERIES = tuple(f"#0500{number:02x}" for number in range(10))
"""Stand-ins of the colours of series; neighbouring ones can be distinguished by those who confuse
red and green."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
"""A marker of each series: colour never carries the meaning alone."""

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NAMES = {
    INK: "ink",
    PALE: "pale",
    RULE: "rule",
    PAPER: "paper",
    **{each: f"series-{n}" for n, each in enumerate(SERIES)},
}


@dataclass(frozen=True)
class Figure:
    """A figure with its words.

    Attributes:
        svg: an `<svg>` element.
        title: what it shows.
        description: what one sees in it, in a sentence or two: its text alternative.
        table: its numbers.
    """

    svg: str
    title: str
    description: str
    table: Table | None = None


def plain(text: str) -> str:
    """A user's words as Matplotlib and XML take them: no formula, no control character, and not
    left out of a legend."""
    text = "".join(
        "�" if unicodedata.category(each) in ("Cc", "Cs") else each for each in text
    ).replace("$", r"\$")
    return f"\N{ZERO WIDTH SPACE}{text}" if text.startswith("_") else text


def new_axes(width: float = 4.4, height: float = 2.9) -> tuple[Any, Any]:
    """A Matplotlib figure and its axes in the manner of the page.

    Args:
        width: inches; at 4.4 its letters are as large on a phone as the text around it.
        height: inches.
    """
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, height), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.tick_params(colors=PALE, labelcolor=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def to_figure(
    figure: Any,
    name: str,
    title: str,
    description: str,
    values: Mapping[str, Sequence[str]],
    table: Table | None = None,
) -> Figure:
    """Turn a Matplotlib figure into SVG whose points tell their values.

    Args:
        figure: with artists that have a `gid`.
        name: of the figure, one word that no other figure of the page has.
        title: what it shows.
        description: its text alternative.
        values: gid -> the words of each point of that artist, in order. A line without points, or a
            bar, has one.
        table: its numbers.

    Returns:
        The figure; every id in it begins with `name`.

    Raises:
        ValueError: when an artist has another number of points than words (a defect of the caller).
    """
    import matplotlib

    buffer = io.StringIO()
    with (
        matplotlib.rc_context(
            {"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}
        ),
        warnings.catch_warnings(),
    ):
        # The browser draws the letters, with fonts of its own.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(
            buffer,
            format="svg",
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(element)
    for side in ("width", "height", "version"):
        root.attrib.pop(side, None)
    root.set("aria-hidden", "true")  # the element around it carries the words
    root.set("focusable", "false")
    for gid, words in values.items():
        _tell(root, gid, words)
    text = ElementTree.tostring(root, encoding="unicode")
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    for stand_in, variable in _NAMES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    # Matplotlib names its own font in every label; the page's is meant.
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    return Figure(text, title, description, table)


def _tell(root: Any, gid: str, words: Sequence[str]) -> None:
    group = next(
        (element for element in root.iter(f"{{{_SVG}}}g") if element.get("id") == gid), None
    )
    points = [] if group is None else list(group.iter(f"{{{_SVG}}}use")) or [group]
    if len(points) != len(words):
        raise ValueError(f"the artist {gid!r} has {len(points)} points and {len(words)} values")
    for point, word in zip(
        points, (plain(word).replace(r"\$", "$") for word in words), strict=True
    ):
        point.set("class", "point")
        point.set("data-value", word)
        ElementTree.SubElement(point, f"{{{_SVG}}}title").text = word
