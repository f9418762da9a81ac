"""Features of every tap, read in one pass over the images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.source import Images

Features = dict[str, NDArray[np.float32]]

_CHUNK = 4096


def extract(extractor: Any, images: Images, images_per_batch: int = 128) -> Features:
    """Run an extractor over images.

    Args:
        extractor: a model of `rotkeras.taps.extractor`: uint8 (B, H, W, 3) -> {tap: (B, d)}. Batch norm uses its moving
            statistics; nothing of the model changes.
        images: the images, in memory or memory-mapped.
        images_per_batch: images in one forward pass.

    Returns:
        {tap: float32 (N, d)}, in the order of the images.
    """
    parts: list[Features] = []
    for start in range(0, len(images), _CHUNK):
        chunk = images.take(slice(start, start + _CHUNK))
        # Whole batches only: a last batch of another size would be traced, and on some backends compiled, anew.
        missing = -len(chunk) % images_per_batch
        padded = np.concatenate([chunk, np.zeros((missing, *chunk.shape[1:]), np.uint8)])
        part = extractor.predict(padded, batch_size=images_per_batch, verbose=0)
        parts.append({tap: values[: len(chunk)] for tap, values in part.items()})
    return {tap: np.concatenate([part[tap] for part in parts]) for tap in parts[0]}
