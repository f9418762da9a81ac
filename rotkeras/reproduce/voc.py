"""Transfer to PASCAL VOC: the published table, and fine-tunings of a run beside it.

Figures from Gidaris, Singh, Komodakis, ICLR 2018, table 7, which lists those of other methods from
their papers: AlexNet pre-trained on ImageNet; classification (mean average precision, VOC
2007) with fc6 to fc8 trained and with all layers trained, detection by Fast R-CNN (VOC 2007),
segmentation by FCN (mean IoU, VOC 2012).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError
from rotkeras.evaluate.evaluation import weights_digest
from rotkeras.files import read_json, write_text
from rotkeras.recipe.files import load_kind
from rotkeras.transfer.encoder import load_encoder
from rotkeras.transfer.run import run_fine_tuning
from rotkeras.transfer.settings import FineTuning, load_recipe

COLUMNS = ("classification, head", "classification, all", "detection", "segmentation")

PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "ImageNet labels": (78.9, 79.9, 56.8, 48.0),
    "from scratch": (None, 53.3, 43.4, 19.8),
    "context encoder": (34.6, 56.5, 44.5, 29.7),
    "BiGAN": (52.3, 60.1, 46.9, 34.9),
    "colorization": (61.5, 65.6, 46.9, 35.6),
    "split-brain": (63.0, 67.1, 46.7, 36.0),
    "jigsaw": (None, 67.6, 53.2, 37.6),
    "rotation": (70.87, 72.97, 54.4, 39.1),
}
"""Percent, by method."""

NOTE = (
    "The published detector and segmenter are Fast R-CNN and FCN; here they are RetinaNet and"
    " DeepLabV3+, which need taps at strides 4 to 32 (AlexNet has none): these two columns are no"
    " match of the paper's. Classification trains on 95 % of trainval, because the rest chooses the"
    " epoch, and 'head' is one dense layer on pooled features instead of fc6 to fc8. The column"
    " 'all' comes nearest to the paper's, with AlexNet pre-trained on ImageNet at scale 1."
)
_LEAST_SIDE = 96


@dataclass(frozen=True)
class Column:
    """One fine-tuning of the table.

    Attributes:
        name: of the column.
        recipe: that it follows.
        overrides: of the recipe.
        data: which set: "voc07", "voc07-boxes" or "voc12".
    """

    name: str
    recipe: str
    overrides: tuple[str, ...]
    data: str


FINE_TUNINGS = (
    Column(COLUMNS[0], "voc07-classify", ("train.encoder=frozen",), "classify"),
    Column(COLUMNS[1], "voc07-classify", (), "classify"),
    Column(COLUMNS[2], "voc07-detect", (), "detect"),
    Column(COLUMNS[3], "voc12-segment", (), "segment"),
)


def reproduce_voc(
    run: str,
    sets: dict[str, str],
    folder: Path,
    scale: float,
    overrides: Sequence[str],
    tell: Callable[[str], None],
    callbacks: Callable[[Any, Any], Sequence[Any]] = lambda _goal, _labelled: (),
) -> tuple[list[dict[str, Any]], Path]:
    """Fine-tune a run to each column whose set is given, and write the table.

    Args:
        run: a run folder, a `.keras` file, or "none".
        sets: "classify", "detect" and "segment" -> path of the set.
        folder: where fine-tunings and the table go; those that are there are not made again.
        scale: share of the epochs; sides of images are multiplied by its square root.
        overrides: more changes to all recipes.
        tell: called with lines for people.
        callbacks: more Keras callbacks for each, of goal and images.

    Returns:
        (rows of {"column", "score", "low", "high", "images"}, path of the Markdown table).

    Raises:
        UserError: for a fine-tuning in the folder that is another one, and where no column can be
            made.
    """
    found: list[dict[str, Any]] = []
    path = folder / f"table-voc-{Path(run).name}-{scale:g}.md"
    for number, column in enumerate(FINE_TUNINGS):
        if column.data not in sets:
            tell(f"{column.name}: left out, no set is given")
            continue
        place = folder / f"table-voc-{Path(run).name}-{scale:g}-{number}"
        changed = [*shrunk(column.recipe, scale), *column.overrides, *overrides, "export=null"]
        recipe = load_recipe(column.recipe, sets[column.data], run, changed)
        if (place / "summary.json").is_file():
            _check_same(place, recipe)
        else:
            tell(f"\n{column.name}: {column.recipe}")
            try:
                run_fine_tuning(recipe, place, tell=tell, begun=callbacks)
            except UserError as error:  # such as AlexNet, which has no tap at stride 32
                tell(f"{column.name}: left out. {error}")
                continue
        test = read_json(place / "summary.json")["test"]
        found.append({"column": column.name, **{key: test[key] for key in _KEPT}})
        write_text(path, as_markdown(found, Path(run).name, scale))
    if not found:
        raise UserError(
            f"No column of the table could be made with {run}; the lines above say why."
        )
    return found, path


def _check_same(place: Path, recipe: FineTuning) -> None:
    """Raise a `UserError` for a fine-tuning that is there and is another one."""
    there = load_kind(FineTuning, place / "recipe.yaml")
    encoder = load_encoder(
        recipe.encoder, recipe.backbone, recipe.data.image_size, recipe.train.seed
    )
    weights = read_json(place / "summary.json").get("encoder_digest")
    if there != recipe or weights != weights_digest(encoder.network):
        raise UserError(
            f"{place} holds a fine-tuning with other settings, images or weights. Name another"
            " folder with --out, or remove it."
        )


_KEPT = ("score", "low", "high", "images")


def shrunk(name: str, scale: float) -> list[str]:
    """What a scale changes in a recipe, as `--set` takes it."""
    if scale == 1:
        return []
    recipe = load_recipe(name)
    size: Any = recipe.data.image_size
    side = max(_LEAST_SIDE, 32 * round(size * scale**0.5 / 32))
    epochs = max(1, round(recipe.train.epochs * scale))
    changed = [f"data.image_size={side}", f"train.epochs={epochs}"]
    schedule: Any = recipe.train.schedule
    if schedule.name == "steps":
        at = [each * epochs / recipe.train.epochs for each in schedule.at_epochs]
        changed.append(f"train.schedule.at_epochs={at}")
    if schedule.warmup_epochs:
        changed.append(f"train.schedule.warmup_epochs={schedule.warmup_epochs * scale}")
    return changed


def as_markdown(found: Sequence[dict[str, Any]], name: str, scale: float) -> str:
    """The published rows and ours, in percent."""
    ours = {row["column"]: row for row in found}
    lines = ["# Transfer to PASCAL VOC", ""]
    if scale != 1:
        lines += [f"**Run at scale {scale:g}: not compared with the paper.**", ""]
    lines += ["| pre-training | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for method, values in PUBLISHED.items():
        cells = ["–" if value is None else f"{value:.1f}" for value in values]
        lines.append(f"| {method} (published) | " + " | ".join(cells) + " |")
    cells = [
        (
            f"{100 * ours[each]['score']:.1f}"
            f" ({100 * ours[each]['low']:.1f} … {100 * ours[each]['high']:.1f})"
        )
        if each in ours
        else "–"
        for each in COLUMNS
    ]
    lines.append(f"| **{name}** (here) | " + " | ".join(cells) + " |")
    lines += ["", "In brackets: the 95 % interval of a bootstrap over test images.", "", NOTE]
    return "\n".join(lines) + "\n"
