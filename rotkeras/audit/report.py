"""What an audit found, as plain data."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.audit.duplicates import Duplicates
from rotkeras.audit.questions import Question
from rotkeras.audit.shortcuts import ShortcutResult
from rotkeras.audit.up import Up
from rotkeras.data.source import BadImage


@dataclass(frozen=True)
class Finding:
    """Something that makes rotation unfit, or a way around learning it.

    Attributes:
        name: "no-up", "turned", "corners", "turned-duplicates", "duplicates", or of a predictor of
            the shortcut test.
        what: one sentence with its figure.
        fix: what to do, with keys of a recipe.
    """

    name: str
    what: str
    fix: str


@dataclass(frozen=True)
class Folder:
    """Figures of one folder or class; shares are 0 … 1, and None where nothing was measured.

    Attributes:
        name: of the folder or class; "(all)" for everything to train on.
        images: how many could be read.
        landscape: share of pictures wider than high.
        portrait: share of pictures higher than wide.
        exif: share of files whose EXIF orientation turns or mirrors them.
        corners: share with empty corners.
        duplicates: share that are an upright copy of an earlier image, in any folder.
        turned_duplicates: share that are a turned copy of an earlier image, in any folder.
        evaluated: how many of them a network evaluated that had not seen them.
        accuracy: share of their views whose angle it predicted correctly.
        margin: half of the 95 % interval of `accuracy`.
        ambiguous: share without a likely way up.
        turned: share that it took for turned already.
        lies: degrees counter-clockwise by which its images lie turned together, 0 when they do not.
    """

    name: str
    images: int
    landscape: float
    portrait: float
    exif: float
    corners: float
    duplicates: float
    turned_duplicates: float
    evaluated: int = 0
    accuracy: float | None = None
    margin: float | None = None
    ambiguous: float | None = None
    turned: float | None = None
    lies: int = 0


@dataclass(frozen=True, eq=False)
class Report:
    """A whole audit.

    Attributes:
        name: of the images.
        size: pixels of each side that training would see.
        seed: of the draw, the halves and the network.
        folders: the figures of all images first, then of each folder.
        shortcuts: the accuracies of the predictors, empty when there were too few images.
        findings: what is wrong, the gravest first; nothing when the images are fit.
        notes: what is worth knowing and no fault.
        skipped: files that could not be read.
        names: (n,) of the images that were read.
        duplicates: pairs of positions in `names`.
        drawn: int64 (d,), positions in `names` of the images that network and predictors evaluated.
        pixels: uint8 (d, S, S, 3), those images.
        up: what the network says of them, None when there were too few, or when rotations are not
            predicted.
        task: the name of the task that was asked about; "" for rotation, as by default.
        questions: what that task asks, and what the predictors tell of it.
    """

    name: str
    size: int
    seed: int
    folders: list[Folder]
    shortcuts: list[ShortcutResult]
    findings: list[Finding]
    notes: list[str]
    skipped: list[BadImage]
    names: list[str]
    duplicates: Duplicates
    drawn: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    up: Up | None
    task: str = ""
    questions: tuple[Question, ...] = ()

    @property
    def fit(self) -> bool:
        """Whether enough was evaluated, and nothing found."""
        return not self.findings and not self._too_few

    @property
    def undecided(self) -> bool:
        """Whether nothing was found because too few images could be evaluated."""
        return not self.findings and self._too_few

    @property
    def _too_few(self) -> bool:
        return self.up is None and not self.questions

    @property
    def subject(self) -> str:
        """What the images are to be suitable for, in words."""
        return f"the task {self.task}" if self.task else "predicting rotations"

    @property
    def whole(self) -> Folder:
        """The figures of all images to train on."""
        return self.folders[0]

    def to_json(self) -> dict[str, Any]:
        """The report without its pictures, of what JSON has; names of turned, ambiguous and
        repeated images in full."""
        pairs = [
            {
                "first": self.names[one],
                "second": self.names[other],
                "degrees": 90 * int(turns),
                "same_pixels": bool(exact),
            }
            for one, other, turns, exact in zip(
                self.duplicates.first,
                self.duplicates.second,
                self.duplicates.turns,
                self.duplicates.exact,
                strict=True,
            )
        ]
        found: dict[str, Any] = {
            "name": self.name,
            "fit": None if self.undecided else self.fit,
            "image_size": self.size,
            "seed": self.seed,
            "task": self.task or "rotation",
            "findings": [asdict(each) for each in self.findings],
            "notes": self.notes,
            "folders": [asdict(each) for each in self.folders],
            "shortcuts": [asdict(each) for each in self.shortcuts],
            "skipped": [asdict(each) for each in self.skipped],
            "duplicates": pairs,
        }
        if self.up is not None:
            degrees = 90 * self.up.way_up.argmax(axis=1)
            found["confusion"] = self.up.confusion.tolist()
            found["turned"] = [
                {"name": self.names[self.drawn[row]], "degrees": int(degrees[row])}
                for row in np.flatnonzero(self.up.turned)
            ]
            found["ambiguous"] = [
                self.names[self.drawn[row]] for row in np.flatnonzero(self.up.ambiguous)
            ]
        return found
