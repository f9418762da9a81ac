"""The devices that training runs on, and what makes the process ready for them."""

import contextlib
import ctypes
import importlib.util
import json
import logging
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError

SHOW_LOG = "ROTKERAS_TENSORFLOW_LOG"
"""Environment variable: if it is not empty, TensorFlow's log lines are shown."""
COMPILED_TOLERANCE = 0.1
"""Largest difference of compiled and eager predictions in 16 bits, as a share of the largest
prediction. Measured on NIN-4: 0.011 on JAX 0.12, 0 on TensorFlow 2.21."""
CHECKED_IMAGES = 32
_FUSIONS = "xla_cpu_experimental_ynn_fusion_type"


def backend() -> str:
    """The library that Keras runs on, or will: "tensorflow", "jax" … Keras is not imported for
    it."""
    if "keras" in sys.modules:
        import keras

        return str(keras.config.backend())
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((home / "keras.json").read_text())["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def library() -> str:
    """The name of the library that Keras runs on, as people write it."""
    return {"tensorflow": "TensorFlow", "jax": "JAX"}.get(backend(), backend())


def check_backend() -> None:
    """Raise a `UserError` unless Keras runs on a library that networks are trained with here."""
    if backend() not in ("tensorflow", "jax"):
        raise UserError(f"KERAS_BACKEND must be tensorflow or jax, got {backend()!r}.")
    if importlib.util.find_spec(backend()) is None:
        raise UserError(
            f"KERAS_BACKEND is {backend()}, which is not installed: pip install '{backend()}', or"
            " choose the other one."
        )


def check_tensorflow(command: str) -> None:
    """Raise a `UserError` unless Keras runs on TensorFlow, for a command that needs it."""
    if backend() != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND must be tensorflow or unset, because TensorFlow makes what {command}"
            f" writes, got {backend()!r}; repeat the command with KERAS_BACKEND=tensorflow in"
            " front."
        )


def quiet() -> None:
    """Get the libraries ready to start: TensorFlow without its log lines and with oneDNN's kernels,
    JAX without fusions that give NaN (`avoid_wrong_fusions`).

    TensorFlow stays quiet whatever TF_CPP_MIN_LOG_LEVEL says: it writes some lines before it reads
    that variable, so while it is imported the standard error of the process is a file, which is
    shown only if the import fails. ROTKERAS_TENSORFLOW_LOG=1 shows all of its lines.

    oneDNN is TensorFlow's library of convolutions for CPUs. By default TensorFlow uses it only on
    processors with instructions for neural networks; without them it is the faster one too
    (see the guide to speed). TF_ENABLE_ONEDNN_OPTS=0 turns it off.
    """
    if backend() == "jax":
        avoid_wrong_fusions()
    if "tensorflow" in sys.modules or importlib.util.find_spec("tensorflow") is None:
        return  # Keras imports it on other backends too, where it is installed
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if os.environ.get(SHOW_LOG):
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Its warnings about functions that are traced again are for those who wrote them: each probe is
    # a new model.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ.setdefault("NO_GCE_CHECK", "true")
    with tempfile.TemporaryFile() as log:
        standard_error = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except Exception:
            os.dup2(standard_error, 2)
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


def avoid_wrong_fusions() -> None:
    """Tell XLA, before JAX starts, to leave out its YNN fusions on CPUs.

    With them every prediction of a mixed_bfloat16 network is NaN under jit on a CPU, where eager
    execution is right (JAX 0.11.2 and 0.12.0). What XLA_FLAGS holds already is kept, and so is a
    choice of the user's for this flag. XLA ends the process for a flag that it does not know, so
    the flag is set only if the installed library contains its name.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _FUSIONS in flags or not _xla_knows(_FUSIONS):
        return
    os.environ["XLA_FLAGS"] = f"{flags} --{_FUSIONS}=".strip()


def _xla_knows(flag: str) -> bool:
    """Whether the compiled library of jaxlib contains the name of a flag."""
    found = importlib.util.find_spec("jaxlib")
    if found is None or not found.submodule_search_locations:
        return False
    folder = Path(found.submodule_search_locations[0])
    for path in (*folder.glob("libjax_common*"), *folder.glob("xla_extension*")):
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            if content.find(flag.encode()) >= 0:
                return True
    return False


def check_compiled(network: Any) -> None:
    """Compare the predictions of the compiled network with those of eager execution, on one batch.

    Called before a training in 16 bits: compilers have had faults there that appear only when a
    long training has ended.

    Args:
        network: a built Keras model, uint8 (B, H, W, 3) -> (B, K). Its input is noise.

    Raises:
        UserError: if a prediction is not finite, or differs by more than a tenth of the largest.
    """
    import numpy as np

    shape = (CHECKED_IMAGES, *network.input_shape[1:])
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    compiled = np.asarray(network.predict_on_batch(images), np.float64)
    eager = np.asarray(network(images, training=False), np.float64)
    difference = np.abs(compiled - eager).max()
    if np.isfinite(compiled).all() and difference <= COMPILED_TOLERANCE * np.abs(eager).max():
        return
    version = f"{library()} {metadata.version(backend())}"
    what = "are not finite" if not np.isfinite(compiled).all() else f"differ by {difference:.3g}"
    raise UserError(
        f"{version} compiles this network wrongly in 16 bits: its predictions on one batch {what}"
        " against eager execution. Set train.precision=float32, or install another version."
    )


def keep_freed_memory() -> None:
    """Tell glibc to keep the memory that a step frees for the next one, instead of giving it back
    to the system.

    A training step on a CPU allocates and frees gigabytes; by default each large block is mapped
    and zeroed again every time, which cost a third of the step (235 against 345 views/s for NIN-4
    at a quarter width on two cores). It holds for the rest of the process, so the command line
    calls it and `train` does not. Elsewhere than on Linux it does nothing.
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


