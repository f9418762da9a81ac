"""The folder of a run, and the images it was trained on."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.run.folder import Run

__all__ = ["Run"]


def __getattr__(name: str) -> Any:
    if name == "Run":
        from rotkeras.run.folder import Run

        return Run
    raise AttributeError(f"module 'rotkeras.run' has no attribute {name!r}")
