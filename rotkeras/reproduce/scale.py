"""How large a reproduction is: as published, or shrunk so that its whole path can be walked on two
cores."""

from dataclasses import dataclass

from rotkeras.data import Source
from rotkeras.errors import UserError
from rotkeras.recipe import Recipe

TRAIN_IMAGES = 45_000
LEAST_WIDTH = 0.125


@dataclass(frozen=True)
class Scale:
    """Shares of what was published.

    Attributes:
        images: of the training, validation and test images, and of the labels per class.
        width: of the filters.
        epochs: of pre-training and of every probe's schedule.

    Raises:
        UserError: for a share that is not above 0 and at most 1.
    """

    images: float = 1.0
    width: float = 1.0
    epochs: float = 1.0

    def __post_init__(self) -> None:
        for name in ("images", "width", "epochs"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError(
                    f"--scale must be greater than 0 and at most 1 for {name}, got"
                    f" {getattr(self, name):g}."
                )
        if self.images * TRAIN_IMAGES < 100:
            raise UserError(
                f"--scale leaves {self.images * TRAIN_IMAGES:.0f} of {TRAIN_IMAGES:,} images, and"
                " at least 100 are needed; raise it."
            )

    @classmethod
    def of(cls, share: float) -> "Scale":
        """One share for images and epochs; the width shrinks by its root, to an eighth at least."""
        return cls(share, max(LEAST_WIDTH, round(share**0.5, 3)) if share < 1 else 1.0, share)

    @property
    def full(self) -> bool:
        """Whether nothing is shrunk."""
        return self == Scale()

    def suffix(self) -> str:
        """For the names of files: empty at full scale."""
        return "" if self.full else f"-scale-{self.images:g}-{self.width:g}-{self.epochs:g}"

    def describe(self, epochs: int) -> str:
        """The scale in words; `epochs` as the recipe has them at full scale."""
        if self.full:
            return f"full scale: {TRAIN_IMAGES:,} training images, published width, {epochs} epochs"
        epochs_here = max(1, round(epochs * self.epochs))
        return (
            f"scale {self.images:g} of the images ({round(TRAIN_IMAGES * self.images):,}),"
            f" {self.width:g} of the width, {self.epochs:g} of the epochs ({epochs_here} of"
            f" {epochs}, probes likewise): not comparable with the paper"
        )

    def overrides(self, recipe: Recipe) -> list[str]:
        """What the scale changes in a recipe, as `--set` takes it."""
        if self.full:
            return []
        images = round(TRAIN_IMAGES * self.images)
        epochs = max(1, round(recipe.train.epochs * self.epochs))
        found = [
            f"data.train_images={images}",
            f"backbone.width={self.width}",
            f"train.epochs={epochs}",
            f"train.images_per_batch={max(8, min(recipe.train.images_per_batch, images // 16))}",
        ]
        if recipe.train.schedule.name == "steps":
            at = [epoch * epochs / recipe.train.epochs for epoch in recipe.train.schedule.at_epochs]
            found.append(f"train.schedule.at_epochs={at}")
        return found

    def shrink(self, source: Source) -> Source:
        """A source with that share of the validation and test images; training is shrunk by the
        recipe."""
        if self.full or source.validation is None:
            return source
        test = source.test
        validation = source.validation.draw(max(100, round(len(source.validation) * self.images)))
        small = None if test is None else test.draw(max(100, round(len(test) * self.images)))
        return Source(source.name, source.train, validation, source.skipped, lambda: small)

    def labels(self, count: int | None) -> int | None:
        """K images of each class at this scale."""
        return None if count is None else max(1, round(count * self.images))
