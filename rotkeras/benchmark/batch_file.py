"""A batch (x, y) in an .npz, where x and y may be dicts."""

from typing import Any

import numpy as np


def arrays(part: str, values: Any) -> dict[str, Any]:
    """x or y of a batch as arrays by the names of an .npz."""
    if isinstance(values, dict):
        return {f"{part}/{name}": np.asarray(value) for name, value in values.items()}
    return {part: np.asarray(values)}


def read(part: str, batch: Any) -> Any:
    """What `arrays` made arrays of, read from an .npz."""
    if part in batch.files:
        return batch[part]
    return {
        name.removeprefix(f"{part}/"): batch[name]
        for name in batch.files
        if name.startswith(f"{part}/")
    }
