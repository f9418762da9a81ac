"""One measurement of a file, in a process of its own: `python -m rotkeras.device.latency`; see
benchmark.py."""

import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError

if TYPE_CHECKING:
    from rotkeras.device.tflite_file import TFLiteFile

_WARM_UP_SECONDS = 0.5
_SECONDS = 1.0


@dataclass(frozen=True)
class Timing:
    """What one process measured.

    Attributes:
        threads: of the CPU.
        warm_up_runs: runs before the measured ones.
        runs: measured runs.
        initialization_ms: opening the file and allocating its tensors.
        first_run_ms: the first run, which may allocate and pack weights.
        median_ms, p95_ms, min_ms, mean_ms: of the measured runs, each with copying the inputs in
            and the outputs out.
        memory_before_mb: resident memory before the file was opened (Python, NumPy, the runtime);
            None off Linux.
        memory_loaded_mb: after it was opened.
        memory_peak_mb: the most from the opening to the end of all runs.
    """

    threads: int
    warm_up_runs: int
    runs: int
    initialization_ms: float
    first_run_ms: float
    median_ms: float
    p95_ms: float
    min_ms: float
    mean_ms: float
    memory_before_mb: float | None
    memory_loaded_mb: float | None
    memory_peak_mb: float | None


def measure(
    path: str, threads: int, signature: str | None, warm_up_runs: int, runs: int, max_seconds: float
) -> dict[str, Any]:
    """What `measure_latency` asks of a fresh process; the arguments are its, for one number of
    threads.

    Returns:
        `timing` (a `Timing` as dict), `signature` and `inputs`.

    Raises:
        UserError: for a file that cannot be run, and an unknown signature.
    """
    import ai_edge_litert.interpreter  # noqa: F401  (not part of opening a file)

    from rotkeras.device.tflite_file import TFLiteFile

    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is that of importing
    before = _memory("VmRSS")
    began = time.perf_counter()
    file = TFLiteFile(path, threads)
    opened = time.perf_counter()
    loaded = _memory("VmRSS")
    chosen = _choose(file, signature)
    tensors = file.inputs(chosen)
    inputs = {
        name: _noise(tensor.dtype, tuple(side or 1 for side in tensor.shape))
        for name, tensor in tensors.items()
    }

    def run() -> None:
        file.run(chosen, dequantized=False, **inputs)

    deadline = time.perf_counter() + max_seconds
    first = _times(run, 1, 0.0, deadline)
    warm_up = _times(run, warm_up_runs - 1, _WARM_UP_SECONDS, deadline) if warm_up_runs else []
    measured = _times(run, runs, _SECONDS, deadline)
    peak = _memory("VmHWM")
    times = np.array(measured) * 1e3
    timing = Timing(
        threads,
        len(first) + len(warm_up),
        len(times),
        (opened - began) * 1e3,
        first[0] * 1e3,
        float(np.median(times)),
        float(np.quantile(times, 0.95)),
        float(times.min()),
        float(times.mean()),
        before,
        loaded,
        peak,
    )
    return {
        "timing": asdict(timing),
        "signature": chosen,
        "inputs": {name: str(tensor) for name, tensor in tensors.items()},
    }


def _choose(file: "TFLiteFile", wanted: str | None) -> str | None:
    if wanted is not None or not file.signatures:
        file.inputs(wanted)  # an unknown one is refused with a list of those there are
        return wanted
    takers = [name for name in file.signatures if "images" in file.inputs(name)]
    for name in ("embed", "predict", "rotation", *takers):
        if name in file.signatures:
            return name
    raise UserError(
        f"{str(file.path)!r} has no signature that takes images; name one of"
        f" {', '.join(file.signatures)}."
    )


def _noise(dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    random = np.random.default_rng(0)
    if dtype == np.uint8:
        return random.integers(0, 256, shape, np.uint8)
    if dtype.kind == "f":
        return random.random(shape).astype(dtype)
    return np.zeros(shape, dtype)  # of other integers no range is known: they may be indices


def _times(run: Callable[[], None], least: int, seconds: float, deadline: float) -> list[float]:
    """Seconds of each run; `least` runs and `seconds` at least, one at least, and none begun after
    the deadline."""
    times: list[float] = []
    began = now = time.perf_counter()
    while not times or ((len(times) < least or now - began < seconds) and now < deadline):
        start = time.perf_counter()
        run()
        now = time.perf_counter()
        times.append(now - start)
    return times


def _memory(key: str) -> float | None:
    """Resident memory of this process in MB: VmRSS now, VmHWM at its peak."""
    try:  # not getrusage, whose peak is inherited from the process that started this one
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return next(
        (int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith(key + ":")),
        None,
    )


if __name__ == "__main__":
    try:
        print(json.dumps(measure(**json.loads(sys.argv[1]))))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
