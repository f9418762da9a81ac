"""Where an export may go."""

import glob
import os
import shutil
from pathlib import Path

from rotkeras.errors import UserError
from rotkeras.files import check_writable, expanded


def resolved(folder: str | os.PathLike[str]) -> Path:
    """The folder itself, when a link or a path relative to others was given."""
    return expanded(folder).resolve()


def rejected_folder(folder: Path) -> Path:
    """The folder of an export whose accuracy drop is too large."""
    return folder.with_name(f"{folder.name}-rejected")


def check_target(folder: Path, overwrite: bool) -> None:
    """Raise a `UserError` when an export may not go to a folder, or could not be written beside it.

    Args:
        folder: where it is to go, `resolved`.
        overwrite: whether an export that is there may be replaced, with all that lies in its
            folder.
    """
    check_writable(folder, "-o", folder=True)
    here = Path.cwd().resolve()
    if folder == here or folder in here.parents:
        raise UserError(
            f"{folder} is the current folder, or holds it. Give a folder for the export alone"
            " with -o."
        )
    aside = rejected_folder(folder)
    for each, again in ((folder, overwrite), (aside, True)):
        if not each.exists():
            continue
        if not each.is_dir():
            raise UserError(f"{each} is a file. Give a folder for the export with -o.")
        if any(each.iterdir()) and not (each / "verify.json").exists():
            what = "" if each == folder else ", where a rejected export would be kept,"
            raise UserError(
                f"The folder {each}{what} is not empty and holds no export: give another with -o."
            )
        if any(each.iterdir()) and not again:
            raise UserError(
                f"{each} holds an export already: add --overwrite to replace it, or give another"
                " folder with -o."
            )
    there = next(parent for parent in folder.parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UserError(
            f"{there} cannot be written to, so it cannot hold {folder.name}. Give another folder"
            " with -o."
        )


def clean(folder: Path) -> None:
    """Take away what a killed export left beside a folder, and bring back an export that it had
    just taken out of its place."""
    for left in folder.parent.glob(f".old-*-{glob.escape(folder.name)}"):
        if not folder.exists():
            os.replace(left, folder)
    for left in (
        *folder.parent.glob(f".part-*-{glob.escape(folder.name)}"),
        *folder.parent.glob(f".old-*-{glob.escape(folder.name)}"),
    ):
        shutil.rmtree(left, ignore_errors=True)


def put(working: Path, place: Path) -> None:
    """Put a folder in place. An older one is renamed first and deleted last; `clean` brings
    it back after a kill between."""
    old = place.with_name(f".old-{os.getpid()}-{place.name}")
    if place.exists():
        os.replace(place, old)
    try:
        os.replace(working, place)
    except OSError:
        if old.exists():
            os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
