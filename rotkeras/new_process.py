"""Run a program of ours in a process of its own, hear what it does, and end it with us."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError, brief
from rotkeras.files import temporary_folder


def run_module(
    module: str, wanted: Mapping[str, Any], name: str
) -> Generator[dict[str, Any], None, None]:
    """The JSON objects that a module of ours prints, as `lines` gives them.

    Args:
        module: such as "rotkeras.benchmark.measure"; it is given the path of a JSON file.
        wanted: content of that file.
        name: what it does, for an error.
    """
    with temporary_folder() as folder:
        request = folder / "request.json"
        request.write_text(json.dumps(wanted), encoding="utf-8")
        # -P: a file numpy.py in the folder one happens to be in is not NumPy. The package is found
        # where this one was.
        command = [sys.executable, "-P", "-m", module, str(request)]
        paths = os.pathsep.join(
            filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")))
        )
        # Closed at once, and not when an error that holds it is forgotten: that ends the process.
        with contextlib.closing(lines(command, {"PYTHONPATH": paths}, name)) as said:
            yield from said


def lines(
    command: Sequence[str], environment: Mapping[str, str], name: str
) -> Generator[dict[str, Any], None, None]:
    """The JSON objects that a program prints, one a line, as they come; other lines are left out.

    The program, and what it starts, ends when this is left, be it by Ctrl-C.

    Args:
        command: program and arguments.
        environment: variables besides those there are.
        name: what it does, for an error.

    Raises:
        UserError: the last line it wrote as an error when it ends with code 2, and one that names
            it when it ends with another.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **environment},
            # A group of its own: Ctrl-C comes to us alone, and we end it with the workers it has
            # started.
            start_new_session=os.name == "posix",
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                content = None
                with contextlib.suppress(ValueError):
                    content = json.loads(line)
                if isinstance(content, dict):
                    yield content
            code = process.wait()
        finally:
            _end(process)
        if code:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines() or [
                f"it ended with {code}"
            ]
            if code == 2:
                raise UserError(said[-1])
            last = brief(RuntimeError(said[-1] if code > 0 else f"it was ended by signal {-code}"))
            raise UserError(
                f"{name[0].upper()}{name[1:]} failed ({last}). Use a smaller"
                " train.images_per_batch, or train the recipe to see the error."
            )


def _end(process: "subprocess.Popen[str]") -> None:
    """End a process that still runs, with all that it started."""
    if process.poll() is not None:
        return
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
