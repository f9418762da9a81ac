"""What to evaluate: probes, taps, modes, labels and seeds; and the units of work that it comes
to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from rotkeras.arguments.accepted import Budget, NotNegative, Positive, ProbeName, Seed, Share, Text
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError, must, nearest
from rotkeras.evaluate.names import MODE_NAMES, MODES
from rotkeras.probes.fits import check_name, is_trained
from rotkeras.probes.settings import Settings, settings_for

Mode = Literal["frozen", "fine_tuned", "random", "scratch"]
CLOSED_FORM = "closed form"
PATCH_CROP = 0.75
"""Share of the sides that patches make up together, where nothing is said."""
ALL_PROBES = ("ridge", "knn-20", "knn-200", "linear", "nonlinear", "conv")


@checked
@dataclass(frozen=True)
class Options:
    """What to evaluate.

    Attributes:
        probes: names of probes; "knn" means knn-20 and knn-200.
        modes: of "frozen", "fine_tuned", "random", "scratch".
        taps: those to probe; None for all, or the default tap where a backbone trains or labels are
            few.
        labels_per_class: numbers K of labelled images of each class; None for all.
        draw: "first" takes the first K of each class, as published; "seeded" draws them.
        seeds: of probes, untrained networks and draws.
        budget: "fast" or "published".
        scale: shares of the budget's epochs and images.
        patches: along each side; features are then the mean over the patches of an image
            (`rotkeras.evaluate.patches`), after the published evaluation of tasks of tiles. 0 for
            whole images.
        patch_crop: share of the sides that the patches make up together, 0.75 if None; for patches.
        patch_standardize: whether patches get one mean and deviation; None for what the task of the
            run does with its tiles; for patches.
    """

    probes: Annotated[tuple[ProbeName | Literal["knn"], ...], Field(min_length=1)] = ALL_PROBES
    modes: Annotated[tuple[Mode, ...], Field(min_length=1)] = ("frozen", "random")
    taps: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    labels_per_class: Annotated[tuple[Positive | None, ...], Field(min_length=1)] = (None,)
    draw: Literal["first", "seeded"] = "first"
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    budget: Budget = "fast"
    scale: tuple[Share, Share] = (1.0, 1.0)
    patches: NotNegative = 0
    patch_crop: Share | None = None
    patch_standardize: bool | None = None

    def __post_init__(self) -> None:
        expanded = [
            name
            for probe in self.probes
            for name in (("knn-20", "knn-200") if probe == "knn" else (probe,))
        ]
        object.__setattr__(self, "probes", tuple(dict.fromkeys(expanded)))
        for probe in self.probes:
            check_name(probe)
        for mode in self.modes:
            if mode not in MODES:
                raise UserError(f"There is no mode {mode!r}; {nearest(mode, MODES)}")
        if self.patch_standardize is not None and not self.patches:
            raise must(
                "patch_standardize",
                "be None without patches",
                self.patch_standardize,
                "set patches",
            )
        settings_for(self.budget, "conv")
        if self.patch_crop is not None and not self.patches:
            raise UserError(
                f"patch_crop needs patches, got patch_crop={self.patch_crop} and patches=0; give"
                " patches=3 (--patches 3), or leave patch_crop out."
            )
        if self.taps is not None:
            object.__setattr__(self, "taps", tuple(dict.fromkeys(self.taps)))
        trains = [mode for mode in self.modes if mode in ("fine_tuned", "scratch")]
        if trains and not any(is_trained(probe) for probe in self.probes):
            raise UserError(
                f"A backbone that trains ({', '.join(trains)}) needs a probe that is trained:"
                f" linear, nonlinear or conv, got {', '.join(self.probes)}."
            )

    @property
    def of_patches(self) -> "Patches | None":
        """The patches that features are averaged over; None for whole images."""
        if not self.patches:
            return None
        crop = PATCH_CROP if self.patch_crop is None else self.patch_crop
        return Patches(self.patches, crop, bool(self.patch_standardize))

    def settings(self, probe: str, mode: str, labels_per_class: int | None) -> Settings:
        """How a trained probe learns under these options."""
        return settings_for(
            self.budget, probe, mode == "scratch", labels_per_class is not None, self.scale
        )


@dataclass(frozen=True)
class Patches:
    """Patches of an image, over which features are averaged.

    Attributes:
        grid: along each side.
        crop: share of the sides that they make up together.
        standardize: whether each gets one mean and deviation.
    """

    grid: int
    crop: float
    standardize: bool = False

    def __str__(self) -> str:
        words = f"{self.grid}×{self.grid} of {100 * self.crop:g} %"
        return f"{words}, standardised" if self.standardize else words


@dataclass(frozen=True)
class Unit:
    """One fit: a probe on one or several taps of one network with one set of labels."""

    probe: str
    mode: str
    labels_per_class: int | None
    draw: str
    seed: int
    taps: tuple[str, ...]
    settings: Settings | None = None
    patches: Patches | None = None

    @property
    def epochs(self) -> int:
        """Of a trained probe; 0 for one in closed form."""
        return self.settings.epochs if self.settings else 0

    @property
    def budget(self) -> str:
        """What the settings are called."""
        return self.settings.budget if self.settings else CLOSED_FORM

    @property
    def trainable(self) -> bool:
        """Whether the backbone learns too."""
        return self.mode in ("fine_tuned", "scratch")

    @property
    def cost(self) -> int:
        """Roughly how long it takes, in epochs of a frozen backbone."""
        return max(1, self.epochs) * (5 if self.trainable else 1)

    def title(self) -> str:
        """The unit in a few words."""
        labels = (
            "" if self.labels_per_class is None else f", {self.labels_per_class} labels per class"
        )
        return f"{self.name}, {MODE_NAMES[self.mode]}{labels}, seed {self.seed}"

    @property
    def name(self) -> str:
        """The probe as rows name it: "ridge", or "ridge, 3×3 of 75 %" on patches, so that rows of
        patches are never taken for rows of whole images."""
        return self.probe if self.patches is None else f"{self.probe}, {self.patches}"

    def row(self, tap: str) -> dict[str, object]:
        """What makes the row of one tap that row, and no other."""
        of_patches = (
            {}
            if self.patches is None
            else {"patches": {"probe": self.probe, **asdict(self.patches)}}
        )
        return {
            "tap": tap,
            "probe": self.name,
            **of_patches,
            "mode": self.mode,
            "labels_per_class": self.labels_per_class or "all",
            "draw": self.draw,
            "seed": self.seed,
            "budget": self.budget,
            "settings": (
                {**asdict(self.settings), "at_epochs": list(self.settings.at_epochs)}
                if self.settings
                else None
            ),
        }


def with_the_patches_of(task: Any, options: Options) -> Options:
    """The options with patches that are standardised if the tiles of the task are, where they do
    not say it themselves.

    Args:
        task: of a recipe, with its settings.
        options: what to evaluate.
    """
    if not options.patches or options.patch_standardize is not None:
        return options
    return replace(options, patch_standardize=bool(getattr(task, "standardize", False)))


def plan(options: Options, taps: Sequence[str], default_tap: str) -> list[Unit]:
    """The units of work of the options: networks in turn, cheap probes first.

    Args:
        options: what is wanted.
        taps: those of the network.
        default_tap: the one for backbones that train and for few labels, when none is named.
    """
    units: dict[Unit, None] = {}
    order = list(MODES)
    for mode in sorted(
        options.modes, key=lambda each: (each in ("fine_tuned", "scratch"), order.index(each))
    ):
        for seed in options.seeds:
            for labels in options.labels_per_class:
                for probe in sorted(options.probes, key=is_trained):
                    units |= dict.fromkeys(
                        _units(options, mode, seed, labels, probe, taps, default_tap)
                    )
    return list(units)


def _units(
    options: Options,
    mode: str,
    seed: int,
    labels: int | None,
    probe: str,
    taps: Sequence[str],
    default_tap: str,
) -> list[Unit]:
    trains = mode in ("fine_tuned", "scratch")
    if trains and not is_trained(probe):
        return []
    draw = "all" if labels is None else options.draw
    if not is_trained(probe) and mode == "frozen" and draw != "seeded" and seed != options.seeds[0]:
        return []  # nothing in it is drawn: every seed would give the same number
    chosen = options.taps or ((default_tap,) if trains or labels is not None else tuple(taps))
    settings = options.settings(probe, mode, labels) if is_trained(probe) else None
    groups = [(tap,) for tap in chosen] if trains else [tuple(chosen)]
    return [
        Unit(probe, mode, labels, draw, seed, group, settings, options.of_patches)
        for group in groups
    ]
