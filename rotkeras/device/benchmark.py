"""Time and memory of an exported file on this machine, measured as TFLite's benchmark_model does
it.

Each number of threads has a process of its own: initialisation is then that of a fresh program, and
its peak of memory is its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rotkeras.device.arguments import check_number, check_path, check_text, check_whole
from rotkeras.device.head_file import sha256
from rotkeras.device.host import Host, describe_host
from rotkeras.device.latency import Timing
from rotkeras.device.whole_file import check
from rotkeras.errors import UserError, brief, must
from rotkeras.files import expanded


@dataclass(frozen=True)
class Benchmark:
    """A measured file.

    Attributes:
        file: its name.
        bytes: its size.
        sha256: of its content.
        signature: what was run; None for a file without signatures.
        inputs: name -> dtype and shape of what it was fed: noise of a fixed seed.
        delegate: what runs the operators.
        host: the machine.
        timings: one for each number of threads.
    """

    file: str
    bytes: int
    sha256: str
    signature: str | None
    inputs: dict[str, str]
    delegate: str
    host: Host
    timings: tuple[Timing, ...]

    def json(self) -> str:
        """All of it as indented JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def measure_latency(
    path: str | os.PathLike[str],
    threads: Sequence[int] = (1, 2),
    warm_up_runs: int = 10,
    runs: int = 50,
    signature: str | None = None,
    max_seconds: float = 60.0,
) -> Benchmark:
    """Measure a file.

    Args:
        path: any `.tflite` file of built-in operators.
        threads: numbers of threads, each measured in a fresh process.
        warm_up_runs: runs before those that count: so many, and for half a second, at least.
        runs: runs that count: so many, and for a second, at least.
        signature: what to run; None is embed, predict, or the first that takes images.
        max_seconds: after this time, for each number of threads, no run is begun, be there fewer
            than `runs`.

    Returns:
        A `Benchmark`.

    Raises:
        UserError: for a file that cannot be run, an unknown signature, and counts below 1.
    """
    check_path("path", path)
    if not isinstance(threads, list | tuple | range) or not threads:
        raise must("threads", "be a list of numbers of threads", threads)
    for number, each in enumerate(threads):
        check_whole(f"threads[{number}]", each)
    check_whole("warm_up_runs", warm_up_runs, least=0)
    check_whole("runs", runs)
    check_text("signature", signature, optional=True)
    check_number("max_seconds", max_seconds)
    place = expanded(path)
    check(place)
    wanted = {
        "path": str(place),
        "signature": signature,
        "warm_up_runs": warm_up_runs,
        "runs": runs,
        "max_seconds": max_seconds,
    }
    results = [_in_fresh_process({**wanted, "threads": number}) for number in threads]
    first = results[0]
    timings = tuple(Timing(**result["timing"]) for result in results)
    delegate = "XNNPACK, CPU" if all(result["xnnpack"] for result in results) else "none, CPU"
    return Benchmark(
        place.name,
        place.stat().st_size,
        sha256(place),
        first["signature"],
        first["inputs"],
        delegate,
        describe_host(),
        timings,
    )


def _in_fresh_process(wanted: dict[str, Any]) -> dict[str, Any]:
    # -P: a file numpy.py in the folder one happens to be in is not NumPy. The package is found
    # where this one was.
    command = [sys.executable, "-P", "-m", "rotkeras.device.latency", json.dumps(wanted)]
    here = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    if done.returncode == 2 and done.stderr.strip():
        raise UserError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if not line.startswith("INFO:")]
        last = brief(RuntimeError((lines or [f"it ended with {done.returncode}"])[-1]))
        raise UserError(
            f"{wanted['path']!r} could not be measured with {wanted['threads']} threads ({last})."
            " Use fewer threads, or export it again."
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {
        **result,
        "xnnpack": "XNNPACK delegate" in done.stderr,
    }  # the runtime says so when it makes one
