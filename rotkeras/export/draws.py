"""Which images calibrate an export, and which prove it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rotkeras.data.source import Images, Source
from rotkeras.errors import UserError
from rotkeras.export.auto import AUTO, candidates
from rotkeras.export.profiles import Profile
from rotkeras.export.profiles import profile as profile_of
from rotkeras.files import as_text, write_json
from rotkeras.recipe.models import Export

_PROBE_IMAGES = 5000


def kinds_of(settings: Export) -> list[Profile]:
    """The profiles that are wanted by name, each once."""
    return [profile_of(name) for name in dict.fromkeys(settings.profiles) if name != AUTO]


class Draws(NamedTuple):
    """Images of an export.

    Attributes:
        calibration: those that find ranges of activations; None where no profile needs them.
        held_out: those of the proof; none of them calibrates.
        labelled: those that probes are fitted on.
        seed: of the draws.
        spare: how many training images may calibrate: all, or, where the proof is made on
            training images too, half of them.
        validates: whether the images of the proof are of validation.
    """

    calibration: Images | None
    held_out: Images
    labelled: Images
    seed: int
    spare: int
    validates: bool


def draw(source: Source, settings: Export, seed: int) -> Draws:
    """Draw the images of an export, by the seed.

    Raises:
        UserError: when no image is left for the proof.
    """
    calibration, rest = None, source.train
    spare = len(source.train) if source.validation is not None else len(source.train) // 2
    tried, _ = candidates(settings, spare)
    if any(kind.calibrated for kind in [*kinds_of(settings), *tried]):
        calibration = source.train.draw(settings.calibration_images, seed)
        rest = source.train.part(np.flatnonzero(~np.isin(source.train.rows, calibration.rows)))
    if source.validation is not None:
        held_out = source.validation.draw(settings.verify_images, seed)
        labelled = source.train.draw(_PROBE_IMAGES, seed)
        return Draws(calibration, held_out, labelled, seed, spare, True)
    if len(rest) < 2:
        raise UserError(
            "No image is left to prove the export on. Set data.validation_fraction, or lower"
            " calibration_images."
        )
    held_out = rest.draw(min(settings.verify_images, len(rest) // 2), seed)
    others = rest.part(np.flatnonzero(~np.isin(rest.rows, held_out.rows)))
    labelled = others.draw(_PROBE_IMAGES, seed)
    return Draws(calibration, held_out, labelled, seed, spare, False)


def write_calibration(path: Path, images: Images, source: str, seed: int) -> None:
    """Name the images that set the ranges of the files."""
    names = images.names
    content = {
        "source": source,
        "part": "train",
        "seed": seed,
        "rows": images.rows.tolist(),
        "names": None if names is None else [as_text(names[row]) for row in images.rows],
    }
    write_json(path, content)
