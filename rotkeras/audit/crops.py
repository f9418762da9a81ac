"""Random resized crops of photographs, as training cuts them from files that stay encoded."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.audit.collection import Collection
from rotkeras.data.decode import Progress, ordered_map
from rotkeras.data.encoded import whole_pixels
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import random_resized_crop
from rotkeras.errors import UserError
from rotkeras.images import read_crop, read_size


def crops_of(
    collection: Collection,
    positions: NDArray[np.int64],
    seed: int,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """One crop of each of some photographs, of 0.08 to 1 of the area: uint8 (n, S, S, 3).

    A JPEG is decoded at a part of its size where training would do so: what that leaves in the
    pixels must not tell which way is up.

    Args:
        collection: of files, which could be read.
        positions: int64 (n,), in the collection.
        seed: of the boxes.
        progress: called with (crops cut, crops in all).

    Raises:
        UserError: for images that are no files.
    """
    path = collection.path
    if path is None:
        raise UserError(f"--crops needs image files, and {collection.name} has none; leave it out.")
    crop = random_resized_crop()
    size = (collection.size, collection.size)

    def read(number: int) -> NDArray[np.uint8]:
        file = path(int(positions[number]))
        shape = read_size(file)
        sides = np.array([shape[:2]], np.int32)
        key = Key(np.int64(seed), np.int64(0), positions[number : number + 1])
        boxes, flips = crop.boxes(key, sides)
        box = whole_pixels(boxes, sides)[0].tolist()
        return read_crop(file, tuple(box), size, shape, bool(flips[0]))

    found = np.empty((len(positions), *size, 3), np.uint8)
    for number, made in enumerate(ordered_map(read, range(len(positions)))):
        if isinstance(made, Exception):
            raise made
        found[number] = made
        if progress:
            progress(number + 1, len(positions))
    return found
