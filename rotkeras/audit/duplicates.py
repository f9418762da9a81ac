"""Images that come more than once: the same pixels, nearly the same picture, or the same picture
turned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotkeras.audit.fingerprints import hashes

_BANDS, _MOST_BITS, _MOST_IN_BUCKET, _CHUNK = 4, 12, 64, 2**20
_NEAR_ERROR, _NEAR_CORRELATION, _LEAST_CONTRAST = 6.0, 0.99, 6.0

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs of images that show the same; an image with several copies is paired with the first of
    them.

    Attributes:
        first: int64 (p,), positions of the earlier images.
        second: int64 (p,), positions of the later ones.
        turns: int64 (p,), by how many quarter turns counter-clockwise the first becomes the second.
        exact: bool (p,), whether their pixels are the same, turned so.
    """

    first: Numbers
    second: Numbers
    turns: Numbers
    exact: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)

    def images(self, turned: bool) -> Numbers:
        """Positions of the images that are a later copy of another, of the turned or of the upright
        kind."""
        return np.unique(self.second[(self.turns > 0) == turned])


def find_duplicates(
    digests: NDArray[np.uint64],
    small: NDArray[np.uint8],
    tick: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Search images for copies, also turned ones, in time and memory that grow little faster than
    their number.

    Exact copies share a digest. Candidates for near copies share a quarter of a 64-bit hash at one
    of the four turns; they are compared by their thumbnails (mean difference at most 6 grey levels,
    correlation at least 0.99). Of a quarter that more than 64 images share the first 64 are looked
    at: flat pictures alike in nothing but their flatness.

    Args:
        digests: uint64 (N, 2) of `fingerprints.digests`.
        small: uint8 (N, 16, 16) of `fingerprints.thumbnails`.
        tick: called with (steps done, steps in all).

    Returns:
        `Duplicates`, in the order of the later images.
    """
    kept, copy_of = _by_digest(digests[:, 0])
    rows = [(int(copy_of[later]), int(later), 0, True) for later in np.flatnonzero(copy_of >= 0)]
    _, turned_copy = _by_digest(digests[kept, 1])
    same_when_turned = {
        (int(kept[earlier]), int(kept[later]))
        for later, earlier in enumerate(turned_copy)
        if earlier >= 0
    }
    best: dict[
        int, tuple[float, int, int]
    ] = {}  # of each later image: how far it is from which earlier one, turned by how much
    for earlier, later in sorted(same_when_turned):
        best[later] = min(
            (
                float(np.abs(np.rot90(small[earlier], by).astype(int) - small[later]).mean()),
                by,
                earlier,
            )
            for by in range(1, 4)
        )
    for one, other, turn, error in _near_pairs(small, kept, tick):
        for candidate, later in zip(
            zip(error.tolist(), turn.tolist(), one.tolist(), strict=True),
            other.tolist(),
            strict=True,
        ):
            if later not in best or candidate < best[later]:
                best[later] = candidate
    rows += [
        (earlier, later, by, (earlier, later) in same_when_turned)
        for later, (_error, by, earlier) in best.items()
    ]
    rows.sort(key=lambda row: row[1])
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Duplicates(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool))


def _by_digest(digest: NDArray[np.uint64]) -> tuple[Numbers, Numbers]:
    """(positions of the first image of each digest, for each image the first with its digest or -1
    when it is that)."""
    _, firsts, inverse = np.unique(digest, return_index=True, return_inverse=True)
    copy_of = firsts[inverse].astype(np.int64)
    own = copy_of == np.arange(len(digest))
    return np.flatnonzero(own), np.where(own, -1, copy_of)


def _near_pairs(
    small: NDArray[np.uint8], kept: Numbers, tick: Callable[[int, int], None] | None
) -> Iterator[tuple[Numbers, Numbers, Numbers, NDArray[np.float64]]]:
    """Near copies among the images kept: (earlier, later, turns of the earlier, mean difference in
    grey levels)."""
    kept = kept[
        small[kept].std(axis=(1, 2)) >= _LEAST_CONTRAST
    ]  # pictures of nothing are all alike
    upright = hashes(small[kept])
    for turn in range(4):
        turned = upright if turn == 0 else hashes(small[kept], turn)
        for band in range(_BANDS):
            if tick:
                tick(turn * _BANDS + band, 4 * _BANDS)
            shift = np.uint64(16 * band)
            mask = np.uint64(0xFFFF)
            for asked, there in _join((turned >> shift) & mask, (upright >> shift) & mask):
                close = (asked != there) & (
                    np.bitwise_count(turned[asked] ^ upright[there]) <= _MOST_BITS
                )
                asked, there = asked[close], there[close]
                # Of a bucket that was cut an image meets only the first ones, so a pair counts in
                # whichever order it is met: when the later image was turned, the earlier one turns
                # the other way.
                ordered = asked < there
                yield _compare(small, kept[asked[ordered]], kept[there[ordered]], turn)
                yield _compare(small, kept[there[~ordered]], kept[asked[~ordered]], -turn % 4)
    if tick:
        tick(4 * _BANDS, 4 * _BANDS)


def _join(
    asked: NDArray[np.uint64], there: NDArray[np.uint64]
) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of positions whose values agree, some at a time."""
    order = np.argsort(there, kind="stable")
    ordered = there[order]
    low = np.searchsorted(ordered, asked, "left")
    count = np.minimum(np.searchsorted(ordered, asked, "right") - low, _MOST_IN_BUCKET)
    ends = np.cumsum(count)
    begin = 0
    while begin < len(asked):
        base = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, base + _CHUNK, "right")))
        some = count[begin:end]
        rows = np.repeat(np.arange(begin, end), some)
        within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        yield rows, order[low[rows] + within]
        begin = end


def _compare(
    small: NDArray[np.uint8], one: Numbers, other: Numbers, turn: int
) -> tuple[Numbers, Numbers, Numbers, NDArray[np.float64]]:
    first = np.rot90(small[one], turn, (1, 2)).reshape(-1, small.shape[1] ** 2).astype(np.float32)
    second = small[other].reshape(-1, small.shape[1] ** 2).astype(np.float32)
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    error = np.abs(first - second).mean(axis=1)  # without the means: a brighter copy is a copy
    correlation = (first * second).sum(axis=1) / np.sqrt(
        (first**2).sum(axis=1) * (second**2).sum(axis=1)
    )
    near = (error <= _NEAR_ERROR) & (correlation >= _NEAR_CORRELATION)
    return (
        one[near],
        other[near],
        np.full(int(near.sum()), turn, np.int64),
        error[near].astype(np.float64),
    )
