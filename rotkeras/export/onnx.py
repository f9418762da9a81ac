"""Encoders as ONNX files, written by Keras' own exporter and run by ONNX Runtime."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.device.notes import without_notes
from rotkeras.errors import UserError, brief
from rotkeras.export.metadata import Description
from rotkeras.export.parts import Parts, as_parts
from rotkeras.export.profiles import INSTALL, missing_packages
from rotkeras.files import as_text, check_writable, temporary_folder, write_whole
from rotkeras.images import sides_of


@checked
def to_onnx(
    network: keras.Model | Parts, path: AnyPath, description: Description | None = None
) -> Path:
    """Write an encoder as an ONNX file.

    Args:
        network: an encoder such as `rotkeras.backbones.taps.cut` makes, a backbone or classifier
            with taps, or its `parts_of`.
        path: the file to write; it is written whole or not at all.
        description: metadata; None writes none.

    Returns:
        The path. The file takes images, uint8 (B, S, S, 3), for any B, and gives embedding, float32
        (B, d).

    Raises:
        UserError: where the packages are not installed, and for a network that has no ONNX form.
    """
    if lacking := missing_packages():
        raise UserError(f"The profile onnx needs {', '.join(lacking)}: {INSTALL}.")
    import onnx

    parts, path = as_parts(network), check_writable(path, "path")
    size = parts.input_size
    signature = [keras.InputSpec(dtype="uint8", shape=(None, *sides_of(size), 3), name="images")]
    with temporary_folder() as folder, without_notes(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        file = folder / "encoder.onnx"
        try:
            parts.embed.export(str(file), format="onnx", verbose=False, input_signature=signature)
        except Exception as error:
            raise UserError(
                f"The network {parts.embed.name!r} cannot be written as ONNX ({brief(error)}). Cut"
                " it at an earlier tap, or leave the profile onnx out."
            ) from error
        model: Any = onnx.load(str(file))
    _rename_output(model, "embedding")
    if description is not None:
        model.doc_string = description.text
        known = {
            "name": description.name,
            "author": description.author,
            "licence": description.licence,
        }
        onnx.helper.set_model_props(model, {key: value for key, value in known.items() if value})
    content = model.SerializeToString()
    write_whole(path, lambda working: working.write_bytes(content))
    return path


def _rename_output(model: Any, name: str) -> None:
    """The exporter calls an output by its last operation: Identity:0."""
    old = model.graph.output[0].name
    model.graph.output[0].name = name
    for node in model.graph.node:
        for place, each in enumerate(node.output):
            if each == old:
                node.output[place] = name
        for place, each in enumerate(node.input):
            if each == old:
                node.input[place] = name


class OnnxFile:
    """An ONNX file run by ONNX Runtime, with the methods of `rotkeras.device.TFLiteFile` that a
    proof calls.

    Args:
        path: of the file.
        threads: of the CPU.

    Raises:
        UserError: for a file that ONNX Runtime cannot load.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime  # type: ignore[import-untyped,unused-ignore]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise UserError(
                f"ONNX Runtime cannot load {as_text(str(path))!r} ({brief(error)})."
            ) from error

    @property
    def signatures(self) -> Sequence[str]:
        """ONNX has one."""
        return ("embed",)

    def inputs(self, name: str) -> dict[str, str]:
        """{input: its dtype and shape in words}."""
        return {each.name: _words(each) for each in self.session.get_inputs()}

    def outputs(self, name: str) -> dict[str, str]:
        """{output: its dtype and shape in words}."""
        return {each.name: _words(each) for each in self.session.get_outputs()}

    def run(self, name: str, **inputs: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """The outputs for some inputs, by name."""
        names = [each.name for each in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, inputs), strict=True))


def onnx_operators(path: Path) -> dict[str, int]:
    """{operator: how often} of a file."""
    import onnx

    counts: dict[str, int] = {}
    for node in onnx.load(str(path)).graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return dict(sorted(counts.items()))


def _words(tensor: Any) -> str:
    kind = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}.get(tensor.type, tensor.type)
    shape = ", ".join(str(side) if isinstance(side, int) else "B" for side in tensor.shape)
    return f"{kind} ({shape})"
