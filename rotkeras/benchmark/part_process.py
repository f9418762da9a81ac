"""A part of the benchmark in a process of its own."""

from collections.abc import Callable, Mapping
from typing import Any

from rotkeras.new_process import run_module

Tell = Callable[[str], None]


def measure(part: str, wanted: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """What `rotkeras.benchmark.measure` measures in a process of its own.

    Args:
        part: one of its `PARTS`.
        wanted: arguments of that part.
        tell: called with what it is doing.

    Returns:
        What the part returns, by way of JSON.

    Raises:
        UserError: the one that the part raised, or one that says how the process ended.
    """
    result: dict[str, Any] = {}
    name = f"the part {part!r} of the benchmark"
    for line in run_module("rotkeras.benchmark.measure", {"part": part, **wanted}, name):
        if "tell" in line:
            tell(line["tell"])
        result = line.get("result", result)
    return result
