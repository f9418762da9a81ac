"""Findings: what is wrong with the images and how to fix it, one sentence each."""

import math
from collections.abc import Sequence

from rotkeras.audit import limits
from rotkeras.audit.report import Finding, Folder
from rotkeras.audit.shortcuts import ShortcutResult
from rotkeras.audit.verdicts import is_shortcut

_CROP = "augmentation: [{name: random_resized_crop, scale: [%s]}]"
_SHORTCUTS = {
    "border": (
        "the outer pixels alone reveal the rotation",
        "crop bars, frames and edges off the files, or crop inside them in every step: {crop}",
    ),
    "mark": (
        (
            "something near the edge is always in the same place, such as a date stamp or a logo,"
            " and reveals the rotation"
        ),
        "crop or paint it over in the files, or crop inside it in every step: {crop}",
    ),
    "colour": (
        "mean colours alone reveal the rotation, for example because light falls off to one side",
        (
            "remove the gradient from the files (divide by the mean image), or train on small"
            " crops: {small_crop}. Landscapes with sky are reported here too; they are suitable"
            " if rotation accuracy keeps rising after the first epoch"
        ),
    ),
    "grid": (
        (
            "the block grid of JPEG reveals the rotation: blocks start at the upper left corner,"
            " and the side is not a multiple of 8"
        ),
        (
            "use the originals instead of recompressed copies and resize them with"
            " data.image_size: {smaller}, or crop at random: {crop}"
        ),
    ),
    "residue": (
        "noise, sharpening, interlacing or a codec has a direction and reveals the rotation",
        (
            "resize the images with data.image_size: {smaller}, or blur them:"
            " augmentation: [{{name: keras_cv, layer: RandomGaussianBlur, arguments: {{kernel_size:"
            " 3, factor: 1.0}}}}]"
        ),
    ),
}


def find(
    folders: Sequence[Folder], shortcuts: Sequence[ShortcutResult], size: int, turns: bool = True
) -> list[Finding]:
    """Compare the measurements with their limits.

    Args:
        folders: measurements of all images first, then of each folder.
        shortcuts: the result of each predictor.
        size: pixels of each side.
        turns: whether rotations are predicted; otherwise copies alone are a fault of the files.

    Returns:
        The findings, the most serious first; empty if the images are suitable.
    """
    if not turns:
        return _copies(folders[0])
    return [*_no_up(folders), *_files(folders), *_shortcuts(shortcuts, size)]


def _no_up(folders: Sequence[Folder]) -> list[Finding]:
    whole, *rest = folders
    if whole.evaluated < limits.FEWEST_IMAGES:
        return []
    without = [each for each in rest if has_no_up(each) and not each.lies]
    if has_no_up(whole):
        return [
            Finding(
                "no-up",
                "the images have no upright orientation: a small network reaches"
                f" {percent(whole.accuracy)} rotation accuracy, and chance is 25 %",
                "turn the images upright if their files were rotated; aerial, microscopic and"
                " texture images need another pretext task than rotation",
            )
        ]
    if not without:
        return []
    several = len(without) > 1
    named = ", ".join(each.name for each in without[:3]) + (
        f" and {len(without) - 3} more" if len(without) > 3 else ""
    )
    reached = ", ".join(percent(each.accuracy) for each in without[:3])
    which = "folders or classes" if several else "folder or class"
    return [
        Finding(
            "no-up",
            f"the {which} {named} {'have' if several else 'has'} no upright orientation: a small"
            f" network reaches {reached} rotation accuracy, and chance is 25 %",
            "remove them from data.folder, or turn them upright",
        )
    ]


