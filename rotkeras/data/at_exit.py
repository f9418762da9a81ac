"""Lets `tf.data` come to rest before Python ends."""

import atexit
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET_SECONDS, _MOST_SECONDS = 0.2, 5.0


class Ending:
    """What reads images, or makes batches of them, in threads of `tf.data` asks here whether it is
    worth it.

    A thread that lets go of Python's lock for a read never gets it back from an interpreter that is
    shutting down, and that waits for the thread: the process would hang, now and then, when a
    script ends while a dataset still reads ahead. So once Python begins to end, readers give black
    images, which no one will see, until they are asked for no more.
    """

    def __init__(self) -> None:
        self.begun = False
        self.readers: set[int] = set()
        self.last_read = 0.0
        atexit.register(self.wait)

    def wait(self) -> None:
        """Until no one reads, or it has taken five seconds."""
        self.begun = True
        until = time.monotonic() + _MOST_SECONDS
        while (
            self.readers or time.monotonic() - self.last_read < _QUIET_SECONDS
        ) and time.monotonic() < until:
            time.sleep(0.01)

    @contextmanager
    def reading(self) -> Iterator[bool]:
        """Whether to read at all."""
        reader = threading.get_ident()
        self.readers.add(reader)  # before the question, so that `wait` misses no one
        try:
            yield not self.begun
        finally:
            self.last_read = time.monotonic()
            self.readers.discard(reader)


ending = Ending()
