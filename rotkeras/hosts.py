"""Several processes that train one network, on one machine or on many: how they meet, and what happens when one is lost.

Keras' data parallelism on JAX does the work. A process whose peer is lost is ended by JAX from within, without a word that a person
would understand; so each process is the child of a small one that watches it and says what happened.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rotkeras.errors import UserError

LOST = 75
"""Exit code of a process that found another one lost (EX_TEMPFAIL of sysexits.h: to be tried again)."""

_WATCHED = "ROTKERAS_WATCHED_BY"
_HEARTBEAT_SECONDS = 20
_MEETING_SECONDS = 120


@dataclass(frozen=True)
class Hosts:
    """The processes of one training.

    Attributes:
        addresses: host:port of each; the first is where all meet.
        number: which of them this process is, from 0.
    """

    addresses: tuple[str, ...]
    number: int


def find(addresses: str | None = None, number: int | None = None) -> Hosts | None:
    """The processes that the command line names, or else the environment; None for a single one.

    Args:
        addresses: such as "a:1234,b:1234"; None looks at KERAS_DISTRIBUTION_JOB_ADDRESSES and _PROCESS_ID, then at TF_CONFIG.
        number: which of them this one is.

    Raises:
        UserError: when something is missing, or does not fit together.
    """
    said = "--hosts and --host-id"
    if addresses is None and number is not None:
        raise UserError(
            f"--host-id {number} goes with --hosts: expected the addresses of all, such as --hosts a:1234,b:1234; add it."
        )
    if addresses is None:
        addresses, number, said = _from_environment()
    if addresses is None:
        return None
    parts = tuple(part.strip() for part in addresses.split(","))
    if any(not host or not port.isdigit() for host, _, port in (part.rpartition(":") for part in parts)):
        raise UserError(f"{said}: expected host:port with commas between them, such as a:1234,b:1234, received {addresses!r}.")
    if number is None or not 0 <= number < len(parts):
        raise UserError(
            f"{said}: expected the number of this process, 0 to {len(parts) - 1}, received {number}; give each process its own."
        )
    return Hosts(parts, number) if len(parts) > 1 else None


def _from_environment() -> tuple[str | None, int | None, str]:
    environment = os.environ
    if addresses := environment.get("KERAS_DISTRIBUTION_JOB_ADDRESSES"):
        number = environment.get("KERAS_DISTRIBUTION_PROCESS_ID", "")
        return addresses, int(number) if number.isdigit() else None, "KERAS_DISTRIBUTION_JOB_ADDRESSES and _PROCESS_ID"
    try:
        config = json.loads(environment.get("TF_CONFIG") or "{}")
        workers, task = config.get("cluster", {}).get("worker", []), config.get("task", {})
        if len(workers) < 2:
            return None, None, ""
        return ",".join(workers), task.get("index") if task.get("type") == "worker" else None, "TF_CONFIG"
    except (ValueError, AttributeError, TypeError):
        raise UserError(
            'TF_CONFIG: expected JSON such as {"cluster": {"worker": ["a:1234", "b:1234"]}, "task": …}; mend it.'
        ) from None


def check_backend() -> None:
    """Choose JAX when no backend is chosen; a `UserError` for another one."""
    from rotkeras.devices import backend

    if "KERAS_BACKEND" not in os.environ and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "jax"
    if backend() != "jax":
        raise UserError(
            f"Several hosts train on JAX, and KERAS_BACKEND is {backend()}: MultiWorkerMirroredStrategy fails inside Keras 3's "
            f"fit, so TensorFlow cannot; leave KERAS_BACKEND unset, or set it to jax (pip install 'rotkeras[jax]')."
        )


def watch(hosts: Hosts, arguments: Sequence[str]) -> int:
    """Run this command again as a child, and say in a sentence when it ends because another process was lost.

    Returns:
        The exit code: the child's, or 1 when a process was lost.
    """
    with tempfile.TemporaryFile() as chatter:
        child = subprocess.Popen(
            [sys.executable, "-m", "rotkeras", *arguments], env={**os.environ, _WATCHED: str(os.getpid())}, stderr=chatter
        )
        while True:
            try:
                code = child.wait()
                break
            except KeyboardInterrupt:  # the terminal sends it to the child too, which ends by itself
                continue
        chatter.seek(0)
        said = chatter.read().decode(errors="replace")
    if code not in (LOST, -6):
        sys.stderr.write(said)
        return code if code >= 0 else 128 - code
    sys.stderr.write(
        f"\nProcess {hosts.number} of {len(hosts.addresses)} stopped, because another process of this training was lost: expected "
        f"all of {', '.join(hosts.addresses)} to run; start all of them again with --resume, and training goes on after the last "
        f"epoch that was finished.\n"
    )
    return 1


def watched() -> bool:
    """Whether this process is a child of `watch`."""
    return _WATCHED in os.environ


def join(hosts: Hosts) -> None:
    """Meet the other processes. Call it before anything else of JAX.

    Raises:
        UserError: when they do not come.
    """
    _end_with(int(os.environ.get(_WATCHED, 0)))
    import jax

    jax.config.update("jax_enable_preemption_service", False)  # it would swallow SIGTERM
    try:
        jax.distributed.initialize(
            hosts.addresses[0],
            len(hosts.addresses),
            hosts.number,
            initialization_timeout=_MEETING_SECONDS,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(
            f"The {len(hosts.addresses)} processes did not meet at {hosts.addresses[0]} within {_MEETING_SECONDS} s "
            f"({' '.join(str(error).split())[:120]}): expected all to be started, with the same --hosts; start them together."
        ) from None


def _end_with(parent: int) -> None:
    """End this process when the one that watches it is gone."""
    if not parent:
        return

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(LOST)

    threading.Thread(target=look, daemon=True).start()


def processes() -> tuple[int, int]:
    """(number of this process, count): (0, 1) unless several train together."""
    if "jax" not in sys.modules:
        return 0, 1
    import jax

    return (jax.process_index(), jax.process_count()) if jax.distributed.is_initialized() else (0, 1)


def part() -> None:
    """Leave the others, when all have done with training together."""
    import jax

    jax.distributed.shutdown()


def was_lost(error: BaseException) -> bool:
    """Whether an error says that another process is gone."""
    words = ("gloo", "nccl", "connection", "coordination", "heartbeat", "unavailable", "socket", "barrier")
    return processes()[1] > 1 and not isinstance(error, UserError) and any(word in str(error).lower() for word in words)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Inside it, what Keras makes belongs to this process alone and asks nothing of the others."""
    import keras

    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def from_first(values: Any) -> Any:
    """What the first process has, in all of them: a tree of NumPy arrays, of the same shapes everywhere."""
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(values)
