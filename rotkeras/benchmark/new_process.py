"""Run a program of ours in a process of its own, hear what it does, and end it with us."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError, brief
from rotkeras.files import temporary_folder

Tell = Callable[[str], None]


def measure(part: str, wanted: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """What `rotkeras.benchmark.measure` measures in a fresh process.

    Args:
        part: one of its `PARTS`.
        wanted: arguments of that part.
        tell: called with what it is doing.

    Returns:
        What the part returns, by way of JSON.

    Raises:
        UserError: the one that the part raised, or one that says how the process ended.
    """
    with temporary_folder() as folder:
        request = folder / "request.json"
        request.write_text(json.dumps({"part": part, **wanted}), encoding="utf-8")
        # -P: a file numpy.py in the folder one happens to be in is not NumPy. The package is found
        # where this one was.
        command = [sys.executable, "-P", "-m", "rotkeras.benchmark.measure", str(request)]
        paths = os.pathsep.join(
            filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")))
        )
        result: dict[str, Any] = {}
        for line in lines(command, {"PYTHONPATH": paths}, f"the part {part!r} of the benchmark"):
            if "tell" in line:
                tell(line["tell"])
            result = line.get("result", result)
    return result


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
