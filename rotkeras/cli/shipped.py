"""The network that ships with rotkeras, for photographs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

import rotkeras

NAME = "photographs"
SHIPPED_ENCODER = "encoder-dynamic.tflite"


def folder() -> Path:
    """Where its files lie: inside the installed package, or beside it in a checkout."""
    package = Path(rotkeras.__file__).parent
    installed = package / "saved_models"
    return (installed if installed.is_dir() else package.parent / "saved_models") / NAME / "export"


def with_network(
    given: Sequence[str], others: Sequence[str], file: str, tell: Callable[[str], None]
) -> list[str]:
    """The arguments of a command, with the network that ships where none is named.

    Args:
        given: on the command line.
        others: names of the arguments that follow the network.
        file: of the network that ships.
        tell: called with a line that says what was taken.

    Raises:
        click.UsageError: for too few or too many.
    """
    wanted = len(others) + 1
    if len(given) == wanted:
        return list(given)
    if len(given) != len(others):
        raise click.UsageError(
            f"Give {' '.join(others)}, or a network and {' '.join(others)}; got {len(given)}"
            f" argument{'s' if len(given) > 1 else ''}."
        )
    network = folder() / file
    if not network.is_file():
        raise click.UsageError(f"This installation has no {network}; name a network.")
    tell(
        f"network: {NAME}, trained by rotation on Imagenette (saved_models/{NAME}); for other kinds"
        " of images name your own"
    )
    return [str(network), *given]
