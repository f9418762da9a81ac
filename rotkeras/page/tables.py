"""Tables of a page: what is shown, what is sorted by, how strong a cell is coloured."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what is shown.
        value: what the column is sorted by; None sorts by the text.
        shade: 0 … 1, how strongly the cell is coloured, or None.
        best: whether it is marked as the best of its kind.
        title: more words, shown on hover and read aloud.
    """

    text: str
    value: float | None = None
    shade: float | None = None
    best: bool = False
    title: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a heading row; its first column names the rows.

    Attributes:
        caption: what it shows, in one sentence.
        columns: headings.
        rows: of cells, or of anything that can be written as text.
        sortable: whether its headings are buttons that sort.
        key: column heading -> words that explain it.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    sortable: bool = True
    key: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> list[list[Cell]]:
        """All rows as cells; numbers sort as numbers."""
        return [[_cell(each) for each in row] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Of each column, whether it has numbers to sort by, and nothing else."""
        columns = list(zip(*self.cells, strict=True)) or [()] * len(self.columns)
        return [
            any(each.value is not None for each in column)
            and all(each.value is not None for each in column if each.text)
            for column in columns
        ]


def _cell(content: Any) -> Cell:
    if isinstance(content, Cell):
        return content
    if content is None:
        return Cell("")
    if isinstance(content, int | float) and not isinstance(content, bool):
        return Cell(f"{content:,}" if isinstance(content, int) else f"{content:g}", float(content))
    return Cell(str(content))
