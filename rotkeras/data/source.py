"""What a source of images gives, whatever kind it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Fraction, ImageBatch, LabelVector, Seed, Split
from rotkeras.arguments.checked import checked
from rotkeras.data.fingerprint import Fingerprint, fingerprint
from rotkeras.data.stratify import stratified
from rotkeras.errors import UserError, must
from rotkeras.files import as_text


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """One part of a source (train, validation or test): images, optional labels, and a stable
    index.

    Attributes:
        array: uint8 (M, H, W, 3), in memory, or an `ImageFile`, which is indexed alike; the part
            may use only some of its rows.
        rows: int64 (N,), ascending: the rows of `array` that belong to this part. They are the
            stable index.
        labels: int64 (N,) or None when the images have no labels.
        class_names: the name of each label, empty without labels.
        names: (M,) file names, one per row of `array`, or None.
        kept: where the images are, in words: "decoded into memory, 26.4 MiB"; empty where nothing
            was decoded.
    """

    array: ImageBatch
    rows: LabelVector
    labels: LabelVector | None = None
    class_names: tuple[str, ...] = ()
    names: Sequence[str] | None = None
    kept: str = ""

    def __post_init__(self) -> None:
        if self.labels is not None and len(self.labels) != len(self.rows):
            raise UserError(
                f"labels must have one value for each of {len(self.rows)} images, got"
                f" {len(self.labels)}."
            )

    @classmethod
    def of(
        cls,
        array: NDArray[np.uint8],
        labels: NDArray[np.int64] | None = None,
        class_names: Sequence[str] = (),
        names: Sequence[str] | None = None,
        kept: str = "",
    ) -> "Images":
        """All rows of a uint8 (N, H, W, 3) array as one part; the arguments are the attributes."""
        if not hasattr(array, "shape"):
            raise must("array", "be a uint8 array", array)
        rows = np.arange(len(array), dtype=np.int64)
        if labels is not None and np.asarray(labels).dtype.kind not in "iu":
            raise must("labels", "be whole numbers", labels, "rotkeras.data.load takes names too")
        labels = None if labels is None else np.asarray(labels, np.int64)
        return cls(array, rows, labels, tuple(class_names), names, kept)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        labels = f"{len(self.class_names)} classes" if self.labels is not None else "no labels"
        return f"Images({len(self)} of {self.image_shape}, {labels})"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, 3)."""
        height, width, channels = self.array.shape[1:]
        return height, width, channels

    def take(self, positions: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """The images at the given positions of this part, as a uint8 (n, H, W, 3) copy in
        memory."""
        return np.asarray(self.array[self.rows[positions]])

    def part(self, positions: NDArray[np.int64]) -> "Images":
        """A smaller part that keeps the same underlying array; `positions` (n,) count in this
        part."""
        positions = np.sort(positions)
        labels = None if self.labels is None else self.labels[positions]
        return replace(self, rows=self.rows[positions], labels=labels)

    def draw(self, count: int, seed: int = 0, how: Split = "random") -> "Images":
        """A seeded draw of `count` images, in the order of their index; all of them when there are
        fewer. "stratified" keeps the proportions of the classes where there are labels."""
        if count >= len(self):
            return self
        if how == "stratified" and self.labels is not None:
            return self.part(stratified(self.labels, count, seed))
        return self.part(np.random.default_rng(seed).permutation(len(self))[:count])

    def fingerprint(self) -> Fingerprint:
        """What tells these images from others: a digest of names, labels and pixels, calculated
        when it is first requested."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> Fingerprint:
        return fingerprint(self)

    def per_class(self, count: int, seed: int | None = None) -> "Images":
        """The first `count` images of each class, as the published few-label protocol takes them,
        or a seeded draw.

        Args:
            count: K, images of each class.
            seed: of the draw; None takes the first in the order of their index.

        Raises:
            UserError: without labels, or when a class has fewer images.

        Reference:
            Gidaris et al., ICLR 2018, figure 5b and the code published with it.
        """
        if self.labels is None:
            raise UserError(
                "labels_per_class needs labels, and these images have none: give class folders or"
                " an array of labels."
            )
        chosen = []
        for label in np.unique(self.labels):
            positions = np.flatnonzero(self.labels == label)
            if not 1 <= count <= len(positions):
                name = self.class_names[label] if label < len(self.class_names) else str(label)
                raise UserError(
                    f"labels_per_class must be from 1 to {len(positions)}, the training images of"
                    f" class {name!r}, got {count}; lower it, or use all."
                )
            if seed is not None:
                positions = np.random.default_rng([seed, int(label)]).permutation(positions)
            chosen.append(positions[:count])
        return self.part(np.concatenate(chosen))


@dataclass(frozen=True)
class BadImage:
    """A file that could not be read as an image, and why.

    Attributes:
        path: as `rotkeras.files.as_text` writes it, so that it can be printed and stored.
        reason: in words.
    """

    path: str
    reason: str

    @classmethod
    def of(cls, path: str, reason: str) -> "BadImage":
        """Of a path as the system has it."""
        return cls(as_text(path), as_text(reason))


@checked
@dataclass(eq=False, repr=False)
class Source:
    """Images split into the parts that an honest protocol needs.

    Attributes:
        name: what the images are, for logs and titles.
        train: the images to learn from.
        validation: images split from training that choose epoch, tap and settings; None when none
            were requested.
        skipped: files that could not be read as images (grows when `test` is read).
        notes: one line for each thing that was left out, guessed or not used, with the reason.
        found: number of images before they were split and some of them drawn, or None.
    """

    name: str
    train: Images
    validation: Images | None
    skipped: list[BadImage] = field(default_factory=list)
    read_test: Callable[[], Images | None] = lambda: None
    notes: list[str] = field(default_factory=list)
    found: int | None = None

    def __repr__(self) -> str:
        return f"Source({self.name!r}, train={self.train}, validation={self.validation})"

    @cached_property
    def test(self) -> Images | None:
        """The test set, read from its source only on first use; None when the source has
        none."""
        return self.read_test()

    @property
    def kept(self) -> str:
        """Where the images to learn from are, in words; empty where nothing was decoded."""
        return self.train.kept

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, 3) of every image."""
        return self.train.image_shape


@checked
def split(
    images: Images, fraction: Fraction, seed: Seed = 0, how: Split = "stratified"
) -> tuple[Images, Images | None]:
    """Split a validation set from training: the same images for the same images, fraction and
    seed.

    Args:
        images: the training set as its source gives it.
        fraction: share of the images that become validation, 0 ≤ fraction < 1; 0 for none.
        seed: of the draw. It is not the training seed, so that runs with other seeds share their
            validation images.
        how: "stratified" keeps the proportions of the classes where there are labels: every class
            with two images or more is in both parts, as far as the fraction allows. "random" draws
            without regard to classes, as earlier versions did.

    Returns:
        (train, validation or None), both in the order of their index.

    Raises:
        UserError: when a part would be empty.
    """
    if fraction == 0:
        return images, None
    count = round(len(images) * fraction)
    if not 0 < count < len(images):
        raise UserError(
            f"validation_fraction={fraction} of {len(images)} images leaves a part empty. Add"
            " images, or set it to 0 for no validation set."
        )
    several = images.labels is not None and len(np.unique(images.labels)) < len(images)
    if how == "stratified" and images.labels is not None and several:
        chosen = stratified(images.labels, count, seed, both_sides=True)
        left = np.setdiff1d(np.arange(len(images)), chosen)
    else:
        order = np.random.default_rng(seed).permutation(len(images))
        left, chosen = order[count:], order[:count]
    train, validation = images.part(left), images.part(chosen)
    array: Any = images.array
    if hasattr(array, "separate"):  # encoded images replace broken ones by others of their part
        array.separate(train.rows, validation.rows)
    return train, validation
