"""What `rotkeras audit` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from rotkeras.audit import Folder, Report, ShortcutResult

_MOST_FOLDERS = 20


def show(console: "Console", report: "Report") -> None:
    """Two tables, the notes, and one sentence for each finding."""
    from rotkeras.audit.charts import measure_of
    from rotkeras.audit.findings import percent

    plain = not console.is_terminal
    if report.up is not None or not report.task:
        console.print("in %; accuracy: rotation accuracy of a small network (chance is 25)")
    else:
        console.print("in %; the task predicts no rotations, so no network looked for an up")
    console.print(folder_table(report.folders, plain))
    if len(report.folders) > _MOST_FOLDERS + 1:
        console.print(
            f"… and {len(report.folders) - 1 - _MOST_FOLDERS:,} folders more, on the page"
        )
    for question in report.questions:
        first = question.results[0]
        console.print(
            f"\n{measure_of(first)} of predictors that see a shortcut alone, in % (chance is"
            f" {100 * first.chance:.3g}):"
        )
        console.print(shortcut_table(question.results, plain))
    if report.shortcuts and not report.task:
        console.print(
            "\nrotation accuracy of predictors that see a shortcut alone, in % (chance is 25):"
        )
        console.print(shortcut_table(report.shortcuts, plain))
    for note in report.notes:
        console.print(f"note: {note}")
    whole = report.whole
    if report.undecided:
        console.print(
            f"\ntoo few images to decide: nothing was found in the files of {report.name}, but"
            f" {'shortcuts' if report.task else 'rotation accuracy'} could not be measured."
        )
    if report.fit:
        note = (
            f" A small network reaches {percent(whole.accuracy)} rotation accuracy (chance 25 %)."
            if whole.accuracy is not None
            else ""
        )
        console.print(
            f"\nsuitable: nothing was found against {report.subject} on {report.name}.{note}"
        )
    for finding in report.findings:
        console.print(f"\n{finding.name}: {finding.what}.\n  how to fix it: {finding.fix}.")


def folder_table(folders: list["Folder"], plain: bool) -> Any:
    """All images, and up to twenty folders, those with the least up first; shares in %; fits 80
    columns."""
    rest = folders[1:]
    if len(rest) > _MOST_FOLDERS:
        rest = sorted(rest, key=lambda each: 1.0 if each.accuracy is None else each.accuracy)[
            :_MOST_FOLDERS
        ]
    table = _table(
        ("folder", "images", "accuracy", "", "ambiguous", "rotated", "corners", "copies", "EXIF"),
        plain,
    )
    for each in [folders[0], *rest]:
        copies = each.duplicates + each.turned_duplicates
        margin = "" if each.margin is None else f"±{100 * each.margin:.1f}"
        shares = [
            _share(share)
            for share in (each.ambiguous, each.turned, each.corners, copies, each.exif)
        ]
        table.add_row(_name(each.name), f"{each.images:,}", _share(each.accuracy), margin, *shares)
    return table


def shortcut_table(results: "Sequence[ShortcutResult]", plain: bool) -> Any:
    """The accuracy of each predictor of the shortcut test, in %; fits 80 columns."""
    from rotkeras.audit.verdicts import is_shortcut

    table = _table(
        ("predictor", "accuracy", "", "control", "input"), plain, left=("predictor", "input")
    )
    for each in results:
        verdict = f"{each.sees}: too much" if is_shortcut(each) else each.sees
        table.add_row(
            each.name,
            _share(each.accuracy),
            f"±{100 * each.margin:.1f}",
            _share(each.control),
            verdict,
        )
    return table


def _table(columns: tuple[str, ...], plain: bool, left: tuple[str, ...] = ("folder",)) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(
        box=None if plain else box.SIMPLE_HEAD, padding=(0, 2 if plain else 1, 0, 0), pad_edge=False
    )
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return table


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _name(name: str) -> Any:
    from rich.cells import cell_len
    from rich.text import Text

    from rotkeras.embedding.contact_sheet import shorten

    return Text(shorten(name, lambda each: cell_len(each) <= 14))
