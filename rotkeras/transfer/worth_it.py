"""Does pre-training improve a fine-tuning: the same one from a pre-trained encoder and from
scratch, paired by draws of training images."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rotkeras.evaluate.evaluation import weights_digest
from rotkeras.evaluate.intervals import mean_margin
from rotkeras.files import read_json, write_json
from rotkeras.text import clock
from rotkeras.transfer.base import Goal, Labelled
from rotkeras.transfer.bootstrap import interval
from rotkeras.transfer.encoder import Encoder
from rotkeras.transfer.finetune import fine_tune, image_size
from rotkeras.transfer.run import draw_train
from rotkeras.transfer.settings import FineTuning

LEAST_IMAGES = 50
"""With fewer test images no comparison is made, as in `rotkeras worth-it` of probes."""

_DRAWS = 200


def compare(
    recipe: FineTuning,
    goal: Goal,
    encoder: Encoder,
    labelled: Labelled,
    counts: Sequence[int | None],
    seeds: int,
    path: Path,
    *,
    callbacks: Callable[[str], Sequence[Any]] = lambda _title: (),
    tell: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Fine-tune pre-trained and from scratch, with the same images, settings and seed.

    Args:
        recipe: the settings of both.
        goal: of its task.
        encoder: pre-trained; from scratch is its network with newly drawn weights.
        labelled: all images.
        counts: how many are kept for training: of each class for classify, else in all; None keeps
            all.
        seeds: how many; each draws images, weights and order of its own.
        path: a JSON file that gets each pair when it is done; pairs of the same settings, weights
            and images that are in it are not made again, and others are kept.
        callbacks: gives callbacks for a fine-tuning, by its title.
        tell: called with a line for each pair.

    Returns:
        {"score", "images", "seeds", "pretraining_seconds", "counts": {count: {"pretrained",
        "scratch", "gain", "margin", "significant", "training_images"}}, "verdict"}; scores in
        0 … 1. The margin of a gain joins the 95 % interval over seeds (Student's t) and that of a
        paired bootstrap over test images.
    """
    kept: list[dict[str, Any]] = read_json(path)["rows"] if path.is_file() else []
    about = _about(recipe, encoder, labelled)
    rows = [row for row in kept if row["about"] == about]
    others = [row for row in kept if row["about"] != about]
    for count in counts:
        for seed in range(seeds):
            if any(row["count"] == count and row["seed"] == seed for row in rows):
                continue
            row = _pair(recipe, goal, encoder, labelled, count, seed, callbacks)
            rows.append({**row, "about": about})
            write_json(path, {"rows": [*others, *rows]})
            tell(
                f"{_words(goal, count)}, seed {seed}: {goal.score.short}"
                f" {100 * row['pretrained']:.1f} % pre-trained, {100 * row['scratch']:.1f} % from"
                f" scratch ({clock(row['seconds'])})"
            )
    images = len(labelled.test)
    compared = {}
    for count in counts:
        of_count = [row for row in rows if row["count"] == count and row["seed"] < seeds]
        gain, of_seeds = mean_margin([row["pretrained"] - row["scratch"] for row in of_count])
        of_images = sum(row["margin"] for row in of_count) / len(of_count)
        margin = math.hypot(of_seeds or 0.0, of_images)
        compared[str(count or "all")] = {
            "pretrained": mean_margin([row["pretrained"] for row in of_count]),
            "scratch": mean_margin([row["scratch"] for row in of_count]),
            "gain": gain,
            "margin": margin,
            "significant": images >= LEAST_IMAGES and seeds > 1 and abs(gain) > margin,
            "training_images": of_count[0]["training_images"],
        }
    result = {
        "task": goal.name,
        "score": goal.score.words,
        "images": images,
        "seeds": seeds,
        "encoder": encoder.name,
        "pretraining_seconds": encoder.seconds,
        "counts": compared,
        "verdict": verdict(goal, compared, images, seeds, encoder.seconds),
    }
    write_json(path, {"rows": [*others, *rows], **result})
    return result


