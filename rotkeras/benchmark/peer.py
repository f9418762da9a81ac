"""Runs the PyTorch peer and sets its figures beside ours."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rotkeras.benchmark.peers.peer_torch import networks
from rotkeras.benchmark.peers.peer_torch.names import TASKS
from rotkeras.benchmark.results import Peer, PeerSetting, Spread, TrainingBenchmark
from rotkeras.errors import UserError, brief
from rotkeras.new_process import lines
from rotkeras.recipe import Recipe

VARIABLE = "ROTKERAS_TORCH_PYTHON"
_PROGRAM = "peer_torch"
PEERS = Path(__file__).with_name("peers")
"""Folder of the peers' packages, which import nothing of ours."""
_MOST_IMAGES = 10_000
_SETTINGS = (
    "contiguous, eager",
    "contiguous, compiled",
    "channels last, eager",
    "channels last, compiled",
)

# What `rotkeras.training.devices.keep_freed_memory` sets for our own process: without it the peer
# would lose by its allocator alone.
_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
}


@dataclass(frozen=True)
class Torch:
    """A Python that has torch.

    Attributes:
        python: its path.
        version: of torch.
    """

    python: str
    version: str


def find_torch(python: str | None = None, torchvision: bool = False) -> Torch:
    """The Python that runs the peer.

    Args:
        python: its path; None for ROTKERAS_TORCH_PYTHON, or the one that runs this.
        torchvision: whether the peer needs torchvision too.

    Raises:
        UserError: when it does not run, or lacks a package.
    """
    packages = ["numpy", "torch", *(["torchvision"] if torchvision else [])]
    chosen = python or os.environ.get(VARIABLE) or sys.executable
    try:
        done = subprocess.run(
            [chosen, "-c", f"import {', '.join(packages)}; print(torch.__version__)"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
    except OSError as error:
        raise UserError(
            f"{chosen!r} cannot be run ({brief(error)}). Give the path of a Python that has torch"
            " with --peer-python."
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise UserError(
            f"The peer needs {', '.join(packages)}, and {chosen!r} cannot import them"
            f" ({brief(RuntimeError(last))}): install them there, or give the path of a Python"
            f" that has them to --peer-python (or in {VARIABLE})."
        )
    return Torch(chosen, done.stdout.split()[-1])


def check_alike(recipe: Recipe) -> None:
    """Raise a `UserError` for a recipe that the peer cannot train."""
    if lacking := networks.lacks(recipe.backbone.model_dump(mode="json")):
        raise UserError(f"The peer does not have {lacking}. Leave --peer out.")
    if recipe.train.quantization_aware:
        raise UserError("The peer does not have train.quantization_aware. Leave --peer out.")
    if recipe.task.name not in TASKS:
        raise UserError(
            f"The peer has the tasks {', '.join(TASKS)}, and task.name is {recipe.task.name}. Leave"
            " --peer out."
        )
    if lacking := TASKS[recipe.task.name].lacks(recipe.task.model_dump(mode="json")):
        raise UserError(f"The peer does not have {lacking}. Leave --peer out.")


def needs_torchvision(recipe: Recipe) -> bool:
    """Whether the peer takes the network or the views of a recipe from torchvision."""
    backbone = recipe.backbone.model_dump(mode="json")
    return networks.needs_torchvision(backbone) or recipe.task.name != "rotation"


def request(
    recipe: Recipe,
    shape: tuple[int, int, int],
    images: int,
    steps: int | None,
    repeats: int,
    cores: int,
) -> dict[str, Any]:
    """The settings of the peer, as plain content.

    Args:
        recipe: what it should train.
        shape: (H, W, 3) of a view.
        images: in the training set.
        steps, repeats: as of `benchmark_training`.
        cores: workers of its loader.
    """
    settings = recipe.train
    padding, flip = _crop(recipe)
    return {
        "settings": _SETTINGS,
        "backbone": recipe.backbone.model_dump(mode="json"),
        "size": shape[0],
        "task": recipe.task.model_dump(mode="json"),
        "base_defaults": _base_defaults(recipe),
        "images": min(images, max(_MOST_IMAGES, 4 * settings.images_per_batch)),
        "images_per_batch": settings.images_per_batch,
        "padding": padding,
        "flip": flip,
        "precision": settings.precision,
        "optimizer": settings.optimizer.model_dump(),
        "learning_rate": settings.learning_rate,
        "label_smoothing": settings.label_smoothing,
        "seed": settings.seed,
        "steps": steps,
        "repeats": repeats,
        "workers": cores,
    }


def _base_defaults(recipe: Recipe) -> dict[str, Any]:
    """The default settings of the task that E-SSL is on; {} for another task."""
    if not hasattr(recipe.task, "base"):
        return {}
    from rotkeras.recipe.models import TASKS as SECTIONS

    defaults: dict[str, Any] = SECTIONS[recipe.task.base]().model_dump(mode="json")
    return defaults


def _crop(recipe: Recipe) -> tuple[int | None, bool]:
    """Padding of the peer's crop and whether it flips; None when the recipe augments in ways that
    the peer does not have."""
    padding, flip = 0, False
    for step in recipe.augmentation:
        if step.name == "pad_crop_flip":
            padding, flip = padding + step.padding, flip or step.flip
        elif step.name == "random_flip":
            flip = True
        else:
            return None, flip
    return padding, flip


def run_peer(
    torch: Torch,
    recipe: Recipe,
    ours: TrainingBenchmark,
    shape: tuple[int, int, int],
    images: int,
    steps: int | None,
    tell: Callable[[str], None],
) -> Peer:
    """Measure the peer in a fresh process.

    Args:
        torch: as `find_torch` gives it.
        recipe: what it should train.
        ours: our own figures, for the number of parameters.
        shape, images, steps: as of `request`.
        tell: called with each setting as it comes.

    Returns:
        A `Peer` without ratios.

    Raises:
        UserError: when the peer ends early, or has another number of parameters.
    """
    cores = ours.machine["cores"]
    wanted = request(recipe, shape, images, steps, ours.repeats, cores)
    # A safe path: the modules beside the program are not those of the same name that torch imports.
    environment = {
        "PYTHONPATH": str(PEERS),
        "PYTHONSAFEPATH": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **_allocator(cores),
    }
    step: list[PeerSetting] = []
    input_ = None
    parameters, device = 0, ""
    for line in lines(
        [torch.python, "-m", _PROGRAM, json.dumps(wanted)], environment, "the PyTorch peer"
    ):
        if "tell" in line:
            tell(f"peer: {line['tell']}")
        elif "parameters" in line:
            parameters, device = line["parameters"], line["device"]
            if parameters != ours.parameters:
                raise UserError(
                    f"The peer has {parameters:,} parameters and the recipe's network"
                    f" {ours.parameters:,}, so the comparison would mislead. Leave --peer out."
                )
        elif "setting" in line:
            setting = _setting(line)
            if line["part"] == "step":
                step.append(setting)
            else:
                input_ = setting
            rate = setting.views_per_second
            tell(
                f"peer, {setting.name}: {f'{rate.median:,.0f} views/s' if rate else setting.error}"
            )
    return Peer(torch.version, device, parameters, tuple(step), input_, None, None, None, None)


def compare(peer: Peer, ours: TrainingBenchmark) -> Peer:
    """The same peer with the ratios of our rates to those of its best setting."""
    best = peer.best
    ours_step, theirs_step = ours.step.views_per_second, best.views_per_second if best else None
    ours_input, theirs_input = (
        ours.input.views_per_second,
        peer.input.views_per_second if peer.input else None,
    )
    return replace(
        peer,
        step_ratio=ours_step.median / theirs_step.median if theirs_step else None,
        input_ratio=ours_input.median / theirs_input.median if theirs_input else None,
        fastest_step_ratio=ours_step.maximum / theirs_step.maximum if theirs_step else None,
        fastest_input_ratio=ours_input.maximum / theirs_input.maximum if theirs_input else None,
    )


def _setting(line: dict[str, Any]) -> PeerSetting:
    rates = line.get("views_per_second")
    return PeerSetting(
        line["setting"],
        Spread.of(rates) if rates else None,
        line.get("steps", 0),
        line.get("error"),
    )


def _allocator(cores: int) -> dict[str, str]:
    return (
        {**_ALLOCATOR}
        if cores <= 8
        else {name: value for name, value in _ALLOCATOR.items() if name != "MALLOC_ARENA_MAX"}
    )
