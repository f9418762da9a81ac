"""The option that says where the images of a run lie now."""

from typing import Any

import click


def _parse(_context: Any, _parameter: Any, overrides: tuple[str, ...]) -> dict[str, str | None]:
    from rotkeras.run.places import parse_locations

    return parse_locations(overrides)


places = click.option(
    "--set",
    "places",
    multiple=True,
    callback=_parse,
    metavar="data.KEY=VALUE",
    help=(
        "Where the run's images are now, if they have moved: data.folder, data.test_folder,"
        " data.arrays, data.tfds, data.data_dir or data.cache; may be given again. They must be the"
        " images of training. probe.data.folder and so on, for a recipe with probe.data."
    ),
)
"""`--set data.folder=photos` as `places={"folder": "photos"}`."""