def _pair(
    recipe: FineTuning,
    goal: Goal,
    encoder: Encoder,
    labelled: Labelled,
    count: int | None,
    seed: int,
    callbacks: Callable[[str], Sequence[Any]],
) -> dict[str, Any]:
    """One draw of images, learned twice."""
    train = recipe.train.model_copy(update={"seed": seed})
    key = "labels_per_class" if goal.name == "classify" else "train_images"
    data = recipe.data.model_copy(
        update={"labels_per_class": None, "train_images": None, key: count}
    )
    drawn = recipe.model_copy(update={"train": train, "data": data})
    images = draw_train(drawn, labelled, seed)
    size = image_size(recipe, encoder)
    part, names = labelled.test, labelled.class_names
    found, seconds = {}, 0.0
    for name, begun in (("pretrained", encoder), ("scratch", encoder.untrained(seed))):
        title = f"{_words(goal, count)}, seed {seed}, {name}"
        made = fine_tune(drawn, goal, begun, images, callbacks=callbacks(title), test=False)
        found[name] = goal.predict(made.network, part, size)
        seconds += made.seconds
    judged = {name: goal.judge(each, part, names) for name, each in found.items()}
    scores = {name: goal.evaluate(each, names).score for name, each in judged.items()}

    def gain(rows: Any) -> float:
        first, second = (goal.evaluate(each, names, rows).score for each in judged.values())
        return first - second

    low, high = interval(gain, len(part), _DRAWS, seed)
    return {
        "count": count,
        "seed": seed,
        **scores,
        "margin": (high - low) / 2,
        "seconds": seconds,
        "training_images": len(images.train),
    }


def _about(recipe: FineTuning, encoder: Encoder, labelled: Labelled) -> dict[str, Any]:
    """What a pair depends on, besides count and seed: settings, weights and images."""
    content: dict[str, Any] = recipe.model_dump(
        mode="json", exclude={"name": True, "export": True, "encoder": True, "train": {"seed"}}
    )
    return {**content, "weights": weights_digest(encoder.network), **labelled.digests()}


def _words(goal: Goal, count: int | None) -> str:
    if count is None:
        return "all training images"
    return f"{count} labels per class" if goal.name == "classify" else f"{count} training images"


def verdict(
    goal: Goal,
    compared: dict[str, Any],
    images: int,
    seeds: int,
    seconds: float | None,
) -> str:
    """The result in one sentence."""
    cost = "" if seconds is None else f"; pre-training took {clock(seconds)}, once"
    if images < LEAST_IMAGES:
        return (
            f"Too few images to compare: {goal.score.short} is measured on {images} images, and at"
            f" least {LEAST_IMAGES} are needed."
        )
    if seeds == 1:
        return f"One seed cannot show a difference, because draws differ. Use --seeds 3{cost}."

    def points(keys: Sequence[str]) -> str:
        return ", ".join(
            f"{100 * abs(compared[key]['gain']):.1f} ± {100 * compared[key]['margin']:.1f} points"
            f" with {_words(goal, None if key == 'all' else int(key))}"
            for key in keys
        )

    better = [key for key, each in compared.items() if each["significant"] and each["gain"] > 0]
    worse = [key for key, each in compared.items() if each["significant"] and each["gain"] < 0]
    rest = [key for key in compared if key not in better and key not in worse]
    tail = ""
    if rest and len(rest) < len(compared):
        tail = "; no measurable difference with " + ", ".join(
            _words(goal, None if key == "all" else int(key)) for key in rest
        )
    if better and worse:
        return (
            f"Pre-training improved {goal.score.short} by {points(better)}, and reduced it by"
            f" {points(worse)}{tail}{cost}."
        )
    if better:
        return f"Pre-training improved {goal.score.short} by {points(better)}{tail}{cost}."
    if worse:
        return f"Pre-training reduced {goal.score.short} by {points(worse)}{tail}{cost}."
    widest = 100 * max(each["margin"] for each in compared.values())
    return (
        f"Pre-training made no measurable difference with {seeds} seeds: the 95 % interval of the"
        f" gain is up to ±{widest:.1f} points{cost}."
    )
