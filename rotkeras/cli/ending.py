"""Commands that end soon after Ctrl-C or a request to end, at any moment, and leave no unfinished
file.

The handlers of Python run between two of its instructions; a library that computes for a minute, or
a file system that does not answer, holds them up. A thread therefore sees each signal by itself,
waits a moment for the command to end in order, and then ends the process.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 4.0
"""Seconds that a command has to end in order."""


class Interrupted(KeyboardInterrupt):
    """A signal that asks the command to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_code(error: BaseException | None, number: int = signal.SIGINT) -> int:
    """128 and the number of the signal, as shells have it: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + int(getattr(error, "number", number))


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """Within it, SIGINT and SIGTERM raise `Interrupted`, and end the process when that does not.

    Outside of the main thread, where Python sets no handlers, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: Any) -> NoReturn:
        raise Interrupted(number)

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    waking = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(waking)
        os.close(writing)
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(reading: int) -> None:
    """Wait for a signal; then end the process once the command has had its time."""
    with contextlib.suppress(OSError):
        while number := os.read(reading, 1):
            if number[0] in SIGNALS:
                time.sleep(PATIENCE)
                _end(number[0])
    os.close(reading)


def _end(number: int) -> NoReturn:
    from rotkeras.files import remove_unfinished

    remove_unfinished()
    with contextlib.suppress(Exception):
        sys.stderr.write("\nInterrupted; no unfinished file was left.\n")
        sys.stderr.flush()
    _end_children()
    os._exit(128 + number)


def _end_children() -> None:
    """Ask the processes that this one started to end (Linux)."""
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):  # noqa: PTH208
            with open(f"/proc/self/task/{task}/children") as file:
                for child in file.read().split():
                    os.kill(int(child), signal.SIGKILL)
