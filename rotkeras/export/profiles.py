"""The kinds of file that an encoder is exported to."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rotkeras.arguments.accepted import ProfileName
from rotkeras.errors import UserError, nearest

Numbers = Literal["float32", "float16", "dynamic", "mixed", "int16x8", "int8"]

ONNX_PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
INSTALL = "pip install 'rotkeras[onnx]'"


@dataclass(frozen=True)
class Profile:
    """A kind of file.

    Attributes:
        name: as recipes and the command line say it.
        file: the name of the file.
        what: what it is for, in few words.
        role: what it holds: "encoder", "learner" (encoder and a head that learns) or "predictor"
            (the network's own prediction).
        numbers: what it computes with: "float32", "float16" (weights kept as float16), "dynamic"
            (int8 weights, inputs of convolutions quantised as it runs), "mixed" (int8 in
            convolutions and dense layers, float32 between them), "int16x8" (int8 weights, 16-bit
            inputs of convolutions) or "int8" (all).
        output: dtype of its answers.
        runtime: what runs it: "tflite", or "onnx" (ONNX Runtime).
    """

    name: ProfileName
    file: str
    what: str
    role: Literal["encoder", "learner", "predictor"]
    numbers: Numbers
    output: Literal["float32", "int8"] = "float32"
    runtime: Literal["tflite", "onnx"] = "tflite"

    @property
    def answer(self) -> tuple[str, str]:
        """(signature, output) of what it gives for one image."""
        return ("predict", "probabilities") if self.role == "predictor" else ("embed", "embedding")

    @property
    def calibrated(self) -> bool:
        """Whether images are needed to find the range of its activations."""
        return self.numbers in ("mixed", "int16x8", "int8")


PROFILES = {
    each.name: each
    for each in (
        Profile(
            "float32",
            "encoder-float32.tflite",
            "the reference: exact, largest",
            "encoder",
            "float32",
        ),
        Profile(
            "float16",
            "encoder-float16.tflite",
            "half the size; computes in float16 on GPUs",
            "encoder",
            "float16",
        ),
        Profile(
            "dynamic",
            "encoder-dynamic.tflite",
            "int8 weights; needs no calibration",
            "encoder",
            "dynamic",
        ),
        Profile(
            "mixed",
            "encoder-mixed.tflite",
            "int8 convolutions, floats between: for CPUs",
            "encoder",
            "mixed",
        ),
        Profile(
            "int16x8",
            "encoder-int16x8.tflite",
            "16-bit activations, int8 weights: slow on CPUs",
            "encoder",
            "int16x8",
        ),
        Profile(
            "int8",
            "encoder-int8.tflite",
            "int8 throughout: microcontrollers, DSPs, NPUs",
            "encoder",
            "int8",
            "int8",
        ),
        Profile(
            "mediapipe",
            "encoder-mediapipe.tflite",
            "drop-in for MediaPipe's ImageEmbedder",
            "encoder",
            "int8",
        ),
        Profile(
            "learner",
            "learner.tflite",
            "int8 encoder with a head that is trained on the device",
            "learner",
            "int8",
        ),
        Profile(
            "classifier",
            "classifier.tflite",
            "the classes that the network itself predicts",
            "predictor",
            "int8",
        ),
        Profile("orient", "orient.tflite", "which way up an image is", "predictor", "int8"),
        Profile(
            "onnx",
            "encoder.onnx",
            "ONNX Runtime: servers, browsers, desktops; any batch size",
            "encoder",
            "float32",
            runtime="onnx",
        ),
    )
}
"""Every profile by name. All take uint8 RGB images with the normalisation inside; TFLite files take
one at a time and use builtin operators only."""

CANDIDATES: tuple[ProfileName, ...] = (
    *("float32", "float16", "dynamic", "mixed", "int16x8", "int8"),
)
"""What `auto` makes, proves and compares."""


def available(task: Any) -> tuple[list[ProfileName], str]:
    """The profiles that the network of a task can have, and a line about those left out; "" if
    there are none.

    Args:
        task: a pretext task, or a run's `task_facts()`.
    """
    names, angles = task.class_names or (), getattr(task, "angles", ())
    lacking = [
        each.name
        for each in PROFILES.values()
        if each.role == "predictor"
        and (not names or (each.name == "orient" and not are_quarter_turns(angles)))
    ]
    lines = (
        [f"left out: {', '.join(lacking)}; the task predicts {', '.join(names) or 'nothing'}"]
        if lacking
        else []
    )
    lacking.append("int16x8")
    lines.append("left out: int16x8, which takes many times as long on a CPU: ask for it by name")
    if missing := missing_packages():
        lines.append(f"left out: onnx, which needs {', '.join(missing)}: {INSTALL}")
        lacking.append("onnx")
    return [name for name in PROFILES if name not in lacking], "\n".join(lines)


def missing_packages() -> list[str]:
    """The packages of the profile onnx that are not installed."""
    return [each for each in ONNX_PACKAGES if importlib.util.find_spec(each) is None]


def are_quarter_turns(angles: Sequence[int]) -> bool:
    """Whether these are angles that `rotkeras.device.Orienter` can turn back."""
    return len(angles) > 1 and all(angle % 90 == 0 for angle in angles)


def profile(name: str) -> Profile:
    """The profile of a name.

    Raises:
        UserError: for another name; the valid ones are named.
    """
    if name not in PROFILES:
        close = nearest(name, PROFILES)
        valid = "" if close.startswith("valid") else f" valid: {', '.join(PROFILES)}."
        raise UserError(f"There is no export profile {name!r}; {close}{valid}")
    return PROFILES[name]
