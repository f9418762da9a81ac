"""A million file names in little memory."""

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Names(Sequence[str]):
    """Strings that follow each other in one block of bytes: eight bytes each beyond their letters,
    a fifth of a list of them.

    Args:
        names: the first of them; `append` adds more. Bytes of a file name that are no UTF-8
            (surrogates in Python) come back alike.

    Example:
        names = Names(["cat/1.jpg", "cat/2.jpg"])
        names[1], names[:2]  # "cat/2.jpg", ["cat/1.jpg", "cat/2.jpg"]
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._letters = bytearray()
        self._ends = array("Q", [0])
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        """Add a name at the end."""
        self._letters += name.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._letters))

    def select(self, positions: NDArray[np.int64]) -> "Names":
        """The names at the positions (n,), in their order."""
        return Names(self[int(position)] for position in positions)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == its for mine, its in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Names({len(self)}, {', '.join(map(repr, self[:2]))}{', …' if len(self) > 2 else ''})"
        )

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        position = range(len(self))[
            index
        ]  # what an index means, and the error for one beyond the end
        return self._letters[self._ends[position] : self._ends[position + 1]].decode(
            "utf-8", "surrogatepass"
        )
