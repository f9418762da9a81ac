"""Which of several files to take: all are made and proven, and a table decides."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotkeras.arguments.accepted import Aim
from rotkeras.export.compare import proves
from rotkeras.export.profiles import CANDIDATES, PROFILES, Profile
from rotkeras.recipe.models import Export

AUTO = "auto"
_SAME_SIZE, _SAME_SPEED = 1.02, 1.10
"""Within these ratios of the best, the file that lost less is taken."""
_SLOWEST = 3.0
"""A file that takes more than so many times as long as float32 is not taken for any aim: 16-bit
activations save no byte beside other files of int8 weights, and take tens of times as long."""


def candidates(settings: Export, images: int) -> tuple[list[Profile], dict[str, str]]:
    """The profiles that `auto` compares, and why others are left out.

    Args:
        settings: of the export.
        images: training images that may set the ranges of activations.

    Returns:
        (profiles, {profile: why it is left out}); ([], {}) where the settings do not ask for auto.
    """
    if AUTO not in settings.profiles:
        return [], {}
    chosen: list[Profile] = []
    left_out: dict[str, str] = {}
    for name in CANDIDATES:
        kind = PROFILES[name]
        if kind.numbers == "int8" and settings.l2_normalization:
            left_out[name] = "int8 rounds the square root of l2_normalization"
        elif kind.calibrated and images < settings.calibration_images:
            left_out[name] = (
                f"calibrated on {settings.calibration_images} training images, and {images} are"
                " free"
            )
        else:
            chosen.append(kind)
    return chosen, left_out


@dataclass(frozen=True)
class Recommendation:
    """The file to take.

    Attributes:
        profile: its name.
        why: a sentence with its figures beside those of float32.
        losing: profiles that lose more than is allowed.
        undecided: profiles that were passed over, for aim accuracy, because the images are too few
            to exclude a loss of more than is allowed.
    """

    profile: str
    why: str
    losing: tuple[str, ...]
    undecided: tuple[str, ...]


def recommend(
    records: Mapping[str, Mapping[str, Any]], aim: Aim, max_drop: float
) -> Recommendation:
    """The profile to take for an aim.

    Args:
        records: profile -> its part of `verify.json`; float32 is one of them.
        aim: size takes the smallest file and speed the fastest, of those of which no probe loses
            more than `max_drop` as measured; accuracy takes the smallest of those where the images
            exclude a drop of more than `max_drop`. A file that takes more than three times as long
            as float32 is never taken. Of files within 2 % of the smallest, or 10 % of
            the fastest, the one that may have lost least is taken: by the upper end of the interval
            of its worst probe, and then by its cosine, where it has one.
        max_drop: percentage points.
    """
    losing = tuple(name for name in records if not _keeps(records[name], max_drop))
    longest = _SLOWEST * records["float32"]["milliseconds"]
    left = [
        name
        for name in records
        if name not in losing and (name == "float32" or records[name]["milliseconds"] <= longest)
    ]
    undecided: tuple[str, ...] = ()
    if aim == "accuracy":
        undecided = tuple(name for name in left if not _proven(records[name], max_drop))
        left = [name for name in left if name not in undecided] or ["float32"]
        undecided = tuple(name for name in undecided if name not in left)
    key, same = ("milliseconds", _SAME_SPEED) if aim == "speed" else ("bytes", _SAME_SIZE)
    least = min(records[name][key] for name in left)
    best = max(
        (name for name in left if records[name][key] <= same * least),
        key=lambda name: (
            -_upper_end(records[name]),
            records[name].get("agreement", {}).get("cosine", 0.0),
        ),
    )
    why = _why(records, best)
    if aim == "accuracy" and not _proven(records[best], max_drop):
        why = f"no file is proven, and this one computes as Keras does; {why}"
    return Recommendation(best, why, losing, undecided)


def _keeps(record: Mapping[str, Any], max_drop: float) -> bool:
    """Whether no more was lost than is allowed, as measured. float32 rounds as Keras does, and is
    what is left when nothing else keeps."""
    return record["profile"] == "float32" or not any(
        drop["drop"] > max_drop for drop in record["drops"].values()
    )


def _upper_end(record: Mapping[str, Any]) -> float:
    """The most points that a file may have lost, by its worst probe; a gain counts as none."""
    drops = record["drops"].values()
    return float(max(max(drop["drop"], 0.0) + drop["margin"] for drop in drops))


def _proven(record: Mapping[str, Any], max_drop: float) -> bool:
    return all(proves(drop, max_drop) for drop in record["drops"].values())


def _why(records: Mapping[str, Mapping[str, Any]], name: str) -> str:
    record, exact = records[name], records["float32"]
    drops = ", ".join(
        f"{probe} {drop['drop']:+.1f} ± {drop['margin']:.1f}"
        for probe, drop in record["drops"].items()
    )
    return (
        f"{record['bytes'] / exact['bytes']:.2f} of the size of float32,"
        f" {record['milliseconds'] / exact['milliseconds']:.2f} of its time, drop {drops} points"
    )


def choose(
    folder: Path,
    compared: Mapping[str, Profile],
    kept: Collection[Profile],
    records: Mapping[str, Mapping[str, Any]],
    left_out: Mapping[str, str],
    settings: Export,
) -> tuple[Profile, dict[str, Any]]:
    """The recommended profile, and the part of `verify.json` that says why; files that nobody asked
    for by name are taken away.

    Args:
        folder: of the files.
        compared: profile -> what `candidates` gave and could be made.
        kept: profiles that were asked for by name.
        records: profile -> its part of `verify.json`.
        left_out: profile -> why it is not compared.
        settings: of the export.
    """
    found = recommend({name: records[name] for name in compared}, settings.aim, settings.max_drop)
    for name, kind in compared.items():
        if name != found.profile and kind not in kept:
            (folder / kind.file).unlink()
    return compared[found.profile], {
        "aim": settings.aim,
        "recommended": found.profile,
        "why": found.why,
        "losing": list(found.losing),
        "undecided": list(found.undecided),
        "left_out": dict(left_out),
        "records": [records[name] for name in compared],
    }
