"""The nearest images of an image, by the cosine distance of their features."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import AnyPath, OnBadImage, Positive
from rotkeras.arguments.checked import checked
from rotkeras.data.decode import Progress
from rotkeras.embedding.chunks import stream
from rotkeras.embedding.encoder import Encoder
from rotkeras.embedding.feature_file import check_file, nothing_read
from rotkeras.embedding.formats import csv_line
from rotkeras.embedding.image_list import ImageList
from rotkeras.errors import UserError
from rotkeras.files import write_whole


class Neighbour(NamedTuple):
    """One line of the result: `rank` counts from 1; classes are empty where there are none."""

    query: str
    query_class: str
    rank: int
    name: str
    class_name: str
    distance: float


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest images of some queries.

    Attributes:
        queries: the list that the queries are from.
        images: the list that was searched.
        query_positions: int64 (Q,), where each query stands in `queries`.
        positions: int64 (Q, k), where each neighbour stands in `images`, nearest first; −1 where
            there was no further image.
        distances: float64 (Q, k), 1 − cos, from 0 to 2, ascending; infinite where there was no
            further image.
        searched: how many images could be read.
        left_out: how many times an image was left out for a query because it has the same pixels.
        of_class: int64 (Q,), how many of the images of each query have its class.
        compared: int64 (Q,), how many images each query was compared with.
    """

    queries: ImageList
    images: ImageList
    query_positions: NDArray[np.int64]
    positions: NDArray[np.int64]
    distances: NDArray[np.float64]
    searched: int
    left_out: int
    of_class: NDArray[np.int64]
    compared: NDArray[np.int64]

    def of(self, query: int) -> list[Neighbour]:
        """The neighbours of the query at a row of `positions`, nearest first."""
        position = int(self.query_positions[query])
        name, class_name = self.queries.names[position], self.queries.class_of(position)
        found = [
            (int(where), float(far))
            for where, far in zip(self.positions[query], self.distances[query], strict=True)
            if where >= 0
        ]
        return [
            Neighbour(
                name, class_name, rank, self.images.names[where], self.images.class_of(where), far
            )
            for rank, (where, far) in enumerate(found, start=1)
        ]

    def __iter__(self) -> Iterator[Neighbour]:
        for query in range(len(self.query_positions)):
            yield from self.of(query)

    def share_of_class(self) -> tuple[float, float] | None:
        """How well neighbours keep to classes, over the queries whose class is among the images'
        classes.

        Returns:
            (share of neighbours with their query's class, the share that images drawn at random
            would have), 0 … 1; None when there is no such query.
        """
        known = [
            query
            for query, position in enumerate(self.query_positions)
            if self.compared[query]
            and self.queries.class_of(int(position)) in self.images.class_names
        ]
        same = [each.class_name == each.query_class for query in known for each in self.of(query)]
        if not same:
            return None
        return float(np.mean(same)), float(np.mean(self.of_class[known] / self.compared[known]))


@checked
def nearest(
    encoder: Encoder,
    queries: ImageList,
    images: ImageList,
    *,
    k: Positive = 10,
    most_queries: Positive = 8,
    on_bad_image: OnBadImage = "skip",
    progress: Progress | None = None,
) -> Neighbours:
    """Find the nearest images of each query: the smallest 1 − cos of the angle between their
    feature vectors.

    Images are streamed and only the nearest are kept. An image with a query's own pixels, at the
    encoder's size, is left out for that query: it is the query itself or a copy. Of images equally
    far the earlier comes first. A feature vector of zeros has no direction and is at distance 1
    from everything.

    Args:
        encoder: of `load_encoder`.
        queries: of `open_images(source)(encoder.input_size)`.
        images: the images to search, in the same way.
        k: how many neighbours of each query; fewer are given when there are fewer images.
        most_queries: of more queries so many are taken, evenly spread over the list.
        on_bad_image: "skip" or "error".
        progress: called with (images read, images in all) of `images`.

    Raises:
        UserError: when no query or no image could be read, or `k` or `most_queries` is below 1.
    """
    if k < 1 or most_queries < 1:
        raise UserError(
            f"Expected at least one neighbour and one query, received k={k} and {most_queries}"
            " queries; ask for one or more."
        )
    chosen = np.unique(
        np.linspace(0, len(queries) - 1, min(most_queries, len(queries))).round().astype(int)
    )
    read = list(stream(encoder, queries, [int(each) for each in chosen], on_bad_image))
    if not read:
        raise nothing_read(queries)
    query_positions = np.concatenate([chunk.positions for chunk in read])
    directions = _directions(np.concatenate([chunk.features for chunk in read]))
    classes = np.array([queries.class_of(int(position)) for position in query_positions])
    own: dict[bytes, list[int]] = {}
    for query, pixels in enumerate(pixels for chunk in read for pixels in chunk.images):
        own.setdefault(pixels.tobytes(), []).append(query)

    count = len(query_positions)
    positions, distances = np.full((count, 0), -1, np.int64), np.full((count, 0), np.inf)
    of_class, compared, searched = np.zeros(count, np.int64), np.zeros(count, np.int64), 0
    for chunk in stream(encoder, images, on_bad_image=on_bad_image, progress=progress):
        searched += len(chunk.names)
        there = np.clip(1 - directions @ _directions(chunk.features).T, 0, 2)
        for column, pixels in enumerate(chunk.images):
            there[own.get(pixels.tobytes(), []), column] = np.inf
        others = np.isfinite(there)
        compared += others.sum(axis=1)
        if chunk.labels is not None:
            of_class += (
                others & (classes[:, None] == np.array(images.class_names)[chunk.labels][None])
            ).sum(axis=1)
        where = np.where(others, chunk.positions, -1)
        distances, positions = np.hstack([distances, there]), np.hstack([positions, where])
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        distances, positions = (
            np.take_along_axis(distances, order, 1),
            np.take_along_axis(positions, order, 1),
        )
    if not searched:
        raise nothing_read(images)
    left_out, most = int((searched - compared).sum()), int(compared.max())
    distances, positions = distances[:, :most], positions[:, :most]
    return Neighbours(
        queries,
        images,
        query_positions,
        positions,
        distances,
        searched,
        left_out,
        of_class,
        compared,
    )


@checked
def write_neighbours(found: Neighbours, path: AnyPath, overwrite: bool = False) -> Path:
    """Write all neighbours as UTF-8 lines query,query_class,rank,name,class,distance, whole or not
    at all.

    Raises:
        UserError: when `path` does not end in `.csv`, or is there already and `overwrite` is False.
    """

    def write(working: Path) -> None:
        with open(working, "w", encoding="utf-8", newline="") as file:
            file.write(csv_line(["query", "query_class", "rank", "name", "class", "distance"]))
            for each in found:
                about = (each.query, each.query_class, str(each.rank), each.name, each.class_name)
                file.write(csv_line([*about, f"{each.distance:.8f}"]))

    file = check_file(path, (".csv",), overwrite)
    write_whole(file, write)
    return file


def _directions(features: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = features.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    directions: NDArray[np.float64] = np.divide(
        wide, lengths, out=np.zeros_like(wide), where=lengths > 0
    )
    return directions
