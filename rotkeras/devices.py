"""The devices that training runs on, and what makes the process ready for them."""

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from rotkeras.errors import UserError


def quiet() -> None:
    """Start TensorFlow: without its chatter in the terminal, unless TF_CPP_MIN_LOG_LEVEL is set already, and with oneDNN's kernels.

    oneDNN is TensorFlow's library of convolutions for CPUs. By default TensorFlow uses it only on processors with instructions for
    neural networks; without them it is the faster one too (docs/benchmark.md). TF_ENABLE_ONEDNN_OPTS=0 turns it off.

    TensorFlow writes some lines before it reads its log level, straight to the process's standard error; while it is imported that
    is a file, which is shown only when the import fails.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Its warnings about functions that are traced again are for those who wrote them: each probe is a new model.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ.setdefault("NO_GCE_CHECK", "true")
    with tempfile.TemporaryFile() as chatter:
        standard_error = os.dup(2)
        os.dup2(chatter.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except Exception:
            os.dup2(standard_error, 2)
            chatter.seek(0)
            sys.stderr.write(chatter.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


def keep_freed_memory() -> None:
    """Tell glibc to keep the memory that a step frees for the next one, instead of giving it back to the system.

    A training step on a CPU allocates and frees gigabytes; by default each large block is mapped and zeroed again every time,
    which cost a third of the step (235 against 345 views/s for NIN-4 at a quarter width on two cores). It holds for the rest of
    the process, so the command line calls it and `train` does not. Elsewhere than on Linux it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        arena_max, mmap_max, trim_threshold = -8, -4, -1  # of <malloc.h>
        if (os.cpu_count() or 1) <= 8:  # many threads would wait for each other at one arena
            libc.mallopt(arena_max, 1)
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


def strategy(devices: int | None, images_per_batch: int) -> Any:
    """`MirroredStrategy` for several devices, None for one: Keras turns XLA off under any strategy.

    Args:
        devices: how many; None for every GPU there is, or one CPU.
        images_per_batch: the global batch, which must split into whole quadruples.

    Raises:
        UserError: when there are fewer devices, or the batch does not split evenly.
    """
    import tensorflow as tf

    there = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if devices is None:
        devices = len(there) if there[0].device_type == "GPU" else 1
    if devices > len(there):
        raise UserError(
            f"train.devices: expected at most {len(there)} ({there[0].device_type}), the devices there are, received {devices}; "
            f"set it lower, or null."
        )
    if devices == 1:
        return None
    if images_per_batch % devices:
        raise UserError(
            f"train.images_per_batch: expected a multiple of {devices}, the number of devices, received {images_per_batch}; "
            f"an image's views stay on one device."
        )
    return tf.distribute.MirroredStrategy([device.name for device in there[:devices]])


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build layers under a dtype policy, and put the old one back."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def reset_peak_memory() -> None:
    """Begin anew to note the most memory that this process holds (Linux; elsewhere the peak is that of its whole life)."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak_memory() -> int | None:
    """The most memory in MiB that this process has held since `reset_peak_memory`, None where the system does not say."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // (2**20 if sys.platform == "darwin" else 1024)
    return None
