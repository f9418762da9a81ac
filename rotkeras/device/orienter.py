"""Which way up images are, by a network that predicts angles."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.given_images import Images, each_image
from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.errors import UserError, brief

SIGNATURES = ("predict", "rotation")
"""The signature of a network that predicts angles; the second is its name in older files."""

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Any number of views, uint8 (n, S, S, 3), to the probability of each angle, float (n, K)."""

TEMPERATURES = "temperatures.txt"
"""A file packed with an orient.tflite: `Orienter.temperatures`, one number per line."""

_LEAST = 2.0**-10


@dataclass(frozen=True, eq=False)
class Orientation:
    """Which way up an image is.

    Attributes:
        angle: degrees counter-clockwise by which the image appears turned from upright, one of the
            network's angles. Turned back, `numpy.rot90(image, -angle // 90)`, it is upright.
        confidence: the probability of this angle, 0 … 1.
        probabilities: float32 (K,), of all angles; their sum is 1.
    """

    angle: int
    confidence: float
    probabilities: NDArray[np.float32]


def logarithm(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """The logarithm of probabilities, of at least 2^-10 each: a quantised softmax gives zero for
    whatever is below half of its step of 1/256, and one such zero would outvote the other looks."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))


@dataclass(frozen=True)
class Looks:
    """How the answers to an image in several turns become one.

    Attributes:
        turns: quarter turns of the image that map the angles onto themselves: all four for all four
            angles, two for (0, 180), none but 0 for (0, 90).
        back: for each turn, which answer to the turned image speaks for which angle of the image.
    """

    turns: tuple[int, ...]
    back: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, angles: Sequence[int]) -> "Looks":
        """Those of a network's angles."""
        turns = [
            turn
            for turn in range(4)
            if {(angle + 90 * turn) % 360 for angle in angles} == set(angles)
        ]
        places = list(angles)
        back = [
            tuple(places.index((angle + 90 * turn) % 360) for angle in places) for turn in turns
        ]
        return cls(tuple(turns), tuple(back))

    def average(self, answers: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logarithms (n, K), not normalised, of the geometric mean of all looks.

        Args:
            answers: probabilities (t, n, K): of n images, in each of the t turns.
        """
        turned_back = np.stack(
            [each[:, list(back)] for each, back in zip(answers, self.back, strict=True)]
        )
        # Sorted, the sum does not depend on which turn came first, not even in its last digit.
        averaged: NDArray[np.float64] = np.sort(logarithm(turned_back), axis=0).mean(axis=0)
        return averaged


class Orienter:
    """Tells by which angle images are turned.

    By default the network sees an image in all its quarter turns, and its answers are turned back
    and averaged (the geometric mean of the probabilities). That is right more often than a single
    look; the answer turns exactly with the image; and an image that looks alike in all turns gets
    1/K for each, because no habit of the network is left to tell them apart.

    Not for several threads at once.

    Args:
        path: an `orient.tflite` that `rotkeras export` wrote.
        threads: of the CPU, 1 when None.

    Attributes:
        input_size: S, pixels of each side of the images that the network sees.
        angles: K multiples of 90 degrees, in the order of the probabilities.
        temperatures: that of the average of all turns, and that of a single look: logarithms of
            probabilities are divided by it. (1, 1) where a file was exported without.
        name: of the file or network, for errors.

    Raises:
        UserError: for a file of another kind, and for angles that are no quarter turns.

    Example:
        orienter = Orienter("runs/photographs/export/orient.tflite")
        (found,) = orienter.orient(["IMG_0001.jpg"])
        print(found.angle, found.confidence)
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None):
        file = TFLiteFile(path, threads)
        signature, size = _check_file(file)
        angles = parse_angles(file.associated_file("angles.txt"), file.path)
        temperatures = _parse_temperatures(file.associated_file(TEMPERATURES), file.path)

        def network(views: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.concatenate(
                [file.run(signature, images=view[None])["probabilities"] for view in views]
            )

        self._set(network, size, angles, str(file.path), temperatures)

    @classmethod
    def of(
        cls,
        network: Network,
        input_size: int,
        angles: Sequence[int],
        name: str = "the network",
        temperatures: tuple[float, float] = (1.0, 1.0),
    ) -> "Orienter":
        """An orienter of any network, whatever runs it.

        Args:
            network: uint8 (n, S, S, 3) -> probabilities (n, K), for any n.
            input_size: S.
            angles: K distinct multiples of 90, in the order of the probabilities.
            name: in errors.
            temperatures: see the attributes.

        Raises:
            UserError: for other angles, and for a network that gives another number of
                probabilities.
        """
        made = cls.__new__(cls)
        made._set(network, input_size, tuple(angles), name, temperatures)
        return made

    def _set(
        self,
        network: Network,
        input_size: int,
        angles: tuple[int, ...],
        name: str,
        temperatures: tuple[float, float],
    ) -> None:
        if len(set(angles)) < max(2, len(angles)) or any(
            angle % 90 or not 0 <= angle < 360 for angle in angles
        ):
            raise UserError(
                f"{name!r} must predict distinct multiples of 90 from 0 to 270 degrees, got"
                f" {', '.join(map(str, angles)) or 'none'}; use a network trained with task.angles:"
                " [0, 90, 180, 270]."
            )
        self._network, self.input_size, self.angles, self.name = network, input_size, angles, name
        self.temperatures = temperatures
        shape = network(np.zeros((1, input_size, input_size, 3), np.uint8)).shape
        if shape != (1, len(angles)):
            raise UserError(
                f"{name!r} must predict {(1, len(angles))}, one probability for each of its angles,"
                f" got {shape}."
            )
        self._looks = Looks.of(angles)

    def orient(self, images: Images, *, single_look: bool = False) -> list[Orientation]:
        """Tell which way up images are.

        Args:
            images: uint8 (n, S, S, 3) or (S, S, 3), values 0 … 255; the path of an image file; or
                several of either. Files are read as a viewer shows them: EXIF orientation applied
                first, then cut to the centred square and resized.
            single_look: look at each image once, as it is: as many passes as images rather than K
                times as many.

        Returns:
            An `Orientation` for each image.

        Raises:
            UserError: for another dtype or shape, and for a file that cannot be read.
        """
        return [
            self._one(image, single_look)
            for image in each_image(images, self.input_size, self.name)[1]
        ]

    def _one(self, image: NDArray[np.uint8], single_look: bool) -> Orientation:
        turns = [0] if single_look else self._looks.turns
        answers = self._network(np.stack([np.rot90(image, turn) for turn in turns]))
        if len(turns) > 1:
            logarithms = self._looks.average(answers[:, None])[0] / self.temperatures[0]
        else:
            logarithms = logarithm(answers[0]) / self.temperatures[1]
        probabilities = np.exp(logarithms - logarithms.max())
        probabilities = (probabilities / probabilities.sum()).astype(np.float32)
        best = int(probabilities.argmax())
        return Orientation(self.angles[best], float(probabilities[best]), probabilities)


def parse_angles(content: bytes | None, source: Path) -> tuple[int, ...]:
    """The angles of an `angles.txt`, one in degrees per line.

    Args:
        content: of the file, None when it is missing.
        source: where it belongs, for errors.

    Raises:
        UserError: when it is missing or holds anything but whole numbers.
    """
    try:
        return tuple(int(line) for line in (content or b"").decode("ascii").split())
    except ValueError as error:
        raise UserError(
            f"angles.txt of {str(source)!r} must have one whole number of degrees per line"
            f" ({brief(error)}); export it again."
        ) from error


def _parse_temperatures(content: bytes | None, source: Path) -> tuple[float, float]:
    if content is None:  # a file of an earlier version, or of a network that was not measured
        return 1.0, 1.0
    try:
        first, second = (float(line) for line in content.decode("ascii").split())
    except ValueError as error:
        raise UserError(
            f"{TEMPERATURES} of {str(source)!r} must have two numbers ({brief(error)}); export it"
            " again."
        ) from error
    return first, second


def _check_file(file: TFLiteFile) -> tuple[str, int]:
    """The signature and the input size of a file that is an orienter's."""
    signature = next((name for name in SIGNATURES if name in file.signatures), None)
    if signature is None:
        what = (
            "a learner"
            if "learn" in file.signatures
            else "an encoder"
            if "embed" in file.signatures
            else "another network"
        )
        raise UserError(
            f"{str(file.path)!r} is {what} (signatures {', '.join(file.signatures) or 'none'}). The"
            f" file must have the signature {SIGNATURES[0]}, which predicts the angle of an image:"
            " give the orient.tflite beside it."
        )
    inputs, outputs = file.inputs(signature), file.outputs(signature)
    shape = inputs["images"].shape if "images" in inputs else ()
    if (
        len(shape) != 4
        or shape[1] != shape[2]
        or shape[3] != 3
        or shape[1] is None
        or inputs["images"].dtype != np.uint8
    ):
        raise UserError(
            f"{str(file.path)!r} must take images, uint8 (1, S, S, 3), got {shape}; export it"
            " again."
        )
    if "probabilities" not in outputs:
        raise UserError(
            f"{str(file.path)!r} must return probabilities, got {', '.join(outputs)}; export it"
            " again."
        )
    return signature, shape[1]
