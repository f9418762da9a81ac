"""Several processes that train one network, on one machine or on many: how they meet, and what
happens when one is lost.

Keras' data parallelism on JAX does the work. A process whose peer is lost is ended by JAX from
within, without a word that a person would understand; so each process is the child of a small one
that watches it and says what happened.
"""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError
from rotkeras.files import temporary_folder

LOST = 75
"""Exit code of a process that found another one lost (EX_TEMPFAIL of sysexits.h: to be tried
again)."""

_WATCHED = "ROTKERAS_WATCHED_BY"
_HEARTBEAT_SECONDS = 20
MEETING_SECONDS = int(os.environ.get("ROTKERAS_MEETING_SECONDS", 120))
_LONGEST_SECONDS = 24 * 3600
_LONGEST_TEXT = 2**15
_WORDS_OF_LOSS = ("gloo", "nccl", "coordination", "heartbeat", "connection reset", "unavailable:")


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
        addresses: such as "a:1234,b:1234"; None looks at KERAS_DISTRIBUTION_JOB_ADDRESSES and
            _PROCESS_ID, then at TF_CONFIG.
        number: which of them this one is.

    Raises:
        UserError: when something is missing, or does not fit together.
    """
    said = "--hosts and --host-id"
    if addresses is None and number is not None:
        raise UserError(
            f"--host-id {number} needs --hosts with the addresses of all, such as --hosts"
            " a:1234,b:1234."
        )
    if addresses is None:
        addresses, number, said = _from_environment()
    if addresses is None:
        return None
    parts = tuple(part.strip() for part in addresses.split(","))
    if any(
        not host or not port.isdigit() for host, _, port in (part.rpartition(":") for part in parts)
    ):
        raise UserError(
            f"{said.partition(' and ')[0]} must be host:port pairs, such as a:1234,b:1234, got"
            f" {addresses!r}."
        )
    if len(parts) == 1 and said.startswith("KERAS"):  # where all meet is enough
        count = int(os.environ.get("KERAS_DISTRIBUTION_NUM_PROCESSES", 1))
        parts += tuple(f"process {each} of {parts[0]}" for each in range(1, count))
    if number is None or not 0 <= number < len(parts):
        raise UserError(
            f"{said.rpartition(' and ')[2]} must be the number of this process, 0 to"
            f" {len(parts) - 1}, got {'none' if number is None else number}; give each process its"
            " own."
        )
    return Hosts(parts, number) if len(parts) > 1 else None


def _from_environment() -> tuple[str | None, int | None, str]:
    environment = os.environ
    if addresses := environment.get("KERAS_DISTRIBUTION_JOB_ADDRESSES"):
        number = environment.get("KERAS_DISTRIBUTION_PROCESS_ID", "")
        return (
            addresses,
            int(number) if number.isdigit() else None,
            "KERAS_DISTRIBUTION_JOB_ADDRESSES and _PROCESS_ID",
        )
    text = environment.get("TF_CONFIG") or "{}"
    try:
        config = json.loads(text)
        cluster, task = config.get("cluster", {}), config.get("task", {})
        trainers = {kind: cluster.get(kind, []) for kind in ("chief", "worker")}
        everyone = [*trainers["chief"], *trainers["worker"]]
        if len(everyone) < 2:
            return None, None, ""
        before = 0 if task["type"] == "chief" else len(trainers["chief"])
        place = before + int(task["index"]) if task["type"] in trainers else None
        return ",".join(everyone), place, "TF_CONFIG"
    except (ValueError, AttributeError, TypeError, KeyError):
        raise UserError(
            'TF_CONFIG must be JSON such as {"cluster": {"worker": ["a:1234", "b:1234"]},'
            f' "task": {{"type": "worker", "index": 0}}}}, got {text[:100]!r}; fix it, or unset it'
            " and give --hosts."
        ) from None


def check_backend() -> None:
    """Choose JAX when no backend is chosen; a `UserError` for another one."""
    from rotkeras.training.devices import backend

    if "KERAS_BACKEND" not in os.environ and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "jax"
    if backend() == "jax" and importlib.util.find_spec("jax") is None:
        raise UserError(
            "Several hosts train on JAX, which is not installed here: pip install 'rotkeras[jax]'"
            " on each."
        )
    if backend() != "jax":
        raise UserError(
            f"Several hosts train on JAX, and KERAS_BACKEND is {backend()}:"
            " MultiWorkerMirroredStrategy fails inside Keras 3's fit, so TensorFlow cannot; leave"
            " KERAS_BACKEND unset, or set it to jax (pip install 'rotkeras[jax]')."
        )


def check_split(hosts: Hosts, images_per_batch: int) -> None:
    """Raise a `UserError` for a batch that does not split over the processes."""
    if images_per_batch % len(hosts.addresses):
        raise UserError(
            f"train.images_per_batch must be a multiple of {len(hosts.addresses)}, the number of"
            f" processes, got {images_per_batch}."
        )


def watch(hosts: Hosts, arguments: Sequence[str]) -> int:
    """Run this command again as a child, and say in a sentence how it ended when it could not say
    so itself.

    Interrupts and SIGTERM are handed on to the child.

    Returns:
        The exit code: the child's, or 1 when it could not end by itself.
    """
    with temporary_folder() as folder, open(folder / "said", "w+b") as chatter:
        met = folder / "met"
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "rotkeras", *arguments],
            env={**os.environ, _WATCHED: f"{os.getpid()} {met}"},
            stderr=chatter,
            start_new_session=True,  # else a terminal would send interrupts to both
        )
        interrupts: list[int] = []

        def hand_on(number: int, _frame: Any) -> None:
            interrupts.append(number)
            # While it meets the others it cannot hear; and who asks twice does not want to wait.
            child.send_signal(number if met.exists() and len(interrupts) == 1 else signal.SIGKILL)

        before = {
            number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            code = child.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        chatter.seek(0)
        said = chatter.read().decode(errors="replace")
        began = met.exists()
    if code >= 0 and code != LOST:
        sys.stderr.write(said)
        return code
    sys.stderr.write(f"\n{_how_it_ended(hosts, code, said, began, bool(interrupts))}\n")
    return 128 + interrupts[0] if interrupts else 1


def _how_it_ended(hosts: Hosts, code: int, said: str, began: bool, interrupted: bool) -> str:
    everyone, this = ", ".join(hosts.addresses), f"Process {hosts.number} of {len(hosts.addresses)}"
    if interrupted:
        return f"Interrupted; {'finished epochs are kept' if began else 'nothing was written'}."
    if not began and code == -signal.SIGABRT:
        return (
            f"{this} did not meet the others at {hosts.addresses[0]} within {MEETING_SECONDS} s."
            f" All of {everyone} must be started with the same --hosts, and that port must be open:"
            " read the messages of the others, and start all together."
        )
    again = "start all of them again with --resume, which continues after the last finished epoch"
    if code == LOST or any(word in said.lower() for word in _WORDS_OF_LOSS):
        return (
            f"{this} stopped, because another process of this training was lost. All of {everyone}"
            f" must run: {again}."
        )
    last = "\n".join(said.splitlines()[-20:])
    return f"{last}\n{this} was ended by signal {-code} (9 when memory runs out); {again}."


def watched() -> bool:
    """Whether this process is a child of `watch`."""
    return _WATCHED in os.environ


def join(hosts: Hosts) -> None:
    """Meet the other processes. Call it before anything else of JAX; when they do not come, JAX
    ends the process.

    Raises:
        UserError: when they do not come, and JAX says so.
    """
    watcher, _, met = os.environ.get(_WATCHED, "").partition(" ")
    _end_with(int(watcher or 0))
    import jax
    from jax.experimental import multihost_utils

    jax.config.update("jax_enable_preemption_service", False)  # it would swallow SIGTERM
    try:
        with _standard_output_aside():
            jax.distributed.initialize(
                hosts.addresses[0],
                len(hosts.addresses),
                hosts.number,
                initialization_timeout=MEETING_SECONDS,
                heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
                shutdown_timeout_seconds=_LONGEST_SECONDS,
            )
            # Now, and not after the images are read, which may take one host minutes more than
            # another.
            multihost_utils.sync_global_devices("met")
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(
            f"The {len(hosts.addresses)} processes did not meet at {hosts.addresses[0]} within"
            f" {MEETING_SECONDS} s ({' '.join(str(error).split())[:120]}). Start all of them"
            " together, with the same --hosts."
        ) from None
    if met:
        Path(met).touch()


@contextlib.contextmanager
def _standard_output_aside() -> Iterator[None]:
    """JAX's library of collectives writes below Python that it is connected; in here that goes
    nowhere."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, AttributeError):  # there is none
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


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

    return (
        (jax.process_index(), jax.process_count()) if jax.distributed.is_initialized() else (0, 1)
    )


