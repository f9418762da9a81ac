"""What is said of files that could not be read."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from rotkeras.data import BadImage

_MOST_REASONS, _MOST_FILES = 5, 5


def left_out(count: int) -> str:
    """How many files could not be read, in words."""
    if count == 1:
        return "1 file could not be read as an image and is left out"
    return f"{count:,} files could not be read as images and are left out"


def tell_skipped(
    console: "Console", skipped: list["BadImage"], where: str = "", notes: Iterable[str] = ()
) -> None:
    """Print notes on images, and name files that could not be read: of each reason the first.

    Args:
        console: where to print.
        skipped: the files.
        where: where all of them are named, such as ", in summary.json".
        notes: further lines about images that were left out.
    """
    for note in notes:
        console.print(f"note: {note}", markup=False)
    if not skipped:
        return
    console.print(f"{left_out(len(skipped))}:")
    for line in lines(skipped, where):
        console.print(f"  {line}", markup=False)


def lines(skipped: list["BadImage"], where: str = "") -> list[str]:
    """The first five files with their reasons; if there are more files and several reasons, the
    first file of each reason."""
    of_reason: dict[str, list[str]] = {}
    for bad in skipped:
        of_reason.setdefault(bad.reason, []).append(bad.path)
    if len(skipped) <= _MOST_FILES or len(of_reason) == 1:
        found = [f"{bad.path}: {bad.reason}" for bad in skipped[:_MOST_FILES]]
        named = len(found)
    else:
        ordered = sorted(of_reason.items(), key=lambda each: -len(each[1]))[:_MOST_REASONS]
        found = [
            f"{paths[0]}{f' and {len(paths) - 1:,} more' if len(paths) > 1 else ''}: {reason}"
            for reason, paths in ordered
        ]
        named = sum(len(paths) for _, paths in ordered)
    more = len(skipped) - named
    return [*found, *([f"… and {more:,} more{where}"] if more else [])]
