"""Where an export may go."""

from pathlib import Path

from rotkeras.errors import UserError


def check_target(folder: Path, overwrite: bool) -> None:
    """Raise a `UserError` when an export may not go to a folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: expected a folder for the export; give another with -o.")
    if any(folder.iterdir()) and not (folder / "verify.json").exists():
        raise UserError(f"The folder {folder} is not empty and holds no export: give another with -o.")
    if any(folder.iterdir()) and not overwrite:
        raise UserError(f"{folder} holds an export already: add --overwrite to replace it, or give another folder with -o.")