def part() -> None:
    """Leave the others, when all have done with training together."""
    import jax

    jax.distributed.shutdown()


def was_lost(error: BaseException) -> bool:
    """Whether an error of JAX says that another process is gone."""
    if processes()[1] == 1:
        return False
    import jax

    of_jax = isinstance(error, jax.errors.JaxRuntimeError | ValueError)
    return of_jax and any(word in str(error).lower() for word in _WORDS_OF_LOSS)


def alone() -> contextlib.AbstractContextManager[None]:
    """Inside it, what Keras makes belongs to this process alone and asks nothing of the others."""
    from rotkeras.training.devices import distributed

    return distributed(None)


def gather(text: str) -> list[str]:
    """The text that each process gives, in their order; at most `_LONGEST_TEXT` bytes of UTF-8."""
    import numpy as np
    from jax.experimental import multihost_utils

    mine = np.zeros(_LONGEST_TEXT, np.uint8)
    content = text.encode()
    mine[: len(content)] = np.frombuffer(content, np.uint8)
    return [bytes(each).rstrip(b"\0").decode() for each in multihost_utils.process_allgather(mine)]


def from_first(values: Any) -> Any:
    """What the first process has, in all of them: a tree of NumPy arrays, of the same shapes
    everywhere."""
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(values)
