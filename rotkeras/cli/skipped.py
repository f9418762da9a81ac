"""What is said of files that could not be read."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from rotkeras.data import BadImage


def left_out(count: int) -> str:
    """How many files could not be read, in words."""
    several = count > 1
    return (
        f"{count:,} file{'s' if several else ''} could not be read as images and"
        f" {'are' if several else 'is'} left out"
    )


def tell_skipped(console: "Console", skipped: list["BadImage"], where: str = "") -> None:
    """Name the first five files that could not be read; `where` tells where the others are
    named."""
    if not skipped:
        return
    console.print(f"{left_out(len(skipped))}:")
    for bad in skipped[:5]:
        console.print(f"  {bad.path}: {bad.reason}")
    if len(skipped) > 5:
        console.print(f"  … and {len(skipped) - 5:,} more{where}")
