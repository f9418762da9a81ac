"""From a network to a folder of proven files: written and checked in a temporary folder, put in
place when all of them hold."""

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from rotkeras import __version__
from rotkeras.arguments.accepted import AnyPath, KnownTask, Seed
from rotkeras.arguments.checked import checked
from rotkeras.data.source import Images, Source
from rotkeras.errors import UserError, brief
from rotkeras.export import card
from rotkeras.export.auto import candidates, choose
from rotkeras.export.compare import exceeds, proves
from rotkeras.export.descriptions import describe
from rotkeras.export.draws import Draws, draw, kinds_of, write_calibration
from rotkeras.export.golden import write_golden
from rotkeras.export.learner import statistics
from rotkeras.export.onnx import to_onnx
from rotkeras.export.parts import Parts, parts_of
from rotkeras.export.profiles import INSTALL, PROFILES, Profile, missing_packages
from rotkeras.export.saved_model import to_saved_model
from rotkeras.export.tap_choice import choose_tap
from rotkeras.export.target import check_target, clean, put, rejected_folder, resolved
from rotkeras.export.temperatures import fit_temperatures, has_temperatures
from rotkeras.export.tflite import FEWEST_IMAGES, check_length, lacks_prediction, to_tflite
from rotkeras.export.verify import (
    Reference,
    embed,
    refer,
    time_together,
    verify_file,
    verify_saved_model,
)
from rotkeras.files import beside, one_writer, temporary_folder, unfinished, write_json
from rotkeras.images import shown, sides_of
from rotkeras.recipe.models import Export

SAVED_MODEL = "saved_model"
_MOST_ERROR, _MOST_SHARE = 1e-2, 1e-3
"""Of a learner's signatures against NumPy, and of a SavedModel's against Keras, as a share of the
largest number."""

Tell = Callable[[str, int, int], None]
"""Called with (what is being done, done, in all)."""


@dataclass(frozen=True)
class Exported:
    """What an export left.

    Attributes:
        folder: where its files lie: the requested folder, or the rejected one when something
            was rejected.
        proof: the content of `verify.json`.
        rejected: the files that lost more than was allowed, with what they lost.
    """

    folder: Path
    proof: dict[str, Any]
    rejected: dict[str, str] = field(default_factory=dict)


