"""Does pre-training improve accuracy on these images: pre-trained against from scratch at few
labels, with intervals and cost."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rotkeras.data import Source
from rotkeras.errors import UserError
from rotkeras.evaluate.intervals import mean_margin, share_margin
from rotkeras.evaluate.options import Options
from rotkeras.text import clock

CANDIDATES = (5, 20, 100, 400)
METHODS = {"scratch": ("scratch", "conv"), "conv": ("frozen", "conv"), "ridge": ("frozen", "ridge")}
"""What is compared: the supervised network, and two probes of the frozen pre-trained backbone."""

LEAST_IMAGES = 50
"""With fewer test images the interval of an accuracy is wider than ±14 points, and no comparison is
made."""


def label_counts(source: Source, wanted: Sequence[int] = ()) -> tuple[int, ...]:
    """Numbers of labels per class to compare at: those wanted, or 5, 20, 100 and 400 as far as the
    smallest class goes.

    Args:
        source: labelled images.
        wanted: requested numbers.

    Raises:
        UserError: without labels, or when a class has fewer images than that.
    """
    labels = source.train.labels
    if labels is None:
        raise UserError(
            "worth-it compares with supervised training, which needs labels, and these images have"
            " none; give labelled images with --labelled."
        )
    for count in wanted:
        source.train.per_class(count)
    smallest = int(np.unique(labels, return_counts=True)[1].min())
    return tuple(wanted) or tuple(count for count in CANDIDATES if count <= smallest) or (smallest,)


def options(counts: Sequence[int], seeds: int, budget: str, tap: str | None) -> list[Options]:
    """The evaluations that the comparison needs; each seed draws labels of its own, the same for
    every method."""
    taps = (tap,) if tap else None
    shared: dict[str, Any] = {
        "labels_per_class": tuple(counts),
        "draw": "seeded",
        "seeds": tuple(range(seeds)),
        "budget": budget,
    }
    return [
        Options(probes=("ridge", "conv"), modes=("frozen",), taps=taps, **shared),
        Options(probes=("conv",), modes=("scratch",), taps=taps, **shared),
    ]


def compare(
    content: dict[str, Any],
    counts: Sequence[int],
    seeds: int,
    budget: str,
    tap: str,
    seconds: float,
) -> dict[str, Any]:
    """Pre-trained against from scratch, from the rows of an evaluation.

    Args:
        content: of an evaluation file that holds the rows of `options`.
        counts: labels per class.
        seeds: how many.
        budget: of trained probes.
        tap: where the probes are.
        seconds: of pre-training.

    Returns:
        {"part", "images", "counts": {K: {"methods": {name: mean, margin, seconds}, "gain",
        "gain_margin", "significant"}}, "verdict"}; accuracies in 0 … 1. The gain is that of the
        conv probe over training from scratch, paired by seed, so that both had the same labels;
        "significant" is whether its 95 % interval excludes 0. The interval joins that over seeds
        (Student's t) and that of the images. With one seed it is always false, because drawn labels
        differ.
    """
    found = {
        count: {
            name: [_row(content, mode, probe, count, seed, budget, tap) for seed in range(seeds)]
            for name, (mode, probe) in METHODS.items()
        }
        for count in counts
    }
    part = (
        "test"
        if all(
            row["test"] for of_count in found.values() for rows in of_count.values() for row in rows
        )
        else "validation"
    )
    images = content["images"][part]
    compared: dict[int, Any] = {}
    for count, rows in found.items():
        methods = {}
        for name, of_seeds in rows.items():
            mean, margin = mean_margin([row[part]["accuracy"] for row in of_seeds])
            methods[name] = {
                "mean": mean,
                "margin": share_margin(mean, images) if margin is None else margin,
                "seconds": sum(row["seconds"] for row in of_seeds) / seeds,
            }
        differences = [
            a[part]["accuracy"] - b[part]["accuracy"]
            for a, b in zip(rows["conv"], rows["scratch"], strict=True)
        ]
        gain, gain_margin = mean_margin(differences)
        # Seeds share the test images, so their spread does not contain the variance of the images:
        # both are added, the part of the images as if the errors of the two methods were
        # independent, which overestimates it.
        of_images = [share_margin(methods[name]["mean"], images) for name in ("conv", "scratch")]
        gain_margin = math.hypot(gain_margin or 0.0, *of_images)
        significant = images >= LEAST_IMAGES and seeds > 1 and abs(gain) > gain_margin
        compared[count] = {
            "methods": methods,
            "gain": gain,
            "gain_margin": gain_margin,
            "significant": significant,
        }
    return {
        "part": part,
        "images": images,
        "seeds": seeds,
        "budget": budget,
        "tap": tap,
        "pretraining_seconds": seconds,
        "counts": compared,
        "verdict": verdict(compared, images, seeds, seconds),
    }


def verdict(compared: dict[int, Any], images: int, seeds: int, seconds: float) -> str:
    """The result in one sentence."""
    if images < LEAST_IMAGES:
        return (
            f"Too few images to compare: accuracy is measured on {images} images, and at least"
            f" {LEAST_IMAGES} are needed. Add labelled images to the validation or test set."
        )
    if seeds == 1:
        return (
            "One seed cannot show a difference, because draws of labels differ. Use --seeds 3"
            f" (pre-training took {clock(seconds)}, once)."
        )
    significant = {count: each for count, each in compared.items() if each["significant"]}
    cost = f"pre-training took {clock(seconds)}, once"

    def points(counts: Sequence[int]) -> str:
        return ", ".join(
            f"{100 * abs(significant[count]['gain']):.1f} ±"
            f" {100 * significant[count]['gain_margin']:.1f} points at {count} labels per class"
            for count in counts
        )

    better = [count for count in significant if significant[count]["gain"] > 0]
    worse = [count for count in significant if significant[count]["gain"] < 0]
    if not significant:
        widest = 100 * max(each["gain_margin"] for each in compared.values())
        return (
            f"Pre-training made no measurable difference with {seeds} seeds: the 95 % interval of"
            f" the gain is up to ±{widest:.1f} points. Use more --seeds or label more images"
            f" ({cost})."
        )
    if better and worse:
        return (
            f"Pre-training improved accuracy by {points(better)}, and reduced it by"
            f" {points(worse)}; {cost}."
        )
    if better:
        rest = [str(count) for count in compared if count not in significant]
        tail = f"; no measurable difference at {', '.join(rest)}" if rest else ""
        return f"Pre-training improved accuracy by {points(better)}{tail}; {cost}."
    return (
        f"Pre-training reduced accuracy by {points(worse)}; pre-train longer, or on more images"
        f" ({cost})."
    )


def _row(
    content: dict[str, Any], mode: str, probe: str, count: int, seed: int, budget: str, tap: str
) -> dict[str, Any]:
    key = {
        "tap": tap,
        "probe": probe,
        "mode": mode,
        "labels_per_class": count,
        "draw": "seeded",
        "seed": seed,
    }
    found: dict[str, Any] = next(
        row
        for row in content["rows"]
        if all(row[name] == value for name, value in key.items())
        and row["budget"] in (budget, "closed form")
    )
    return found
