"""Self-contained HTML pages: templates, accessible figures, pictures as data. Needs no network and
no external script."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.page.figures import Figure, new_axes, to_figure
    from rotkeras.page.html import check_page, render, write_page
    from rotkeras.page.pictures import Picture, to_picture
    from rotkeras.page.tables import Cell, Table

__all__ = [
    "Cell",
    "Figure",
    "Picture",
    "Table",
    "check_page",
    "new_axes",
    "render",
    "to_figure",
    "to_picture",
    "write_page",
]

_HOMES = {
    "Cell": "tables",
    "Figure": "figures",
    "Picture": "pictures",
    "Table": "tables",
    "check_page": "html",
    "new_axes": "figures",
    "render": "html",
    "to_figure": "figures",
    "to_picture": "pictures",
    "write_page": "html",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.page.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.page' has no attribute {name!r}")
