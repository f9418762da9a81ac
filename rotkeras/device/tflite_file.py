"""A TFLite file, opened with care and run by the names of its signatures."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.arguments import check_path, check_whole
from rotkeras.device.whole_file import check, refusal
from rotkeras.errors import UserError, brief
from rotkeras.files import expanded


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature.

    Attributes:
        dtype: its NumPy dtype.
        shape: its sides; None for one that is open.
        scale: of a quantized tensor: value = scale · (integer − zero_point); else None.
        zero_point: the integer that means 0.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    scale: float | None = None
    zero_point: int = 0

    def dequantized(self, values: NDArray[Any]) -> NDArray[Any]:
        """Integers of this tensor as float32; of a tensor without scale, the values as they are."""
        if self.scale is None:
            return values
        return (values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)

    def __str__(self) -> str:
        return (
            f"{self.dtype} ({', '.join('n' if side is None else str(side) for side in self.shape)})"
        )


class TFLiteFile:
    """An exported model, checked and ready to run on the CPU.

    Not for several threads at once: give each its own.

    Args:
        path: a `.tflite` file.
        threads: of the CPU, 1 when None.

    Attributes:
        path: the file.
        signatures: the names under which it can be run; empty for a file without signatures, whose
            only graph is run as None.

    Raises:
        UserError: for a file that is missing, is none of TFLite, was cut short, or needs operators
            that ai-edge-litert lacks.
    """

    path: Path
    signatures: tuple[str, ...]
    _runners: dict[str | None, Any]

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None):
        check_path("path", path)
        check_whole("threads", threads, optional=True)
        self.path = expanded(path)
        check(self.path)
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(
                f"{str(self.path)!r} needs ai-edge-litert, which cannot be imported"
                f" ({brief(error)}): pip install rotkeras-device."
            ) from error
        try:
            count = None if threads is None else int(threads)  # not a number of NumPy
            self._interpreter = Interpreter(model_path=str(self.path), num_threads=count)
            self._interpreter.allocate_tensors()
            self.signatures = tuple(self._interpreter.get_signature_list())
            self._runners = {
                name: self._interpreter.get_signature_runner(name) for name in self.signatures
            }
            if not self.signatures:
                self._runners = {None: _MainGraph(self._interpreter)}
            self._inputs = {
                name: _tensors(runner.get_input_details()) for name, runner in self._runners.items()
            }
            self._outputs = {
                name: _tensors(runner.get_output_details())
                for name, runner in self._runners.items()
            }
        except (ValueError, RuntimeError) as error:
            raise refusal(self.path, error) from error

    def inputs(self, signature: str | None) -> dict[str, Tensor]:
        """What a signature takes, by name; of a file without signatures (None), by the names of its
        tensors.

        Raises:
            UserError: for a signature that the file does not have.
        """
        return dict(self._inputs[self._known(signature)])

    def outputs(self, signature: str | None) -> dict[str, Tensor]:
        """What a signature gives, by name; errors as of `inputs`."""
        return dict(self._outputs[self._known(signature)])

    def run(
        self, signature: str | None, /, *, dequantized: bool = True, **inputs: Any
    ) -> dict[str, NDArray[Any]]:
        """One pass.

        Args:
            signature: one of `signatures`, or None for the graph of a file without signatures.
            dequantized: turn quantized outputs into float32 by their scale; False gives their
                integers.
            inputs: every input of the signature: an array of its dtype and shape, or a Python
                number for a scalar.

        Returns:
            The outputs by name, as arrays of their own.

        Raises:
            UserError: for an unknown signature, and for inputs that are missing, unknown, or of
                another dtype or shape.
        """
        expected = self._inputs[self._known(signature)]
        if inputs.keys() != expected.keys():
            raise UserError(
                f"{self._of(signature)} takes {_names(expected)}, got {_names(inputs)}; pass each"
                " of its inputs by name."
            )
        arrays = {
            name: self._checked(signature, name, tensor, inputs[name])
            for name, tensor in expected.items()
        }
        try:
            results = self._runners[signature](**arrays)
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"{self._of(signature)} could not be run ({brief(error)}): export the file again."
            ) from error
        outputs = self._outputs[signature]
        return {
            name: np.asarray(outputs[name].dequantized(each) if dequantized else each)
            for name, each in results.items()
        }

    def associated_file(self, name: str) -> bytes | None:
        """The content of a file packed with the model (`angles.txt`, `labels.txt`), None when there
        is none of that name.

        Raises:
            UserError: when it is damaged.
        """
        if not zipfile.is_zipfile(self.path):
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name) if name in archive.namelist() else None
        except (
            zipfile.BadZipFile,
            OSError,
            NotImplementedError,
            RuntimeError,
            ValueError,
            EOFError,
        ) as error:
            raise UserError(
                f"{name} in {str(self.path)!r} is damaged ({brief(error)}); copy or export it"
                " again."
            ) from error

    def _known(self, signature: str | None) -> str | None:
        if signature not in self._runners:
            raise UserError(
                f"{str(self.path)!r} has no signature {signature!r}; it has"
                f" {_names(self.signatures)}."
            )
        return signature

    def _checked(
        self, signature: str | None, name: str, tensor: Tensor, value: Any
    ) -> NDArray[Any]:
        array = np.asarray(
            value, tensor.dtype if isinstance(value, int | float) and tensor.shape == () else None
        )
        fits = len(array.shape) == len(tensor.shape) and all(
            side > 0 if expected is None else side == expected
            for side, expected in zip(array.shape, tensor.shape, strict=True)
        )
        if array.dtype != tensor.dtype or not fits:
            raise UserError(
                f"{name!r} of {self._of(signature)} must be {tensor}, got {array.dtype}"
                f" {array.shape}; convert it."
            )
        return np.ascontiguousarray(array) if array.shape else array

    def _of(self, signature: str | None) -> str:
        return (
            f"signature {signature!r} of {str(self.path)!r}" if signature else f"{str(self.path)!r}"
        )


class _MainGraph:
    """The graph of a file without signatures, in the form of a signature's runner."""

    def __init__(self, interpreter: Any):
        self._interpreter = interpreter

    def get_input_details(self) -> dict[str, Any]:
        return {details["name"]: details for details in self._interpreter.get_input_details()}

    def get_output_details(self) -> dict[str, Any]:
        return {details["name"]: details for details in self._interpreter.get_output_details()}

    def __call__(self, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        indices = {name: details["index"] for name, details in self.get_input_details().items()}
        for name, array in inputs.items():
            self._interpreter.resize_tensor_input(indices[name], array.shape)
        self._interpreter.allocate_tensors()
        for name, array in inputs.items():
            self._interpreter.set_tensor(indices[name], array)
        self._interpreter.invoke()
        return {
            name: self._interpreter.get_tensor(details["index"])
            for name, details in self.get_output_details().items()
        }


def _tensor(details: dict[str, Any]) -> Tensor:
    sides = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
    scale, zero_point = details["quantization"]
    shape = tuple(None if side < 0 else int(side) for side in sides)
    return Tensor(np.dtype(details["dtype"]), shape, float(scale) or None, int(zero_point))


def _tensors(details: dict[str, dict[str, Any]]) -> dict[str, Tensor]:
    return {name: _tensor(each) for name, each in details.items()}


def _names(names: Any) -> str:
    return ", ".join(repr(name) for name in names) or "none"
