"""The audit: read everything once, evaluate a sample, and compare the figures with their limits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import AnyPath, Positive, Seed, Side
from rotkeras.arguments.accepted import Task as AnyTask
from rotkeras.arguments.checked import checked
from rotkeras.audit import limits
from rotkeras.audit.collection import TEST, TOP, Collection, open_collection
from rotkeras.audit.crops import crops_of
from rotkeras.audit.duplicates import Duplicates, find_duplicates
from rotkeras.audit.findings import find
from rotkeras.audit.questions import Question, check_has_views, task_shortcuts
from rotkeras.audit.report import Folder, Report
from rotkeras.audit.scan import Scan, scan
from rotkeras.audit.shortcuts import ShortcutResult, shortcut_test
from rotkeras.audit.task_findings import find_of_task
from rotkeras.audit.up import Up, weigh
from rotkeras.data.crops import Crops
from rotkeras.errors import UserError

IMAGES = 5000

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""

_CROPS = (
    "The network and the shortcut test saw random resized crops of 0.08 to 1 of the area, cut from"
    " the photographs."
)
_Bools = NDArray[np.bool_]


@checked
def audit(
    source: Any,
    *,
    data_dir: AnyPath | None = None,
    list_folder: AnyPath | None = None,
    image_size: Side | None = None,
    images: Positive = IMAGES,
    seed: Seed = 0,
    crops: bool | Crops = False,
    task: AnyTask | None = None,
    task_name: str = "",
    augmentation: Sequence[Any] = (),
    progress: Progress | None = None,
) -> Report:
    """Tell whether predicting rotations, or another task, is fit for some images, before hours are
    spent on it.

    All images are read once: their headers, corners and copies. On a draw of them a small network
    tells whether they have an up, each image evaluated by a network that did not see it, and small
    predictors that see next to nothing tell whether there is a way around learning it.

    Args:
        source: a folder (searched recursively), a path that ends in `.npz`, `"digits"`, a name of
            tensorflow-datasets, a uint8 array (N, H, W, 3), or a pair (images, labels). Test parts
            are searched for copies alone.
        data_dir: where tensorflow-datasets keeps prepared sets.
        list_folder: where the paths of a list begin; None for the folder of the list.
        image_size: pixels of each side that training will see; None is 64 for image files, and for
            the others what they have.
        images: the most images to draw for the network and the predictors.
        seed: of the draw, the halves, the network and the crops.
        crops: show the network and the predictors random resized crops, cut from the photographs as
            training cuts them from files that stay encoded, instead of centred squares. A
            `rotkeras.data.Crops` makes its crops of the photographs, as training on one image does
            before it begins, and audits these in place of the photographs; `source` may then be an
            image file.
        task: a pretext task whose views the predictors see; None for rotation. Whether images have
            an up is left out for a task that predicts no rotations.
        task_name: of the task, for people; "" for the name of its class.
        augmentation: of the recipe, applied before the task makes its views; for a task.
        progress: called with (what, done, all).

    Returns:
        A `Report`; `report.fit` says whether nothing was found.

    Raises:
        UserError: one sentence for anything missing, empty, or of the wrong form.

    Example:
        report = rotkeras.audit.audit("photos")
        print(report.fit, [finding.what for finding in report.findings])
    """
    if images < 1:
        raise UserError(f"--images must be at least 1, got {images}; 5000 is enough for most sets.")

    if task is not None:
        check_has_views(task)

    def phase(what: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(what, done, total) if progress else None

    collection = open_collection(
        source,
        data_dir,
        image_size,
        phase("loading images"),
        list_folder,
        crops if isinstance(crops, Crops) else None,
    )
    if crops is True:
        crops_of(collection, np.zeros(0, np.int64), seed)  # a mistake is said before the work
    read = scan(collection, images, seed, phase("reading images"))
    if crops is True:
        chosen = read.positions[read.drawn]
        read = replace(read, pixels=crops_of(collection, chosen, seed, phase("cutting crops")))
    copies = find_duplicates(read.digests, read.thumbnails, phase("searching duplicates"))
    results: list[ShortcutResult] = []
    questions: list[Question] = []
    up = None
    turns = task is None or bool(getattr(task, "angles", ()))
    if len(read.pixels) >= limits.FEWEST_IMAGES:
        if task is None:
            results = shortcut_test(read.pixels, seed, phase("trying shortcuts"))
        else:
            questions = task_shortcuts(
                read.pixels, task, augmentation, seed, phase("trying shortcuts")
            )
            results = [each for question in questions for each in question.results]
        if turns:
            from rotkeras.audit.network import predict_unseen, shrink

            up = weigh(predict_unseen(shrink(read.pixels), seed, phase("training networks")))
    folders = _folders(collection, read, copies, up)
    of_rotation = results if task is None else []
    return Report(
        name=collection.name,
        size=collection.size,
        seed=seed,
        folders=folders,
        shortcuts=results,
        findings=[
            *find(folders, of_rotation, collection.size, turns),
            *find_of_task(questions, task, collection.size),
        ],
        notes=[*_notes(collection, read, copies, up, turns), *([_CROPS] if crops is True else [])],
        skipped=read.skipped,
        names=[collection.names[position] for position in read.positions],
        duplicates=copies,
        drawn=read.drawn,
        pixels=read.pixels,
        up=up,
        task="" if task is None else task_name or type(task).__name__,
        questions=tuple(questions),
    )


def _folders(collection: Collection, read: Scan, copies: Duplicates, up: Up | None) -> list[Folder]:
    """Figures of all images to train on, then of each folder when there are several."""
    upright, turned = np.zeros(len(read.positions), bool), np.zeros(len(read.positions), bool)
    upright[copies.images(turned=False)] = True
    turned[copies.images(turned=True)] = True
    folder_of = collection.folder_of[read.positions]
    trained_on = collection.trained_on[read.positions]

    def figures(name: str, chosen: _Bools) -> Folder:
        width, height = read.shapes[chosen].T
        shares = [
            float(each.mean()) if each.size else 0.0
            for each in (
                width > height,
                height > width,
                read.orientations[chosen] != 1,
                read.corners[chosen],
                upright[chosen],
                turned[chosen],
            )
        ]
        landscape, portrait, exif, corners, copies_upright, copies_turned = shares
        found = Folder(
            name,
            int(chosen.sum()),
            landscape,
            portrait,
            exif,
            corners,
            copies_upright,
            copies_turned,
        )
        evaluated = chosen[read.drawn]
        count = int(evaluated.sum())
        if up is None or not count:
            return found
        accuracy, margin = up.accuracy(evaluated)
        ambiguous, of_turned = (
            float(up.ambiguous[evaluated].mean()),
            float(up.turned[evaluated].mean()),
        )
        return replace(
            found,
            evaluated=count,
            accuracy=accuracy,
            margin=margin,
            ambiguous=ambiguous,
            turned=of_turned,
            lies=up.lies(evaluated),
        )

    found = [figures("(all)", trained_on)]
    if len(collection.folders) > 1:
        found += [
            figures(name, folder_of == place) for place, name in enumerate(collection.folders)
        ]
    return found


def _notes(
    collection: Collection, read: Scan, copies: Duplicates, up: Up | None, turns: bool
) -> list[str]:
    """What is worth knowing and no fault."""
    notes = list(collection.notes)
    by_exif = read.orientations != 1
    if by_exif.any():
        notes.append(
            f"{by_exif.sum():,} of {len(by_exif):,} files are rotated by their EXIF orientation:"
            " rotkeras turns them upright when it reads them; other programs may not."
        )
        if up is not None and (stale := up.turned & by_exif[read.drawn]).sum() > max(
            5, 0.2 * by_exif[read.drawn].sum()
        ):
            notes.append(
                f"{stale.sum():,} of the {by_exif[read.drawn].sum():,} evaluated files with an EXIF"
                " rotation look rotated after it was applied: a program probably rotated their"
                " pixels and left the tag."
            )
    portrait = read.shapes[:, 1] > read.shapes[:, 0]
    landscape = read.shapes[:, 1] < read.shapes[:, 0]
    if portrait.any() and landscape.any():
        notes.append(
            f"{landscape.sum():,} images are wider than high and {portrait.sum():,} higher than"
            " wide: the centred square of each is used."
        )
    trained_on = collection.trained_on[read.positions]
    across = (trained_on[copies.first] != trained_on[copies.second]).sum()
    if across:
        notes.append(f"{across:,} images of the test set are copies of training images.")
    folder_of = collection.folder_of[read.positions]
    between = (
        (folder_of[copies.first] != folder_of[copies.second])
        & trained_on[copies.first]
        & trained_on[copies.second]
    ).sum()
    if between and len([name for name in collection.folders if name not in (TOP, TEST)]) > 1:
        notes.append(f"{between:,} pairs of copies lie in two folders or classes.")
    if len(read.pixels) < limits.FEWEST_IMAGES:
        left_out = "The network and the shortcut test need" if turns else "The shortcut test needs"
        were = "were" if turns else "was"
        notes.append(
            f"Only {len(read.pixels):,} images could be evaluated. {left_out}"
            f" {limits.FEWEST_IMAGES} and {were} left out."
        )
    return notes
