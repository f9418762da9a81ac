"""The spread of embeddings in the logs, so that a collapse is seen."""

from typing import Any

import keras

from rotkeras.arguments.accepted import Positive, Seed, Task
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.data.source import Images
from rotkeras.quality import Spread, measure_spread


class EmbeddingSpread(keras.callbacks.Callback):
    """Measure how much the model's embeddings of different images differ, after every epoch.

    Adds `spread/std`, `spread/rank` and `spread/cosine` to the logs
    (`rotkeras.quality.Spread`). For tasks whose model returns an embedding, such as SimCLR.

    Args:
        images: a part of a source; not augmented.
        count: number of images to embed, drawn by the seed.
        seed: of the draw.
        task: the pretext task of the model, which says what its embedding is; None for a model
            that returns it.

    Attributes:
        last: the measures of the last epoch; None before.
    """

    @checked
    def __init__(
        self, images: Images, count: Positive = 512, seed: Seed = 0, task: Task | None = None
    ) -> None:
        super().__init__()
        self.task = task
        self._embedder: tuple[Any, keras.Model] | None = None
        self.images = images.draw(count, seed)
        self.last: Spread | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure."""
        if len(self.images) < 2:
            return
        pixels = self.images.take(slice(None))
        embeddings = keras.ops.convert_to_numpy(
            self._embeds().predict(pixels, batch_size=128, verbose=0)
        )
        self.last = measure_spread(embeddings.astype("float32"))
        if logs is not None:
            for name in ("std", "rank", "cosine"):
                logs[f"spread/{name}"] = getattr(self.last, name)

    def _embeds(self) -> keras.Model:
        if self._embedder is None or self._embedder[0] is not self.model:
            # It is traced once, not at every epoch.
            of_task = getattr(self.task, "embedder", None)
            made = of_task(self.model) if of_task else taps.flat(self.model)
            self._embedder = self.model, made
        return self._embedder[1]
