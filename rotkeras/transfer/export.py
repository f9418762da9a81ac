"""Files of a fine-tuned network for devices, each proven on the test images."""

import hashlib
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rotkeras import __version__
from rotkeras.device.host import describe_host
from rotkeras.export.any_network import convert_network
from rotkeras.export.auto import recommend
from rotkeras.export.metadata import add_metadata
from rotkeras.export.operators import operators_of
from rotkeras.export.profiles import CANDIDATES, PROFILES
from rotkeras.export.target import clean, put, rejected_folder
from rotkeras.files import beside, one_writer, temporary_folder, unfinished, write_json
from rotkeras.images import Size
from rotkeras.run.folder import versions
from rotkeras.transfer.base import Goal, Labelled
from rotkeras.transfer.bootstrap import interval
from rotkeras.transfer.describe import NAMES, describe
from rotkeras.transfer.examples import write_examples
from rotkeras.transfer.settings import Files

OUTPUTS = {"classify": "probabilities", "detect": "boxes", "segment": "probabilities"}
_DRAWS = 200
_LEAST_CALIBRATION = 16


@dataclass(frozen=True)
class Exported:
    """What an export left.

    Attributes:
        proof: the content of `verify.json`.
        rejected: profile -> what it lost too much of.
        folder: where the files lie: where they were to go, or `<folder>-rejected`.
    """

    proof: dict[str, Any]
    rejected: dict[str, str]
    folder: Path


def put_export(target: Path, make: Callable[[Path], Exported]) -> Exported:
    """Make an export in a temporary folder, and put it in place.

    Args:
        target: where the files go; what is there is replaced. If a file is rejected it stays, and
            everything goes to `<target>-rejected` instead.
        make: writes the files into a folder.
    """
    working = beside(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with one_writer(target), unfinished(working):
        clean(target)
        working.mkdir()
        made = make(working)
        place = rejected_folder(target) if made.rejected else target
        put(working, place)
        if not made.rejected:  # that of an earlier try
            shutil.rmtree(rejected_folder(target), ignore_errors=True)
    return replace(made, folder=place)


def export_network(
    network: Any,
    predictions: Any,
    goal: Goal,
    labelled: Labelled,
    size: Size,
    settings: Files,
    folder: Path,
    *,
    name: str,
    seed: int,
    extra: dict[str, Any],
    say: Callable[[str], None] = lambda _what: None,
) -> Exported:
    """Write the files that section `export` asks for, and prove each: it is run as a device runs
    it, on the test images, and its score is compared with Keras'.

    Args:
        network: kept by the goal.
        predictions: what it predicts of the test part.
        goal: it evaluates both.
        labelled: calibration is drawn from its training images, proof is made on its test part.
        size: of the images.
        settings: section `export`.
        folder: where files go; it exists.
        name: of the model, for its metadata.
        seed: of the draws.
        extra: further content of task.json.
        say: called with what is being done.

    Returns:
        The proof. A file is rejected when its drop is above `max_drop` and 95 % of the bootstrap's
        draws of images show a drop.

    Raises:
        UserError: for a profile that cannot be made of the network.
    """
    part, names = labelled.test, labelled.class_names
    by_keras = goal.judge(predictions, part, names)
    keras_result = goal.evaluate(by_keras, names)
    count = min(settings.calibration_images, len(labelled.train))
    images = goal.calibration(labelled.train, size, max(count, _LEAST_CALIBRATION), seed)
    asked = [each for each in settings.profiles if each != "auto"]
    tried = [*asked, *(CANDIDATES if "auto" in settings.profiles else ())]
    records: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    task = {"task": goal.name, "classes": list(labelled.class_names), **extra}
    with temporary_folder() as work:
        for profile in dict.fromkeys(tried):
            say(f"converting {profile}")
            try:
                content = convert_network(
                    network,
                    goal.signature,
                    OUTPUTS[goal.name],
                    PROFILES[profile].numbers,
                    images,
                    work,
                )
            except Exception as error:
                if profile in asked or profile == "float32":
                    raise
                left_out[profile] = str(error)
                continue
            path = folder / f"{NAMES[goal.name]}-{profile}.tflite"
            said = describe(name, profile, task, size, settings.author, settings.licence)
            path.write_bytes(add_metadata(content, said))
            say(f"proving {profile}")
            records[profile] = _prove(
                path, profile, goal, labelled, size, by_keras, keras_result.score, seed
            )
    kept, candidates = _chosen(folder, records, left_out, asked, settings, goal)
    rejected = {
        profile: f"{drop['drop']:+.1f} points of {goal.score.short}"
        for profile in kept
        for drop in records[profile]["drops"].values()
        if drop["drop"] > settings.max_drop and drop["low"] > 0
    }
    machine = describe_host()
    proof: dict[str, Any] = {
        "name": name,
        "rotkeras": __version__,
        "versions": {**versions(), "ai-edge-litert": machine.ai_edge_litert},
        "machine": {"processor": machine.processor, "cores": machine.cores},
        "task": task,
        "score": goal.score.words,
        "keras": keras_result.record(),
        "calibration_images": len(images),
        "candidates": candidates,
        "gate": {"max_drop": settings.max_drop, "rejected": rejected},
        "files": {f"{NAMES[goal.name]}-{each}.tflite": records[each] for each in kept},
    }
    write_json(folder / "verify.json", proof)
    shown = [each for each in kept if each not in rejected] or kept
    write_examples(
        folder, goal.name, [f"{NAMES[goal.name]}-{each}.tflite" for each in shown], proof
    )
    return Exported(proof, rejected, folder)


def _prove(
    path: Path,
    profile: str,
    goal: Goal,
    labelled: Labelled,
    size: Size,
    by_keras: Any,
    keras_score: float,
    seed: int,
) -> dict[str, Any]:
    content = path.read_bytes()
    part, names = labelled.test, labelled.class_names
    found, seconds = goal.predict_file(path, part, size)
    by_file = goal.judge(found, part, names)
    result = goal.evaluate(by_file, names)

    def lost(rows: Any) -> float:
        before = goal.evaluate(by_keras, names, rows).score
        return 100 * (before - goal.evaluate(by_file, names, rows).score)

    low, high = interval(lost, len(part), _DRAWS, seed)
    drop = 100 * (keras_score - result.score)
    return {
        "profile": profile,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "operators": operators_of(content),
        "milliseconds": 1000 * statistics.median(seconds),
        "score": result.record(),
        "drops": {
            goal.score.key: {
                "drop": drop,
                "low": low,
                "high": high,
                "margin": max(high - drop, drop - low),
                "images": len(part),
            }
        },
    }


def _chosen(
    folder: Path,
    records: dict[str, dict[str, Any]],
    left_out: dict[str, str],
    asked: Sequence[str],
    settings: Files,
    goal: Goal,
) -> tuple[list[str], dict[str, Any] | None]:
    """The profiles to keep, and why; files that nobody asked for are taken away."""
    if "auto" not in settings.profiles:
        return list(records), None
    found = recommend(records, settings.aim, settings.max_drop)
    kept = list(dict.fromkeys([*asked, found.profile]))
    for profile in records:
        if profile not in kept:
            (folder / f"{NAMES[goal.name]}-{profile}.tflite").unlink()
    return kept, {
        "aim": settings.aim,
        "recommended": found.profile,
        "why": found.why,
        "losing": list(found.losing),
        "undecided": list(found.undecided),
        "left_out": left_out,
        "records": list(records.values()),
    }
