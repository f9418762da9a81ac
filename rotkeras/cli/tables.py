"""The form of tables on the console."""

from rich import box
from rich.table import Table


def new_table(title: str, plain: bool) -> Table:
    """An empty table, after an empty line where it has a title.

    Args:
        title: above it; "" for none.
        plain: without lines, for what is no terminal.
    """
    return Table(
        box=None if plain else box.SIMPLE_HEAD,
        pad_edge=not plain,
        title=f"\n{title}" if title else None,
        title_justify="left",
    )
