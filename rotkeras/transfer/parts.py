"""Which images train, which choose the epoch, and which are the test."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rotkeras.errors import UserError
from rotkeras.transfer.base import Labelled

NAMED_VALIDATION = "the set's validation part is used as the test part, because it has no other"


def settle_parts(
    name: str,
    parts: dict[str, Any],
    class_names: Sequence[str],
    fraction: float,
    seed: int,
    notes: Sequence[str],
) -> Labelled:
    """Labelled images in three parts.

    Args:
        name: of the set.
        parts: "train", and "validation" and "test" where the set names them; each has a length and
            `part(positions)`.
        class_names: of the classes.
        fraction: share of training that becomes validation where no part is named so.
        seed: of that draw.
        notes: lines to keep.

    Raises:
        UserError: for too few training images to split.
    """
    said = list(notes)
    if "train" not in parts:
        raise UserError(
            f"{name} has no training part, only {', '.join(parts)}. Give a set with both: lists"
            " train.txt or trainval.txt (VOC), instances_train….json (COCO), or a folder train/."
        )
    train: Any = parts["train"]
    validation, test = parts.get("validation"), parts.get("test")
    if test is None and validation is not None:
        test, validation = validation, None
        said.append(NAMED_VALIDATION)
    missing = (validation is None) + (test is None)
    if missing:
        count = max(1, round(fraction * len(train)))
        if missing * count >= len(train):
            raise UserError(
                f"There are {len(train)} training images, too few to split off validation and test;"
                " add images."
            )
        order = np.random.default_rng(seed).permutation(len(train))
        first, second, rest = np.split(order, [count, missing * count])
        whole, train = train, train.part(np.sort(rest))
        if validation is None:
            validation = whole.part(np.sort(first))
            said.append(drawn(count, "validation", fraction))
        if test is None:
            test = whole.part(np.sort(second if missing == 2 else first))
            said.append(drawn(count, "the test part", fraction))
    return Labelled(name, train, validation, test, tuple(class_names), tuple(said))


def drawn(count: int, what: str, fraction: float) -> str:
    """A line on images that were taken out of training."""
    return f"{count:,} training images are {what} (data.validation_fraction={fraction:g})"
