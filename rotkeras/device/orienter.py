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

# A quantized softmax gives zero for whatever is below half of its step of 1/256. As a logarithm,
# one such zero would outvote the other looks.
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

        def network(views: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.concatenate(
                [file.run(signature, images=view[None])["probabilities"] for view in views]
            )

        self._set(network, size, angles, str(file.path))

    @classmethod
    def of(
        cls, network: Network, input_size: int, angles: Sequence[int], name: str = "the network"
    ) -> "Orienter":
        """An orienter of any network, whatever runs it.

        Args:
            network: uint8 (n, S, S, 3) -> probabilities (n, K), for any n.
            input_size: S.
            angles: K distinct multiples of 90, in the order of the probabilities.
            name: in errors.

        Raises:
            UserError: for other angles, and for a network that gives another number of
                probabilities.
        """
        made = cls.__new__(cls)
        made._set(network, input_size, tuple(angles), name)
        return made

    def _set(self, network: Network, input_size: int, angles: tuple[int, ...], name: str) -> None:
        if len(set(angles)) < max(2, len(angles)) or any(
            angle % 90 or not 0 <= angle < 360 for angle in angles
        ):
            raise UserError(
                f"{name!r} must predict distinct multiples of 90 from 0 to 270 degrees, got"
                f" {', '.join(map(str, angles)) or 'none'}; use a network trained with task.angles:"
                " [0, 90, 180, 270]."
            )
        self._network, self.input_size, self.angles, self.name = network, input_size, angles, name
        shape = network(np.zeros((1, input_size, input_size, 3), np.uint8)).shape
        if shape != (1, len(angles)):
            raise UserError(
                f"{name!r} must predict {(1, len(angles))}, one probability for each of its angles,"
                f" got {shape}."
            )
        # The turns that map the angles onto themselves: all four for all four angles, two for (0,
        # 180), none for (0, 90).
        self._turns = [
            turn
            for turn in range(4)
            if {(angle + 90 * turn) % 360 for angle in angles} == set(angles)
        ]
        # Which answer to the turned image speaks for which angle of the image.
        self._back = {
            turn: [angles.index((angle + 90 * turn) % 360) for angle in angles]
            for turn in self._turns
        }

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
        turns = [0] if single_look else self._turns
        answers = np.asarray(
            self._network(np.stack([np.rot90(image, turn) for turn in turns])), np.float64
        )
        probabilities = answers[0]
        if len(turns) > 1:
            turned_back = np.stack(
                [answer[self._back[turn]] for turn, answer in zip(turns, answers, strict=True)]
            )
            # Sorted, the sum does not depend on which turn came first, not even in its last digit.
            logarithms = np.sort(np.log(np.maximum(turned_back, _LEAST)), axis=0).mean(axis=0)
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
