"""Configuration of the documentation site: `sphinx-build docs build/site`."""

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import rotkeras  # noqa: E402
from rotkeras.training import devices  # noqa: E402

devices.quiet()

project = "rotkeras"
smartquotes = False
author = "the rotkeras developers"
project_copyright = author
version = release = rotkeras.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
exclude_patterns = ["_build"]
nitpicky = False

# Markdown: headings are link targets, `:::` opens a note.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The API: every public name of a room, in the order of its `__all__`, with its signature.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Reference", "Input shape", "Output shape"]
default_role = "code"
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "rotkeras"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    page: []
    for page in ("changes", "commands", "faq", "getting_started", "how_it_works", "results")
}
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# Rooms import their public names when they are first used; autodoc documents what is there.
ROOMS = sorted(path.stem for path in (ROOT / "docs" / "api").glob("rotkeras*.md"))


def _import_public_names(app: object) -> None:
    for name in ROOMS:
        room = importlib.import_module(name)
        for public in getattr(room, "__all__", ()):
            setattr(room, public, getattr(room, public))


def _show_examples_as_code(
    app: object, kind: str, name: str, what: object, options: object, lines: list[str]
) -> None:
    """Make the body of `Example:` a block of Python."""
    if "Example:" in lines:
        start = lines.index("Example:")
        end = start + 1
        while end < len(lines) and (not lines[end] or lines[end].startswith(" ")):
            end += 1
        body = ["    " + line if line else line for line in lines[start + 1 : end]]
        lines[start + 1 : end] = ["    .. code-block:: python", "", *body, ""]


def _escape(app: object, context: object, lines: list[str]) -> None:
    """Show help texts as they are: they are not reStructuredText."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((".. ", ":", "|")):
            lines[number] = re.sub(r"([|*])", r"\\\1", line)


def setup(app: object) -> None:
    """Connect the functions above."""
    connect = app.connect  # type: ignore[attr-defined]
    connect("builder-inited", _import_public_names)
    connect("autodoc-process-docstring", _show_examples_as_code, priority=400)
    connect("sphinx-click-process-description", _escape)
    connect("sphinx-click-process-options", _escape)
