"""The script `rotkeras`, and `python -m rotkeras`."""

import os
import signal
from typing import Any


def _end(number: int, _frame: Any) -> None:
    os._exit(128 + number)


def main() -> None:
    """Run the command line. A signal that arrives while its modules are imported ends it at
    once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    from rotkeras.cli import main as command

    command(prog_name="rotkeras")


if __name__ == "__main__":
    main()