def _files(folders: Sequence[Folder]) -> list[Finding]:
    whole = folders[0]
    found = []
    corners = lower_end(whole.corners, whole.images) > limits.CORNERS_SHARE
    lying = [
        each for each in folders[1:] if each.lies and each.evaluated >= limits.FEWEST_OF_A_FOLDER
    ]
    if whole.evaluated >= limits.FEWEST_IMAGES and not has_no_up(whole):
        if lying:
            named = ", ".join(f"{each.name} (by {each.lies}°)" for each in lying[:3])
            more = f" and {len(lying) - 3} more" if len(lying) > 3 else ""
            found.append(
                Finding(
                    "turned",
                    "whole folders are rotated counter-clockwise against the others:"
                    f" {named}{more}; every rotation label in them is wrong",
                    "turn their images upright",
                )
            )
        elif (
            not corners
            and whole.turned is not None
            and lower_end(whole.turned, whole.evaluated) > limits.TURNED_SHARE
        ):
            found.append(
                Finding(
                    "turned",
                    f"{percent(whole.turned)} of the images look already rotated: their rotation"
                    " labels are probably wrong",
                    "look at them on the page, then turn them upright or remove them; --json lists"
                    " them",
                )
            )
    if corners:
        found.append(
            Finding(
                "corners",
                f"at least {percent(whole.corners)} of the images have empty corners, as a rotation"
                " by interpolation leaves them (JPEG hides some): they are no longer upright, and"
                " their seams and blur reveal it",
                "use the originals: rotkeras rotates by exact quarter turns, and by the multiples"
                " of 45° in task.angles without empty corners",
            )
        )
    if whole.turned_duplicates > limits.TURNED_DUPLICATES_SHARE:
        found.append(
            Finding(
                "turned-duplicates",
                f"{percent(whole.turned_duplicates)} of the images are rotated copies of others:"
                " their rotation labels contradict each other",
                "delete the copies that are not upright; --json lists them",
            )
        )
    return found + _copies(whole)


def _copies(whole: Folder) -> list[Finding]:
    if whole.duplicates <= limits.DUPLICATES_SHARE:
        return []
    return [
        Finding(
            "duplicates",
            f"{percent(whole.duplicates)} of the images are copies of others: some are both in"
            " training and in validation",
            "delete the copies; --json lists them",
        )
    ]


def lower_end(share: float, count: int) -> float:
    """Lower end of the 95 % Wilson interval of a share of `count` images; 0 for none."""
    if count == 0:
        return 0.0
    z = 1.96
    centre = share + z * z / (2 * count)
    return (centre - z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))) / (
        1 + z * z / count
    )


def _shortcuts(shortcuts: Sequence[ShortcutResult], size: int) -> list[Finding]:
    words = {
        "crop": _CROP % "0.3, 0.8",
        "small_crop": _CROP % "0.1, 0.4",
        "smaller": max(8, size * 2 // 3 // 8 * 8),
    }
    shortcuts_found = {each.name: each for each in shortcuts if is_shortcut(each)}
    edge = max(
        (each for name, each in shortcuts_found.items() if name in limits.EXCESS),
        key=lambda each: each.excess or 0.0,
        default=None,
    )
    if edge is not None:
        # Several predictors see the same cause. Report the one that explains most of it; the
        # others matter once it is removed.
        colour = shortcuts_found.get("colour")
        cause = (
            colour if colour and edge.accuracy - colour.accuracy < limits.COLOUR_EXPLAINS else edge
        )
        shortcuts_found = {cause.name: cause}
    found = []
    for name, each in shortcuts_found.items():
        what, fix = _SHORTCUTS[name]
        beside = "" if each.control is None else f", {each.control_sees} {percent(each.control)}"
        found.append(
            Finding(
                name,
                f"{what} ({each.sees}: {percent(each.accuracy)} of the views{beside})",
                fix.format(**words),
            )
        )
    return found


WHOLE = "(all)"


def has_no_up(folder: Folder) -> bool:
    """Whether enough of its images were evaluated and the network's accuracy on them is near
    chance."""
    if (
        folder.accuracy is None
        or folder.margin is None
        or folder.evaluated < limits.FEWEST_OF_A_FOLDER
    ):
        return False
    # All images at once are one question; folders are many, and one of them may be unlucky.
    deviations = 1.0 if folder.name == WHOLE else limits.FOLDER_MARGINS
    return folder.accuracy + deviations * folder.margin < limits.UP_ACCURACY


def percent(share: float | None) -> str:
    """A share as `12.3 %`."""
    return "–" if share is None else f"{100 * share:.1f} %"
