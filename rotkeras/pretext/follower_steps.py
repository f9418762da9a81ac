"""Tell followers how long the training is."""

from typing import Any

import keras

from rotkeras.pretext.layers.follower import Follower


class FollowerSteps(keras.callbacks.Callback):
    """Set the number of steps over which the momentum of followers rises to 1, from the arguments
    of `fit`.

    Without it, and for a dataset of unknown length, the momentum keeps its first value.
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Give each follower the number of steps of the whole training: steps of an epoch ·
        epochs."""
        steps = (self.params or {}).get("steps")
        epochs = (self.params or {}).get("epochs")
        for layer in self.model._flatten_layers():
            if isinstance(layer, Follower) and layer.cosine and steps and epochs:
                layer.steps.assign(float(steps * epochs))
