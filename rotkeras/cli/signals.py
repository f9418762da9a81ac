"""Commands that end soon after Ctrl-C or a request to end, at any moment, and leave no unfinished
file.

Python runs signal handlers between two of its instructions. A library that computes for a minute,
or a file system that does not answer, delays them. A thread therefore sees each signal by itself,
waits a few seconds for the command to end in order, and then ends the process.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import click

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 3.5
"""Seconds that a command has to end in order."""
SENTENCE = "Interrupted; no unfinished file was left."

received: list[int] = []
"""Numbers of the signals that came since the command began. Code whose exceptions a library may
swallow looks here now and then."""


class Interrupted(KeyboardInterrupt):
    """A signal that asks the command to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@dataclass
class _State:
    inside: bool = False
    reported: bool = False
    sentence: Callable[[], str] = lambda: SENTENCE


_state = _State()


def exit_code(error: BaseException | None = None) -> int:
    """128 and the number of the signal, as shells have it: 130 for SIGINT, 143 for SIGTERM."""
    first = received[0] if received else signal.SIGINT
    return 128 + int(getattr(error, "number", first))


def tell() -> None:
    """Write to standard error, once, that the command was interrupted."""
    if not _state.reported:
        _state.reported = True
        with contextlib.suppress(Exception):  # there may be no standard error
            click.echo(f"\n{_state.sentence()}", err=True)


@contextlib.contextmanager
def saying(sentence: Callable[[], str]) -> Iterator[None]:
    """After an interrupt within it, `tell` writes another sentence, called for when it is
    needed."""
    before, _state.sentence = _state.sentence, sentence
    yield
    _state.sentence = before


@contextlib.contextmanager
def soon(until_exit: bool = False) -> Iterator[None]:
    """Within it, SIGINT and SIGTERM raise `Interrupted` once, and end the process if it does not
    end by itself. Outside of the main thread, and inside another such context, it changes nothing.

    Args:
        until_exit: whether the process has nothing else to do than this command. Its exit, which
            may wait for threads, then belongs to the time it has.
    """
    if _state.inside or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: Any) -> None:
        received.append(number)
        if len(received) == 1:  # a second one must not disturb what cleans up after the first
            raise Interrupted(number)

    received.clear()
    vars(_state).update(vars(_State(inside=True)))
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    waking = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    ended = threading.Event()
    threading.Thread(target=_watch, args=(reading, ended), daemon=True).start()
    try:
        yield
    finally:
        _state.inside = False
        if until_exit:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN if received else signal.SIG_DFL)
        else:
            ended.set()
            signal.set_wakeup_fd(waking)
            os.close(writing)
            for number, handler in before.items():
                signal.signal(number, handler)


def _watch(reading: int, ended: threading.Event) -> None:
    """Wait for a signal; then end the process, unless the command ends within its time."""
    with contextlib.suppress(OSError):
        while number := os.read(reading, 1):
            if number[0] in SIGNALS and not ended.wait(PATIENCE):
                _end(number[0])
    os.close(reading)


def _end(number: int) -> NoReturn:
    """End the process from outside of its main thread, with its children and unfinished files."""
    from rotkeras.files import remove_unfinished

    _end_children()
    # In a thread: whoever reads standard error may have stopped reading.
    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    telling.join(1.0)
    remove_unfinished()
    os._exit(128 + number)


def _end_children() -> None:
    """End the processes that this one started, with those of their group (Linux)."""
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):  # noqa: PTH208
            with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children") as file:
                for child in map(int, file.read().split()):
                    with contextlib.suppress(OSError):
                        leads = os.getpgid(child) == child
                        (os.killpg if leads else os.kill)(child, signal.SIGKILL)
