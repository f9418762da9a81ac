"""Self-supervised pre-training of image encoders, on Keras 3 and TensorFlow.

The public names below are imported when they are first used: importing rotkeras imports neither
TensorFlow nor Keras.
"""

import importlib.util
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras import (
        attention,
        audit,
        backbones,
        benchmark,
        data,
        device,
        embedding,
        evaluate,
        export,
        pretext,
        probes,
        quality,
        recipe,
        report,
        training,
        transfer,
    )
    from rotkeras.backbones import taps
    from rotkeras.errors import UserError
    from rotkeras.training import callbacks

__version__ = "0.1.0"
__all__ = [
    "UserError",
    "attention",
    "audit",
    "backbones",
    "benchmark",
    "callbacks",
    "compare",
    "data",
    "device",
    "embedding",
    "evaluate",
    "export",
    "pretext",
    "probes",
    "quality",
    "recipe",
    "report",
    "taps",
    "training",
    "transfer",
]

_HOMES = {"callbacks": "training.callbacks", "taps": "backbones.taps"}
"""Public rooms that lie inside another one."""

if os.environ.get("KERAS_BACKEND") == "jax":
    try:
        from rotkeras.training.devices import avoid_wrong_fusions
    except ModuleNotFoundError:  # rotkeras-device trains nothing
        pass
    else:
        avoid_wrong_fusions()  # JAX reads XLA_FLAGS when it starts


def __getattr__(name: str) -> Any:
    if name == "UserError":
        from rotkeras.errors import UserError

        return UserError
    if name in __all__:
        try:
            return importlib.import_module(f"rotkeras.{_HOMES.get(name, name)}")
        except ModuleNotFoundError as error:
            if error.name != f"rotkeras.{_HOMES.get(name, name).partition('.')[0]}":
                raise
            # The distribution rotkeras-device has this file, and few of the rooms.
            message = (
                f"rotkeras.{name} is not part of rotkeras-device, which only runs exported files:"
                " pip install rotkeras."
            )
            raise ModuleNotFoundError(message, name=error.name) from None
    raise AttributeError(f"module 'rotkeras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _register() -> None:
    # rotkeras-device does not have this room, and writes no Keras file.
    if importlib.util.find_spec("rotkeras.pretext") is not None:
        from rotkeras.pretext.registered import register_with_keras

        register_with_keras()


_register()
