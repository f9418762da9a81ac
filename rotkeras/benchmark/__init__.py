"""How fast a recipe trains on this machine, what bounds it, and a PyTorch peer beside it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.benchmark.flops import Work, count_flops
    from rotkeras.benchmark.input import InputBenchmark, benchmark_input
    from rotkeras.benchmark.results import TrainingBenchmark
    from rotkeras.benchmark.train import benchmark_training

__all__ = [
    "InputBenchmark",
    "TrainingBenchmark",
    "Work",
    "benchmark_input",
    "benchmark_training",
    "count_flops",
]

_HOMES = {
    "TrainingBenchmark": "results",
    "InputBenchmark": "input",
    "Work": "flops",
    "benchmark_input": "input",
    "benchmark_training": "train",
    "count_flops": "flops",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.benchmark.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.benchmark' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
