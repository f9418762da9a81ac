"""What this machine reaches at its best: products of matrices and copies of memory, the two that
bound a training step."""

import glob
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

_FALLBACK_CACHE = 64 * 2**20
_LARGEST_COPY = 512 * 2**20


def matrix_product(side: int = 2048, seconds: float = 2.0) -> float:
    """Floating-point operations per second of NumPy's float32 product of two square matrices, on
    all cores: the best of some.

    Args:
        side: rows and columns.
        seconds: for how long it is tried; twice at least.
    """
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((side, side), np.float32) for _ in range(2))
    product = np.empty_like(left)
    return 2 * side**3 / _best(lambda: np.matmul(left, right, out=product), seconds)


def memory_copy(cores: int, bytes_: int | None = None, seconds: float = 2.0) -> float:
    """Bytes per second that this machine copies in memory, one thread for each core: the best of
    some.

    Args:
        cores: threads.
        bytes_: size of the copy; None for four times the last cache, so that it comes from memory.
        seconds: for how long it is tried; twice at least.
    """
    size = bytes_ or min(_LARGEST_COPY, 4 * last_cache())
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    parts = list(zip(np.array_split(source, cores), np.array_split(target, cores), strict=True))
    with ThreadPoolExecutor(cores) as pool:
        return size / _best(
            lambda: list(pool.map(lambda part: np.copyto(part[1], part[0]), parts)), seconds
        )


def last_cache() -> int:
    """Bytes of the largest cache of the first core; 64 MiB where the system does not say."""
    sizes = [
        Path(path).read_text().strip()
        for path in glob.glob("/sys/devices/system/cpu/cpu0/cache/index*/size")  # noqa: PTH207
    ]
    units = {"K": 2**10, "M": 2**20}
    return max(
        (int(size[:-1]) * units[size[-1]] for size in sizes if size[-1:] in units),
        default=_FALLBACK_CACHE,
    )


def device_matrix_product(
    precision: str, side: int = 8192, chained: int = 10, seconds: float = 2.0
) -> float:
    """Operations per second of a compiled product of square matrices on the device that Keras
    trains on: the best of some.

    Args:
        precision: a dtype policy; its compute dtype is that of the matrices.
        side: rows and columns.
        chained: products in one call, each of the result of the one before, so that starting them
            does not count.
        seconds: for how long it is tried; twice at least.
    """
    import keras

    dtype = keras.DTypePolicy(precision).compute_dtype
    random = np.random.default_rng(0)
    # Scaled so that the numbers keep their size however many products are chained.
    values = random.standard_normal((side, side), np.float32) / np.float32(np.sqrt(side))
    left = keras.ops.cast(keras.ops.convert_to_tensor(values), dtype)
    call = _compiled(_chain(chained))
    operations = 2 * side**3 * chained
    return operations / _best(lambda: keras.ops.convert_to_numpy(call(left)), seconds)


def _chain(count: int) -> Callable[[Any], Any]:
    import keras

    def products(matrix: Any) -> Any:
        result = matrix
        for _ in range(count):
            result = keras.ops.matmul(result, matrix)
        return keras.ops.cast(
            keras.ops.sum(result), "float32"
        )  # one number comes back, and all of it has to be computed

    return products


def _compiled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    import keras

    if keras.config.backend() == "jax":
        import jax

        compiled: Callable[[Any], Any] = jax.jit(function)
    else:
        import tensorflow as tf

        compiled = tf.function(function)
    return compiled


def _best(call: Callable[[], Any], seconds: float) -> float:
    """Seconds of the fastest of several calls, after one that does not count."""
    call()
    best = float("inf")
    end = time.perf_counter() + seconds
    for count in range(10_000):
        if count >= 2 and time.perf_counter() > end:
            break
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best
