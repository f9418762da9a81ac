"""How fast a recipe trains: its parts measured in fresh processes, beside what the machine reaches
and a PyTorch peer."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from rotkeras.arguments.accepted import Positive, Text
from rotkeras.arguments.checked import checked
from rotkeras.benchmark import part_process
from rotkeras.benchmark.peer import (
    check_alike,
    compare,
    find_torch,
    needs_torchvision,
    run_peer,
)
from rotkeras.benchmark.results import Bound, FirstStep, Part, Spread, TrainingBenchmark
from rotkeras.device.host import describe_host
from rotkeras.errors import UserError
from rotkeras.files import temporary_folder
from rotkeras.recipe import Recipe
from rotkeras.run.folder import versions
from rotkeras.training import devices


@checked
def benchmark_training(
    recipe: Recipe,
    steps: Positive | None = None,
    repeats: Positive = 3,
    peer: bool = False,
    peer_python: Text | None = None,
    tell: Callable[[str], None] | None = None,
) -> TrainingBenchmark:
    """Measure the input pipeline alone, the step alone and both together, each in a fresh process.

    Nothing is written, and no weight is kept.

    Args:
        recipe: what to train.
        steps: of each repeat, rounded up to whole executions; None for as many as take three
            seconds (of the input: one second).
        repeats: measurements of each part, 1 at least.
        peer: run the PyTorch peer too.
        peer_python: the Python that has torch and NumPy; None for ROTKERAS_TORCH_PYTHON, or the one
            that runs.
        tell: called with a line for each thing that is begun or measured.

    Returns:
        A `TrainingBenchmark`.

    Raises:
        UserError: for a recipe, images or devices that do not fit, and, before anything is
            measured, for a peer that cannot be run.
    """
    tell = tell or (lambda _line: None)
    if repeats < 1 or (steps is not None and steps < 1):
        raise UserError(
            f"Expected steps and repeats of at least 1, received {steps} and {repeats}; give"
            " others."
        )
    devices.check_backend()
    torch = None
    if peer:
        check_alike(recipe)
        torch = find_torch(peer_python, needs_torchvision(recipe))
    content = recipe.model_dump(mode="json")

    def part(name: str, label: str, **wanted: Any) -> dict[str, Any]:
        return part_process.measure(name, wanted, lambda what: tell(f"{label}: {what}"))

    load = _load()
    machine = part("machine", "machine")
    with temporary_folder() as folder:
        sizes: dict[str, Any] = {"recipe": content, "steps": steps, "repeats": repeats}
        batch_file = str(folder / "batch.npz")
        both = part("both", "both", **sizes, batch_file=batch_file, started=time.time())
        shapes = {name: both[name] for name in ("images", "validation", "image_shape", "shape")}
        step = part("step", "step", **sizes, batch_file=batch_file, **shapes)
        input_ = part("input", "input", **sizes)
    result = _result(recipe, repeats, load, machine, both, step, input_)
    if torch is None:
        return result
    measured = run_peer(torch, recipe, result, tuple(both["shape"]), both["images"], steps, tell)
    return replace(result, peer=compare(measured, result))


def _result(
    recipe: Recipe,
    repeats: int,
    load: float | None,
    machine: dict[str, Any],
    both: dict[str, Any],
    step: dict[str, Any],
    input_: dict[str, Any],
) -> TrainingBenchmark:
    host = describe_host()
    used = both["devices"]
    step_part, input_part = _part(step["part"]), _part(input_["part"])
    on_device = step["matrix_product"]
    where = (
        f"{used['used']} × {used['accelerators'][0]}"
        if used["accelerators"]
        else f"NumPy on {host.cores} cores"
    )
    what = f"a product of {recipe.train.precision if on_device else 'float32'} matrices, {where}"
    return TrainingBenchmark(
        recipe=recipe.model_dump(mode="json"),
        seed=recipe.train.seed,
        repeats=repeats,
        backend=both["backend"],
        versions=versions() | ({"jax": version("jax")} if both["backend"] == "jax" else {}),
        machine={
            "processor": host.processor,
            "cores": host.cores,
            "system": host.system,
            "python": host.python,
            "load": load,
            **used,
        },
        images_per_step=recipe.train.images_per_batch,
        views_per_step=both["views_per_step"],
        parameters=both["parameters"],
        input=input_part,
        step=step_part,
        both=_part(both["part"]),
        waiting=_spread(both["waiting"]),
        first_step=FirstStep(**both["first_step"]),
        work=_bound(
            step_part, both["training_flops"], on_device or machine["matrix_product"], what
        ),
        forward_flops=both["forward_flops"],
        not_counted=tuple(both["not_counted"]),
        writing=_bound(
            input_part,
            both["bytes_per_view"],
            machine["memory_copy"],
            f"a copy of memory, {host.cores} cores",
        ),
        peer=None,
    )


def _load() -> float | None:
    """Programs that were computing here in the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _bound(part: Part, per_view: float, reached: float, of: str) -> Bound:
    per_second = part.views_per_second.median * per_view
    return Bound(per_view, per_second, reached, of, per_second / reached)


def _part(content: dict[str, Any]) -> Part:
    spread = _spread(content["views_per_second"])
    assert spread is not None
    return Part(**{**content, "views_per_second": spread, "steps": tuple(content["steps"])})


def _spread(content: dict[str, Any] | None) -> Spread | None:
    return None if content is None else Spread(**{**content, "repeats": tuple(content["repeats"])})
