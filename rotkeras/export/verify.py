"""Proof: each file is run as a device would run it, and compared with Keras on images it has not
been calibrated on."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.source import Images
from rotkeras.device.notes import without_notes
from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.export.compare import agreement, compare
from rotkeras.export.onnx import OnnxFile, onnx_operators
from rotkeras.export.operators import operators_of
from rotkeras.export.parts import Parts
from rotkeras.export.profiles import Profile
from rotkeras.export.saved_model import SIGNATURES
from rotkeras.export.softmax_twin import SoftmaxTwin
from rotkeras.files import without_pattern
from rotkeras.probes.knn_probe import knn
from rotkeras.probes.linear import ridge

Progress = Callable[[int, int], None]
NEIGHBOURS = 20
_IMAGES_PER_BATCH = 128
_TURNS, _TIMED, _SECONDS_OF_A_TURN = 7, 64, 0.5


@dataclass(frozen=True, eq=False)
class Reference:
    """What Keras says of the held-out images, and the probes that were fitted on its embeddings.

    A probe is fitted once, on Keras' embeddings of training images, and predicts from the
    embeddings of each file: as a classifier that was fitted on a workstation would meet the file on
    a device. Probes fitted anew on each file's embeddings would make good what the file got wrong.

    Attributes:
        images: uint8 (n, S, S, 3), held out.
        embeddings: float32 (n, d).
        labels: what the probes predict, (m,): classes, or, of images without labels, quarter
            turns of their turned copies.
        probed: uint8 (m, S, S, 3), the images that the probes predict: `images`, or turned
            copies of some of them.
        probed_embeddings: float32 (m, d).
        probes: name -> (fitted probe, its answers to Keras' embeddings).
        asks: "classes" or "rotation".
        probed_images: how many images `probed` shows; turned copies of one are not independent.
        examples: uint8 (k, S, S, 3), for the network's own prediction: views that its task made,
            or, without a task, held-out images.
        classes: (k,), the class of each: as the task says, or, without a task, as Keras predicts.
        predicted: (k,), what Keras predicts; None if the network predicts nothing.
        example_images: how many images `examples` shows.
        true_classes: whether `classes` are the task's.
    """

    images: NDArray[np.uint8]
    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    probed: NDArray[np.uint8]
    probed_embeddings: NDArray[np.float32]
    probes: dict[str, tuple[Any, NDArray[np.int64]]]
    asks: str
    probed_images: int
    examples: NDArray[np.uint8]
    classes: NDArray[np.int64]
    predicted: NDArray[np.int64] | None
    example_images: int
    true_classes: bool


def refer(parts: Parts, train: Images, held_out: Images) -> Reference:
    """Ask Keras about held-out images, and fit a linear and a kNN probe on its embeddings of
    training images.

    Args:
        parts: of `parts_of`.
        train: labelled or unlabelled, of the files' input size; the probes are fitted on them.
        held_out: other images. With labels in both, probes tell classes; without, by how much an
            image was turned.
    """
    images = held_out.take(slice(None))
    embeddings = embed(parts, images)
    some = images[: max(1, len(images) // 4)]
    classes = (
        train.labels is not None
        and held_out.labels is not None
        and len(np.unique(train.labels)) > 1
    )
    if classes:
        fitted_on, targets = train.take(slice(None)), train.labels
        probed, labels, asked = images, held_out.labels, embeddings
    else:
        fitted_on, targets = quarter_turns(train.take(slice(None, max(1, len(train) // 4))))
        probed, labels = quarter_turns(some)
        asked = embed(parts, probed)
    assert labels is not None
    assert targets is not None
    features = embed(parts, fitted_on)
    probes: dict[str, Any] = {
        "ridge": ridge(features, targets),
        f"knn-{NEIGHBOURS}": knn(features, targets, NEIGHBOURS),
    }
    answers = {name: (probe, probe.predict(asked)) for name, probe in probes.items()}
    views = None if parts.prediction is None else parts.prediction.examples(some)
    examples, true_classes = (some, np.zeros(0, np.int64)) if views is None else views
    predicted = None
    if parts.prediction is not None:
        probabilities: Any = parts.prediction.model.predict(
            examples, batch_size=_IMAGES_PER_BATCH, verbose=0
        )
        predicted = probabilities.argmax(axis=1)
    return Reference(
        images,
        embeddings,
        labels,
        probed,
        asked,
        answers,
        "classes" if classes else "rotation",
        len(images) if classes else len(some),
        examples,
        true_classes if views is not None or predicted is None else predicted,
        predicted,
        len(some),
        views is not None,
    )


def embed(parts: Parts, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Keras' embeddings, float32 (n, d), of uint8 (n, S, S, 3)."""
    return np.asarray(
        parts.embed.predict(images, batch_size=_IMAGES_PER_BATCH, verbose=0), np.float32
    )


def quarter_turns(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Copies of each square image in four quarter turns, and the number of turns of each: (4n, S,
    S, 3), (4n,); of other images as they are and upside down, (2n, H, W, 3). They are labels that
    images without labels have too."""
    turns = range(4) if images.shape[1] == images.shape[2] else range(0, 4, 2)
    copies = [np.rot90(images, each, axes=(1, 2)) for each in turns]
    return np.concatenate(copies), np.repeat(np.array(turns, np.int64), len(images))


def verify_file(
    path: Path,
    kind: Profile,
    reference: Reference,
    progress: Progress | None = None,
    statistics: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> dict[str, Any]:
    """Run a file image by image and compare it with Keras.

    Args:
        path: the file.
        kind: its profile.
        reference: of `refer`.
        progress: called with (images done, images in all).
        statistics: of a learner, the mean and deviation (d,) that its head standardises embeddings
            by.

    Returns:
        Its part of `verify.json`: size in bytes, SHA-256, operators, inputs and outputs, median
        milliseconds per image on one thread, `agreement` to Keras' embeddings, and what each probe,
        or the network's own prediction, loses (`Drop.record`).
    """
    content = path.read_bytes()
    file = _opened(path, kind)
    operators = onnx_operators(path) if kind.runtime == "onnx" else operators_of(content)
    signature, output = kind.answer
    record: dict[str, Any] = {
        "profile": kind.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "operators": operators,
        "signatures": {
            name: {
                "inputs": {key: str(tensor) for key, tensor in file.inputs(name).items()},
                "outputs": {key: _described(tensor) for key, tensor in file.outputs(name).items()},
            }
            for name in file.signatures
        },
    }
    embeds = kind.role != "predictor"
    images = reference.images if embeds else reference.examples
    separate = embeds and reference.asks == "rotation"
    total = len(images) + (len(reference.probed) if separate else 0)
    answers, seconds = _run(file, signature, output, images, 0, total, progress)
    record["milliseconds"] = 1000.0 * float(np.median(seconds))
    if not embeds:
        assert reference.predicted is not None
        right = compare(
            reference.predicted,
            answers.argmax(axis=1),
            reference.classes,
            reference.example_images,
        )
        record["drops"] = {"prediction": right.record()}
        record["classes"] = "of the task" if reference.true_classes else "as Keras predicts"
        return record
    record["agreement"] = agreement(reference.embeddings, answers)
    probed = answers
    if separate:
        probed, _ = _run(file, signature, output, reference.probed, len(images), total, progress)
    record["drops"] = {
        name: (
            compare(
                keras,
                probe.predict(probed),
                reference.labels,
                reference.probed_images,
            ).record()
        )
        for name, (probe, keras) in reference.probes.items()
    }
    if kind.role == "learner":
        assert statistics is not None
        record["learns"] = verify_learner(file, reference, statistics)
    return record


def time_together(
    folder: Path, kinds: Mapping[str, Profile], reference: Reference
) -> dict[str, float]:
    """Milliseconds per image of several files, one thread, in turns: what another program takes
    from one of them it takes from all.

    Args:
        folder: of the files.
        kinds: name -> profile.
        reference: of `refer`, whose images the files are given.

    Returns:
        For each file, the median over images in the best of the turns.
    """
    files = {name: _opened(folder / kind.file, kind) for name, kind in kinds.items()}
    best = dict.fromkeys(files, float("inf"))
    for _ in range(_TURNS):
        for name, file in files.items():
            kind = kinds[name]
            count = max(3, min(_TIMED, int(_SECONDS_OF_A_TURN / max(1e-6, best[name] / 1000))))
            images = reference.examples if kind.role == "predictor" else reference.images
            _, seconds = _run(file, *kind.answer, images[:count], 0, count, None)
            best[name] = min(best[name], 1000.0 * float(np.median(seconds)))
    return best


def _opened(path: Path, kind: Profile) -> Any:
    """A file as a device opens it, on one thread."""
    if kind.runtime == "onnx":
        return OnnxFile(path, threads=1)
    with without_notes():
        return TFLiteFile(path, threads=1)


def verify_learner(
    file: TFLiteFile,
    reference: Reference,
    statistics: tuple[NDArray[Any], NDArray[Any]],
    steps: int = 5,
) -> dict[str, float]:
    """Let the head learn a few steps from Keras' embeddings, and compare each signature with the
    same steps in NumPy.

    Returns:
        The largest differences: of the probabilities that `classify` gives after the steps, of the
        `loss` of each step (`learn`), and of the head that `get_head` gives after `set_head`. The
        head is left as it was found.
    """
    dimensions, classes = (side or 0 for side in file.outputs("get_head")["weights"].shape)
    embeddings = np.ascontiguousarray(reference.probed_embeddings[:32])
    labels = (np.arange(len(embeddings)) % classes).astype(np.int32)
    run = file.run
    first = run("get_head", unused=0.0)
    random = np.random.default_rng(0)
    weights, bias = random.normal(0, 0.1, (dimensions, classes)), random.normal(0, 0.1, classes)
    run("set_head", weights=weights.astype(np.float32), bias=bias.astype(np.float32))
    there = run("get_head", unused=0.0)
    head = max(
        float(np.abs(there["weights"] - weights).max()), float(np.abs(there["bias"] - bias).max())
    )
    twin = SoftmaxTwin(*statistics, weights, bias)
    losses = []
    for _ in range(steps):
        given = run(
            "learn",
            embeddings=embeddings,
            labels=labels,
            learning_rate=0.1,
            momentum=0.9,
            weight_decay=0.01,
        )
        losses.append(abs(float(given["loss"]) - twin.step(embeddings, labels, 0.1, 0.9, 0.01)))
    probabilities = run("classify", embeddings=embeddings)["probabilities"]
    run("set_head", weights=first["weights"], bias=first["bias"])
    return {
        "classify": float(np.abs(probabilities - twin.probabilities(embeddings)).max()),
        "learn": max(losses),
        "head": head,
    }


def verify_saved_model(path: Path, parts: Parts, reference: Reference) -> dict[str, Any]:
    """Load a SavedModel with TensorFlow alone and compare its signatures with Keras, in batches of
    1 and of up to 64.

    Returns:
        Its part of `verify.json`: size, signatures, and for each the largest difference from Keras'
            numbers.
    """
    import tensorflow as tf

    with without_pattern(path) as place:
        loaded = tf.saved_model.load(str(place)).signatures
    images = reference.images[:64]
    models: dict[str, Any] = {"embed": parts.embed, "taps": parts.taps}
    if parts.prediction is not None:
        models["predict"] = parts.prediction.model
    errors: dict[str, float] = {}
    shares: dict[str, float] = {}
    # Beside serving_default, which Keras adds: it is the first of them.
    names = [name for name in SIGNATURES if name in models]
    for name in names:
        expected = models[name].predict(images, verbose=0)
        for batch in (images[:1], images):
            given = {
                key: value.numpy() for key, value in loaded[name](images=tf.constant(batch)).items()
            }
            there = expected if isinstance(expected, dict) else {next(iter(given)): expected}
            error = max(float(np.abs(given[key] - there[key][: len(batch)]).max()) for key in there)
            errors[name] = max(errors.get(name, 0.0), error)
            shares[name] = errors[name] / max(
                1e-12, max(float(np.abs(each).max()) for each in there.values())
            )
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return {
        "bytes": sum(each.stat().st_size for each in files),
        "sha256": {
            each.relative_to(path).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest()
            for each in files
        },
        "signatures": names,
        "max_error": errors,
        "share": shares,
    }


def _run(
    file: Any,
    signature: str,
    output: str,
    images: NDArray[np.uint8],
    done: int,
    total: int,
    progress: Progress | None,
) -> tuple[NDArray[np.float32], list[float]]:
    rows, seconds = [], []
    for number, image in enumerate(images):
        begun = time.perf_counter()
        answer = file.run(signature, images=image[None])[output]
        seconds.append(time.perf_counter() - begun)
        rows.append(answer[0])
        if progress is not None and (number % 32 == 31 or number + 1 == len(images)):
            progress(done + number + 1, total)
    return np.stack(rows).astype(np.float32), seconds


def _described(tensor: Any) -> str:
    return (
        str(tensor)
        if getattr(tensor, "scale", None) is None
        else f"{tensor}, scale {tensor.scale:.9g}, zero point {tensor.zero_point}"
    )
