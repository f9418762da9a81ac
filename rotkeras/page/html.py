"""From a template to one self-contained HTML file."""

import os
from pathlib import Path
from typing import Any

from rotkeras import __version__
from rotkeras.errors import UserError
from rotkeras.files import check_writable, write_text


def render(package: str, template: str, title: str, **content: Any) -> str:
    """Render a template that extends `base.html.j2` and may import `macros.html.j2` of this room.

    Args:
        package: the package whose folder `templates` holds the template, such as "rotkeras.report".
        template: its name.
        title: of the page.
        content: what the template shows; everything is escaped.

    Returns:
        A whole HTML document without a reference to any other file or host.
    """
    import jinja2

    loader = jinja2.ChoiceLoader(
        [jinja2.PackageLoader(package), jinja2.PackageLoader("rotkeras.page")]
    )
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(title=title, version=__version__, **content)


def check_page(
    path: str | os.PathLike[str], overwrite: bool = False, what: str = "The page"
) -> Path:
    """The path of a page that may be written; a `UserError` when it may not.

    Args:
        path: a file that ends in `.html`; `~` is the home folder.
        overwrite: whether a file that is there may be replaced.
        what: the option that names it, such as "-o", for the error.
    """
    file = check_writable(path, what)
    if file.suffix.lower() not in (".html", ".htm"):
        raise UserError(
            f"The page {str(file)!r} must end in .html, got {file.suffix or 'no ending'}."
        )
    if file.is_dir():
        raise UserError(f"The page {str(file)!r} is a folder: give the name of a file in it.")
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise UserError(
            f"The folder {str(file.parent)!r} for {file.name} does not exist or cannot be written"
            " to. Make it, or give another path."
        )
    if file.exists() and not overwrite:
        raise UserError(
            f"The page {str(file)!r} already exists. Add --overwrite, or give another name."
        )
    return file


def write_page(path: Path, html: str) -> None:
    """Write a page whole or not at all."""
    try:
        # Names of files may hold bytes that are no text: they are shown as \\udcff.
        write_text(path, html.encode("utf-8", "backslashreplace").decode("utf-8"))
    except OSError as error:
        raise UserError(
            f"The page {str(path)!r} could not be written ({error.strerror}): give another place."
        ) from None
