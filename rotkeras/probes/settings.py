"""How trained probes learn: the published schedules, and short ones for a laptop."""

from dataclasses import dataclass, replace

from rotkeras.arguments.accepted import NotNegativeNumber, Positive, PositiveNumber, Text
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError, nearest


@checked
@dataclass(frozen=True)
class Settings:
    """SGD with Nesterov momentum 0.9, weight decay in the gradient, and a learning rate that falls
    in steps.

    Attributes:
        budget: what to call these settings wherever their numbers appear.
        epochs: how many.
        at_epochs: where the learning rate is multiplied by `factor`.
        learning_rate: the first.
        augment_frozen: whether images are augmented as in pre-training for a frozen backbone too;
            without, its features are computed once and kept. For a backbone that trains they always
            are.
        epoch_images: least images in an epoch; fewer labelled images are repeated, each time
            augmented anew.
        images_per_batch: of a step.
        weight_decay: times the weight joins its gradient.
        factor: see `at_epochs`.
    """

    budget: Text
    epochs: Positive
    at_epochs: tuple[NotNegativeNumber, ...]
    learning_rate: PositiveNumber = 0.1
    augment_frozen: bool = True
    epoch_images: Positive = 50_000
    images_per_batch: Positive = 128
    weight_decay: NotNegativeNumber = 5e-4
    factor: PositiveNumber = 0.2

    def scaled(self, epochs: float, images: float = 1.0) -> "Settings":
        """The same schedule in a share of its epochs, five at least, on a share of the images;
        marked in `budget`.

        Batches shrink with the images, so that an epoch still has 32 steps and even a small walk
        learns something.
        """
        count = min(self.epochs, max(5, round(self.epochs * epochs)))
        epoch_images = max(1, round(self.epoch_images * images))
        return replace(
            self,
            budget=f"{self.budget}×{epochs:g}" + (f"×{images:g}" if images != epochs else ""),
            epochs=count,
            at_epochs=tuple(epoch * count / self.epochs for epoch in self.at_epochs),
            epoch_images=epoch_images,
            images_per_batch=min(self.images_per_batch, max(8, epoch_images // 32)),
        )


PUBLISHED = {
    "linear": Settings("published", 35, (5, 15, 25), learning_rate=0.01),
    "nonlinear": Settings("published", 50, (20, 40, 45)),
    "conv": Settings("published", 100, (35, 70, 85)),
    "supervised": Settings("published", 200, (60, 120, 160)),
    "global-linear": Settings(
        "published",
        520,
        (480, 500),
        images_per_batch=2048,
        learning_rate=0.8,
        weight_decay=0.0,
        factor=0.1,
    ),
}
"""Gidaris et al., ICLR 2018, and their published code; an epoch of few labels is still 50 000
samples. global-linear: Kolesnikov et al., CVPR 2019, whose long schedule reaches what L-BFGS
does."""

FAST = {
    "linear": Settings(
        "fast", 10, (3, 6, 8), learning_rate=0.01, augment_frozen=False, epoch_images=4096
    ),
    "nonlinear": Settings("fast", 10, (4, 8, 9), augment_frozen=False, epoch_images=4096),
    "conv": Settings("fast", 10, (4, 7, 9), augment_frozen=False, epoch_images=4096),
    "global-linear": Settings(
        "fast", 30, (24, 27), augment_frozen=False, epoch_images=4096, weight_decay=0.0, factor=0.1
    ),
    # Few labels need the augmentation most, and their epochs are short.
    "linear, few labels": Settings("fast", 20, (6, 12, 16), learning_rate=0.01, epoch_images=4096),
    "nonlinear, few labels": Settings("fast", 20, (8, 16, 18), epoch_images=4096),
    "conv, few labels": Settings("fast", 20, (8, 14, 18), epoch_images=4096),
    "supervised": Settings("fast", 20, (8, 14, 18), epoch_images=4096),
}
"""For two cores: fewer epochs, and with all labels frozen features without augmentation, which are
computed once."""

BUDGETS = {"fast": FAST, "published": PUBLISHED}


def settings_for(
    budget: str | Settings,
    probe: str,
    supervised: bool = False,
    few_labels: bool = False,
    scale: tuple[float, float] = (1.0, 1.0),
) -> Settings:
    """The settings of a probe under a budget.

    Args:
        budget: "fast", "published", or settings, which are given back as they are.
        probe: "linear", "nonlinear" or "conv".
        supervised: whether the whole network learns from scratch, which has a schedule of its own.
        few_labels: whether only some images of each class have labels.
        scale: shares of epochs and images, see `Settings.scaled`.

    Raises:
        UserError: for another name.
    """
    if isinstance(budget, Settings):
        return budget
    if budget not in BUDGETS:
        raise UserError(
            f"budget must be fast or published, got {budget!r}; {nearest(budget, BUDGETS)}"
        )
    table = BUDGETS[budget]
    name = "supervised" if supervised else probe
    found = table.get(f"{name}, few labels", table[name]) if few_labels else table[name]
    return found if scale == (1.0, 1.0) else found.scaled(*scale)
