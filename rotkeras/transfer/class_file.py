"""Files with the name of a class on each line."""

from pathlib import Path

from rotkeras.errors import UserError
from rotkeras.files import as_text


def names_of(file: Path) -> list[str]:
    """The names of classes by the number of their line, from 0.

    Raises:
        UserError: for an empty line between others, which would shift the numbers behind it.
    """
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    names = [line.strip() for line in text.rstrip().splitlines()]
    if "" in names:
        raise UserError(
            f"{as_text(str(file))} must have a class on each line, and line"
            f" {names.index('') + 1} is empty. Write a name there, or remove the line if no class"
            " has that number."
        )
    return names
