"""`rotkeras export` of a folder that `rotkeras finetune` wrote."""

import sys
from pathlib import Path
from typing import Any

import click

_USED = ("profiles", "aim", "calibration_images", "max_drop", "author", "licence")


def export_again(
    run: Path,
    folder: Path | None,
    data_dir: str | None,
    places: dict[str, str | None],
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    """Export the network of a fine-tuning, and show the files.

    Args:
        run: folder of the fine-tuning.
        folder: of the export; None for the one in it.
        data_dir: an option of pre-training, which is refused.
        places: where the images lie now, as {"folder": path}.
        overwrite: replace an export.
        options: of the command line; those that do not apply are refused.
    """
    from pydantic import ValidationError

    from rotkeras.arguments.sentences import clause, complete
    from rotkeras.errors import UserError
    from rotkeras.recipe.files import load_kind
    from rotkeras.training import devices
    from rotkeras.transfer.settings import Files, FineTuning

    given = {name: value for name, value in options.items() if value is not None and value != ()}
    unused = [f"--{name.replace('_', '-')}" for name in given if name not in _USED]
    unused += [f"--set data.{name}" for name in places if name != "folder"]
    if data_dir is not None:
        unused.append("--data-dir")
    if unused:
        raise click.UsageError(
            f"{', '.join(unused)}: not for the export of a fine-tuning; leave it out. --set"
            " data.folder=PATH says where its images lie now."
        )
    recipe = load_kind(FineTuning, run / "recipe.yaml")
    content = (recipe.export or Files()).model_dump()
    if "profiles" in given:
        given["profiles"] = list(given["profiles"])
    try:
        settings = Files.model_validate({**content, **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-").replace("profiles", "profile")
        raise UserError(complete(f"--{name}", clause(first))) from None
    devices.check_tensorflow("export")

    from rotkeras.cli.embed import interruptible, new_console, start

    console = new_console()
    with interruptible() as interrupted:
        start(console)
        from rotkeras.cli.finetune_console import FineTuneConsole
        from rotkeras.transfer.export_again import export_fine_tuning

        shown = FineTuneConsole(console, interrupted)
        exported = export_fine_tuning(
            run,
            settings,
            folder,
            data=places.get("folder"),
            overwrite=overwrite,
            tell=shown.tell,
            say=lambda what: shown.tell(f"{what} …"),
        )
    shown.files(exported)
    console.print(f"\nfiles: {exported.folder}", markup=False)
    if exported.rejected:
        sys.exit(1)