def make_deterministic() -> None:
    """Ask for the same bits at every run. It holds for the rest of the process."""
    if backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif "xla_gpu_deterministic_ops" not in os.environ.get(
        "XLA_FLAGS", ""
    ):  # read when JAX first looks for its devices
        os.environ["XLA_FLAGS"] = (
            f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
        )


@contextlib.contextmanager
def parallel(devices: int | None, images_per_batch: int) -> Iterator[None]:
    """On JAX, split batches over several devices, of this process or of all that train together;
    else change nothing.

    Args:
        devices: how many; None for every GPU there is, or one CPU. Several processes use all of
            theirs.
        images_per_batch: the global batch, which must split into whole quadruples.

    Raises:
        UserError: when there are fewer devices, or the batch does not split evenly.
    """
    if backend() != "jax":
        yield
        return
    import jax
    import keras

    there = jax.devices()
    if jax.process_count() > 1:
        if devices is not None and devices != len(there):
            raise UserError(
                f"train.devices must be null, all {len(there)} of several hosts, got {devices}."
            )
        devices = len(there)
    if devices is None:
        devices = 1 if there[0].platform == "cpu" else len(there)
    _check_split(devices, len(there), there[0].platform.upper(), images_per_batch)
    if devices == 1:
        yield
        return
    names = [f"{device.platform}:{device.id}" for device in there[:devices]]
    with distributed(keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)):
        yield


@contextlib.contextmanager
def distributed(distribution: Any) -> Iterator[None]:
    """Inside it, what Keras makes is laid out by a distribution, or by none when it is None."""
    import keras

    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def _check_split(devices: int, there: int, kind: str, images_per_batch: int) -> None:
    if devices > there:
        raise UserError(
            f"train.devices must be at most {there} ({kind}), the number of devices, got {devices};"
            " lower it, or set it to null."
        )
    if images_per_batch % devices:
        raise UserError(
            f"train.images_per_batch must be a multiple of {devices}, the number of devices (an"
            f" image's views stay on one), got {images_per_batch}."
        )


def strategy(devices: int | None, images_per_batch: int) -> Any:
    """TensorFlow's `MirroredStrategy` for several devices, None for one: Keras turns XLA off under
    any strategy.

    Args:
        devices: how many; None for every GPU there is, or one CPU.
        images_per_batch: the global batch, which must split into whole quadruples.

    Raises:
        UserError: when there are fewer devices, or the batch does not split evenly.
    """
    if backend() != "tensorflow":
        return None
    import tensorflow as tf

    there = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if devices is None:
        devices = len(there) if there[0].device_type == "GPU" else 1
    _check_split(devices, len(there), there[0].device_type, images_per_batch)
    if devices == 1:
        return None
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


def has_bfloat16() -> bool | None:
    """Whether the processor multiplies bfloat16 by itself (AVX512_BF16, AMX); None where the system
    does not say.

    Without it a step of TensorFlow in `mixed_bfloat16` took ten times as long as one in float32
    (measured with AVX2), and with it two thirds (docs/guides/measure_speed.md).
    """
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("flags"):
                return not {"avx512_bf16", "amx_bf16"}.isdisjoint(line.split())
    return None


def accelerators() -> list[str]:
    """The accelerators that the backend sees, by their names; empty where there is a CPU alone."""
    if backend() == "jax":
        import jax

        return [device.device_kind for device in jax.local_devices() if device.platform != "cpu"]
    import tensorflow as tf

    found = tf.config.get_visible_devices("GPU")
    return [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in found
    ]


def device_memory() -> int | None:
    """Bytes that the first accelerator lends to this process; None without one, or where the
    backend does not say."""
    if backend() != "jax" or not accelerators():
        return None
    import jax

    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return None if limit is None else int(limit)


def reset_peak_memory() -> None:
    """Begin anew to note the most memory that this process holds (Linux; elsewhere the peak is that
    of its whole life)."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak_memory() -> int | None:
    """The most memory in MiB that this process has held since `reset_peak_memory`, None where the
    system does not say."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // (2**20 if sys.platform == "darwin" else 1024)
    return None


def device_peak_memory() -> float | None:
    """The most memory that was held on the first accelerator, in MiB; None without one, or where
    the backend does not say."""
    if not accelerators():
        return None
    if backend() == "jax":
        import jax

        statistics = jax.local_devices()[0].memory_stats() or {}
        peak = statistics.get("peak_bytes_in_use")
    else:
        import tensorflow as tf

        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return None if peak is None else round(peak / 2**20, 1)
