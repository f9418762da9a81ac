"""Pictures of a comparison: the views that each task makes of the same images, and neighbours."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras import pretext
from rotkeras.compare.plan import Planned
from rotkeras.data import Images, pipeline
from rotkeras.data.epochs import makes_numpy
from rotkeras.data.keyed import permute
from rotkeras.embedding import load_encoder, nearest
from rotkeras.embedding.contact_sheet import draw_sheet
from rotkeras.page import Picture, to_picture
from rotkeras.report.pictures import as_list, spread
from rotkeras.run.folder import Run
from rotkeras.training.build import build_augmentation

SHOWN, QUERIES, NEIGHBOURS, SEARCHED = 4, 4, 5, 1000
_SIDE, _GAP, _WIDE = 72, 4, 14
_PAPER = 255


def views_of(entry: Planned, images: Images) -> Picture | None:
    """Some images, each beside the views that a task makes of it with its augmentation; None for a
    task whose x are no images.

    Args:
        entry: task and augmentation.
        images: of the training set; the same for all entries give the same images.
    """
    task = pretext.of_section(entry.recipe.task)
    augmentation = build_augmentation(entry.recipe)
    count = max(SHOWN, getattr(task, "least_images_per_batch", 1))
    part = images.part(spread(len(images), count))
    batches = pipeline(
        part,
        task,
        images_per_batch=len(part),
        augmentation=augmentation,
        library="numpy" if makes_numpy(task, *augmentation) else "tensorflow",
    )
    made_of = iter(batches.dataset)
    x, _ = next(made_of)
    if hasattr(made_of, "close"):
        made_of.close()  # a generator, with a thread of its own
    order = permute(np.arange(len(part)), 0, 0, len(part))
    originals = part.take(slice(None))[order]
    made = list(_view_arrays(x, len(part)))
    if not made:
        return None
    shown = min(SHOWN, len(part))
    scale = max(1, _SIDE // max(originals.shape[1:3]))
    rows = [
        [originals[number], None, *(view for _, views in made for view in views[number])]
        for number in range(shown)
    ]
    views = sum(each.shape[1] for _, each in made)
    names = [name for name, _ in made if name]
    inside = f" ({', '.join(names)})" if len(names) > 1 else ""
    return to_picture(
        _sheet(rows, scale),
        f"{shown} images, each beside the {views} view{'s' if views > 1 else ''} that {entry.name}"
        f" makes of it{inside}.",
        f"{entry.name}: {views} view{'s' if views > 1 else ''} of each image{inside}",
        lossless=False,
    )


def _view_arrays(x: Any, count: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """(name, (images, views, H, W, 3)) of what in x are pictures."""
    named = x.items() if isinstance(x, Mapping) else [("", x)]
    for name, values in named:
        array = np.asarray(values)
        if array.dtype == np.uint8 and array.ndim >= 4 and array.shape[-1] == 3:
            yield name, array.reshape(count, -1, *array.shape[-3:])


def _sheet(rows: list[list[NDArray[np.uint8] | None]], scale: int) -> NDArray[np.uint8]:
    """Rows of pictures on white; None is a wider gap."""
    made = []
    for row in rows:
        pictures = [
            None if each is None else each.repeat(scale, 0).repeat(scale, 1) for each in row
        ]
        height = max(each.shape[0] for each in pictures if each is not None)
        cells = []
        for each in pictures:
            if each is None:
                cells.append(np.full((height, _WIDE - _GAP, 3), _PAPER, np.uint8))
                continue
            cell = np.full((height, each.shape[1] + _GAP, 3), _PAPER, np.uint8)
            cell[: each.shape[0], : each.shape[1]] = each
            cells.append(cell)
        line = np.concatenate(cells, 1)
        made += [line, np.full((_GAP, line.shape[1], 3), _PAPER, np.uint8)]
    return np.concatenate(made[:-1])


def neighbours(run: Run, name: str, images: Images) -> tuple[Picture, str]:
    """Some images with those that a run's encoder finds nearest, and how many have their class."""
    encoder = load_encoder(run.path)
    listed = as_list(images)
    found = nearest(encoder, listed, listed, k=NEIGHBOURS, most_queries=QUERIES)
    share = found.share_of_class()
    words = (
        f"{name}: {100 * share[0]:.0f} % of these neighbours have the query's class, and"
        f" {100 * share[1]:.0f} % of random images would"
        if share
        else name
    )
    picture = to_picture(
        draw_sheet(found, side=96),
        f"{len(found.query_positions)} images at the left, each with the {NEIGHBOURS} that the"
        f" encoder of {name} finds nearest.",
        words,
        lossless=False,
    )
    return picture, words