@checked
def export(
    model: keras.Model,
    source: Source,
    folder: AnyPath,
    settings: Export | None = None,
    *,
    task: KnownTask | None = None,
    seed: Seed = 0,
    origin: Callable[[str], card.Origin] | None = None,
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Exported:
    """Export an encoder as SavedModel and TFLite files, with proof that they answer as Keras does.

    Args:
        model: a functional backbone with taps, or the network of a pretext task on one.
        source: its images, of the files' input size. Calibration is drawn from `train`; proof is
            made on `validation`, or, where there is none, on training images that calibrated
            nothing. The test set is not read.
        folder: where the files go.
        settings: what to export, as section `export` of a recipe; None for its defaults. Without
            a tap the network is cut at the one whose pooled vectors a linear probe reads best on
            validation, see `choose_tap`.
        task: see `parts_of`. Its views are what the network's own prediction is proven on; what a
            run keeps of a task has none, and then the file is compared with Keras' predictions.
        seed: of the draws.
        origin: gives, for the tap, where the network comes from: for the model card and the
            metadata.
        overwrite: replace an export that is there, with all that lies in its folder.
        tell: called as the work goes on.

    Returns:
        An `Exported`. When a file lost more than `max_drop` (and more than chance explains),
        nothing of the folder is touched, and everything lies in `<folder>-rejected` instead.

    Raises:
        UserError: for settings, images or a network that do not fit, for a folder that is there,
            and when it cannot be written.
    """
    settings = settings or Export()
    target = resolved(folder)
    check_target(target, overwrite)
    check(model, source, settings, task)
    cut = functools.partial(
        parts_of,
        model,
        pooling=settings.pooling,
        l2_normalization=settings.l2_normalization,
        task=task,
        input_size=settings.input_size,
        resize=settings.resize,
    )
    parts = cut(settings.tap)
    if source.image_shape[:2] != sides_of(parts.input_size):
        raise UserError(
            f"The images are {source.image_shape[0]}×{source.image_shape[1]} and the files take"
            f" {shown(parts.input_size)}: load them with image_size={parts.input_size}."
        )
    draws = draw(source, settings, seed)
    scores: dict[str, float] = {}
    choice: dict[str, Any] | None = None
    if settings.tap is None:
        if tell is not None:
            tell("comparing taps", 0, 0)
        best, scores, choice = choose_tap(parts, model, source, seed)
        parts = cut(best)
    come_from = (
        card.Origin(name=model.name, source=source.name) if origin is None else origin(parts.tap)
    )
    working = beside(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with one_writer(target), unfinished(working):
            clean(target)
            working.mkdir()
            proof, kinds = _write(working, parts, settings, draws, come_from, tell)
            proof["held_out"]["part"] = "validation" if source.validation is not None else "train"
            proof["encoder"]["taps"] = scores or None
            proof["encoder"]["choice"] = choice
            rejected = _rejected(proof, settings.max_drop)
            undecided = _undecided(proof, settings.max_drop)
            proof["gate"] = {
                "max_drop": settings.max_drop,
                "passed": not rejected,
                "rejected": rejected,
                "undecided": undecided,
            }
            write_json(working / "verify.json", proof)
            card.write(working, parts, kinds, proof, come_from)
            place = rejected_folder(target) if rejected else target
            put(working, place)
            if not rejected:  # that of an earlier try
                shutil.rmtree(rejected_folder(target), ignore_errors=True)
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from error
    except Exception as error:
        # TensorFlow writes files too, and tells a full disk by errors of its own.
        if type(error).__module__.startswith("tensorflow") and type(error).__name__ in _FULL:
            raise _unwritable(target, brief(error)) from error
        raise
    return Exported(place, proof, rejected)


_FULL = (
    "DataLossError",
    "FailedPreconditionError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnknownError",
)


def _unwritable(target: Path, why: str) -> UserError:
    return UserError(
        f"The export could not be written to {target} ({why}). Give another folder with -o, or free"
        " space on its disk and in the folder for temporary files. What was there is unchanged."
    )


def check(model: keras.Model, source: Source, settings: Export, task: Any = None) -> None:
    """Raise a `UserError` for what cannot be exported: settings, a tap, an input size, a head, too
    few images.

    The arguments are those of `export`; of the source, only how many images it has is looked at.
    """
    kinds = kinds_of(settings)
    if not settings.profiles and not settings.saved_model:
        raise UserError(
            f"Nothing is left to export. Set saved_model, or a profile of {', '.join(PROFILES)}."
        )
    for kind in kinds:
        check_length(kind, settings.l2_normalization)
    if settings.resize and settings.input_size is None:
        raise UserError("resize needs input_size, the pixels of each side of the images to resize.")
    parts = parts_of(
        model,
        settings.tap,
        task=task,
        input_size=settings.input_size,
        resize=settings.resize,
    )
    for kind in kinds:
        if problem := lacks_prediction(kind, parts):
            raise UserError(problem)
        if kind.runtime == "onnx" and (missing := missing_packages()):
            raise UserError(f"The profile onnx needs {', '.join(missing)}: {INSTALL}.")
    calibrated = [kind.name for kind in kinds if kind.calibrated]
    if calibrated and len(source.train) < settings.calibration_images:
        raise UserError(
            f"The profiles {', '.join(calibrated)} are calibrated on"
            f" {settings.calibration_images} training images, and there are {len(source.train)}."
            f" Add images, lower calibration_images (at least {FEWEST_IMAGES}), or use"
            f" {', '.join(name for name, each in PROFILES.items() if not each.calibrated)}."
        )


def _write(
    folder: Path,
    parts: Parts,
    settings: Export,
    draws: Draws,
    origin: card.Origin,
    tell: Tell | None,
) -> tuple[dict[str, Any], list[Profile]]:
    """Write all files and prove them: the content of `verify.json`, and the profiles of the files
    that are kept."""
    kinds, calibration = kinds_of(settings), draws.calibration
    tried, left_out = candidates(settings, draws.spare)

    def say(what: str, done: int = 0, total: int = 0) -> None:
        if tell is not None:
            tell(what, done, total)

    say("evaluating Keras")
    reference = refer(parts, draws.labelled, draws.held_out)
    proof = _head(parts, draws.held_out, draws.labelled, reference, origin)
    if settings.saved_model:
        say(SAVED_MODEL)
        to_saved_model(parts, folder / SAVED_MODEL)
        proof["saved_model"] = verify_saved_model(folder / SAVED_MODEL, parts, reference)
    images = None if calibration is None else calibration.take(slice(None))
    ranges = None if images is None else statistics(embed(parts, images))
    temperatures = None
    if PROFILES["orient"] in kinds and draws.validates and has_temperatures(parts.prediction):
        say("calibrating confidences")
        temperatures = fit_temperatures(parts.prediction, reference.images)
    proof["temperatures"] = temperatures
    records: dict[str, dict[str, Any]] = {}
    with temporary_folder() as work:
        for kind in dict.fromkeys([*kinds, *tried]):
            say(f"converting {kind.name}")
            description = describe(
                parts,
                kind,
                origin.name,
                origin.author,
                origin.licence,
                origin.method,
                temperatures if kind.name == "orient" else None,
            )
            try:
                if kind.runtime == "onnx":
                    file = to_onnx(parts, folder / kind.file, description)
                else:
                    file = to_tflite(
                        parts,
                        folder / kind.file,
                        kind.name,
                        calibration=images,
                        classes=settings.classes,
                        description=description,
                        work_folder=work,
                    )
                records[kind.name] = verify_file(
                    file,
                    kind,
                    reference,
                    lambda done, total, kind=kind: say(f"proving {kind.name}", done, total),  # type: ignore[misc]
                    ranges,
                )
            except UserError as error:
                if kind in kinds or kind.name == "float32":
                    raise
                # Made, perhaps, and not to be run: such as sums of int16 that may overflow.
                (folder / kind.file).unlink(missing_ok=True)
                left_out[kind.name] = str(error)
    if tried:
        say("timing")
        made: dict[str, Profile] = {kind.name: kind for kind in [*kinds, *tried]}
        made = {name: made[name] for name in records}
        for name, milliseconds in time_together(folder, made, reference).items():
            records[name]["milliseconds"] = milliseconds
        compared: dict[str, Profile] = {each.name: each for each in tried if each.name in records}
        chosen, proof["candidates"] = choose(folder, compared, kinds, records, left_out, settings)
        kinds = [*kinds, chosen]
    kinds = list(dict.fromkeys(kinds))
    proof["files"] = {kind.file: records[kind.name] for kind in kinds}
    if calibration is not None and any(kind.calibrated for kind in kinds):
        write_calibration(folder / "calibration.json", calibration, origin.source, draws.seed)
    if on_devices := {kind.file: kind for kind in kinds if kind.runtime == "tflite"}:
        write_golden(folder, on_devices, reference.images)
    return proof, kinds


def _head(
    parts: Parts, held_out: Images, labelled: Images, reference: Reference, origin: card.Origin
) -> dict[str, Any]:
    from rotkeras.device.host import describe_host
    from rotkeras.run.folder import versions

    machine = describe_host()
    return {
        "name": origin.name,
        "command": origin.command,
        "rotkeras": __version__,
        "versions": {**versions(), "ai-edge-litert": machine.ai_edge_litert},
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "platform": machine.system,
        },
        "encoder": {
            "tap": parts.tap,
            "pooling": parts.pooling,
            "l2_normalization": parts.l2_normalization,
            "dimensions": parts.dimensions,
            "input_size": parts.input_size,
            "trained_size": parts.trained_size,
            "resize": parts.resize,
            "angles": list(parts.prediction.angles) if parts.prediction is not None else None,
            "class_names": None if parts.prediction is None else list(parts.prediction.class_names),
            "parameters": parts.parameters,
        },
        "held_out": {
            "source": origin.source,
            "images": len(held_out),
            "fingerprint": held_out.fingerprint().digest,
        },
        "probes": {
            "ask": reference.asks,
            "rotations": len(reference.probed) // reference.probed_images,
            "fitted_on": len(labelled),
            "embeddings": "of Keras, for every file",
        },
        "files": {},
    }


def _rejected(proof: dict[str, Any], max_drop: float) -> dict[str, str]:
    """File name -> what it lost too much of, or got wrong."""
    found = {}
    for name, record in proof["files"].items():
        lost = [
            f"{probe} {drop['drop']:+.2f} points of accuracy lost ({100 * drop['keras']:.1f} ->"
            f" {100 * drop['file']:.1f} %)"
            for probe, drop in record["drops"].items()
            if exceeds(drop, max_drop)
        ]
        lost += [
            f"signature {signature} differs from NumPy by {error:.2g}"
            for signature, error in record.get("learns", {}).items()
            if not error <= _MOST_ERROR
        ]
        if lost:
            found[name] = "; ".join(lost)
    shares = proof.get("saved_model", {}).get("share", {})
    wrong = [
        f"signature {name} differs from Keras by {share:.2g} of its largest number"
        for name, share in shares.items()
    ]
    wrong = [
        words
        for words, share in zip(wrong, shares.values(), strict=True)
        if not share <= _MOST_SHARE
    ]
    if wrong:
        found[SAVED_MODEL] = "; ".join(wrong)
    return found


def _undecided(proof: dict[str, Any], max_drop: float) -> list[str]:
    """The files whose images are too few to exclude a loss of more than `max_drop`."""
    files = proof["files"].items()
    return [
        name
        for name, each in files
        if not all(proves(drop, max_drop) for drop in each["drops"].values())
    ]
