"""Classes of rotkeras that a Keras file may name, registered as soon as both packages are imported.

`keras.models.load_model` finds a registered class only where its module has been imported.
`import rotkeras` does not import Keras, so the registration waits for it.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Of these, and of what they import, none needs a module that imports Keras at its top: Keras may be
# imported for the first time by such a module, which is then not ready yet.
MODULES = (
    "rotkeras.pretext.angle_accuracy",
    "rotkeras.pretext.contrastive",
    "rotkeras.pretext.exemplar_losses",
    "rotkeras.pretext.first_of_logits",
    "rotkeras.pretext.layers",
    "rotkeras.pretext.local_losses",
    "rotkeras.pretext.make_views",
    "rotkeras.pretext.nce_loss",
    "rotkeras.pretext.online_crossentropy",
    "rotkeras.pretext.predicted_views",
    "rotkeras.pretext.prototype_losses",
    "rotkeras.pretext.smoothed_crossentropy",
    "rotkeras.pretext.transformation_losses",
    "rotkeras.pretext.weighted_crossentropy",
    "rotkeras.pretext.whole_batch",
)


def register() -> None:
    """Import the modules whose classes and functions are registered with Keras; those that this
    installation does not have (rotkeras-device) are left out."""
    for name in MODULES:
        room = name.rpartition(".")[0]
        if importlib.util.find_spec(room) is not None:
            importlib.import_module(name)


def register_with_keras() -> None:
    """Register now, where Keras is imported already; else when it is."""
    if "keras" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras(MetaPathFinder):
    """Calls `register` once, after the import of Keras."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        loader: Any = spec.loader if spec else None
        if loader is None:
            return spec
        execute = loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            register()

        loader.exec_module = execute_and_register
        return spec
