"""Images that are no array in memory and are indexed like one along their first axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class ImageRows:
    """uint8 images (N, H, W, 3); what is read is a copy. A subclass has `shape` and `_read`.

    Attributes:
        shape: (N, H, W, 3).
    """

    dtype = np.dtype(np.uint8)
    shape: tuple[int, int, int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(f"{type(self).__name__} becomes an array by a copy alone.")
        return self[:].astype(dtype or np.uint8, copy=False)

    def __getitem__(self, index: int | slice | NDArray[Any]) -> NDArray[np.uint8]:
        if isinstance(index, slice):
            rows = np.arange(*index.indices(len(self)), dtype=np.int64)
        else:
            rows = np.asarray(index)
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        if rows.size and not -len(self) <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} images")
        rows = np.where(rows < 0, rows + len(self), rows)
        out = np.empty((rows.size, *self.shape[1:]), np.uint8)
        self._read(rows.ravel(), out)
        return out.reshape(*rows.shape, *self.shape[1:])

    def _read(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Read rows (n,), from 0 to N − 1, into uint8 (n, H, W, 3)."""
        raise NotImplementedError
