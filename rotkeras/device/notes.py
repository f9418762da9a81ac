"""The notes that the runtime writes to the standard error stream, and how to do without them."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Let nothing through that C++ code of this process writes to stderr, such as that a delegate
    was made.

    ai-edge-litert and TensorFlow's converter have no switch for such notes; what goes wrong they
    raise. For commands that own their
    terminal: other threads' words to stderr are lost with the notes.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no stderr to keep clean
        yield
        return
    try:
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
