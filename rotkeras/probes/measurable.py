"""Which images a probe can be evaluated on."""

import numpy as np

from rotkeras.data.source import Images
from rotkeras.data.unmeasured import without_training
from rotkeras.errors import UserError


def measurable(train: Images, images: Images, part: str = "validation") -> tuple[Images, list[str]]:
    """The images whose class has training images, since a probe cannot predict any other class.

    Args:
        train: labelled images that the probes are fitted on.
        images: labelled images to evaluate them on.
        part: what these are called.

    Returns:
        (images, a line about those that are left out; no line when all are kept). The images are
        the same object when all are kept.

    Raises:
        UserError: when fewer than two classes are left.
    """
    assert train.labels is not None
    assert images.labels is not None
    known = np.isin(images.labels, train.labels)
    if len(np.unique(images.labels[known])) < 2:
        raise UserError(
            f"The training and {part} images share fewer than two classes, so no probe can be"
            " evaluated; use more images, or data.split=stratified."
        )
    if known.all():
        return images, []
    return images.part(np.flatnonzero(known)), [without_training(train, images, part)]
