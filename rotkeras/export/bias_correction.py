"""Taking back what int8 rounding adds to every embedding alike.

Rounded weights and activations shift the mean of each feature a little, and a linear classifier
takes a shift for a difference of classes. The shift is measured on the calibration images and taken
from the biases of the last convolution, which cost nothing.

Reference: Nagel, van Baalen, Blankevoort, Welling, Data-Free Quantization Through Weight
Equalization and Bias Correction, ICCV 2019, section 4.2, in its empirical form.
"""

import struct
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_ROUNDS = 4
_PASSED_THROUGH = ("MEAN", "PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "DEQUANTIZE", "QUANTIZE")


def correct_bias(
    model: bytes,
    images: NDArray[np.uint8],
    embeddings: NDArray[np.float32],
    active: NDArray[np.floating],
) -> tuple[bytes, bool]:
    """Correct the biases of the last convolution of signature `embed`, where they alone shift the
    embeddings.

    Args:
        model: an int8 TFLite file.
        images: uint8 (n, S, S, 3), those it was calibrated on.
        embeddings: float32 (n, d), what Keras gives for them, averages of a feature map after ReLU.
        active: (d,), the share of positions of the map that are above zero: how much of a shift of
            the bias arrives.

    Returns:
        (the file, whether it was corrected). A file of another structure, and one that gets no
        better, comes back as it is.
    """
    place = _bias_of_last_convolution(model)
    if place is None or len(place[1]) != embeddings.shape[1]:
        return model, False
    offset, scales = place
    best, content = None, bytearray(model)
    kept = model
    for _ in range(_ROUNDS):
        shift = (_embed(bytes(content), images) - embeddings).mean(axis=0)
        error = float(np.abs(shift).sum())
        if best is not None and error >= best:
            break
        best, kept = error, bytes(content)
        biases = np.frombuffer(content, "<i4", len(scales), offset)
        steps = np.rint(shift / np.maximum(active, 0.05) / scales).astype(np.int64)
        struct.pack_into(
            f"<{len(scales)}i",
            content,
            offset,
            *np.clip(biases - steps, -(2**31), 2**31 - 1).tolist(),
        )
    return kept, kept != model


def _embed(model: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=model).get_signature_runner("embed")
    scale, zero_point = run.get_output_details()["embedding"]["quantization"]
    rows = np.concatenate([run(images=image[None])["embedding"] for image in images]).astype(
        np.float32
    )
    return (rows - zero_point) * np.float32(scale) if scale else rows


def _bias_of_last_convolution(model: bytes) -> tuple[int, NDArray[np.float64]] | None:
    """(where its int32 biases begin in the file, the scale of each), when nothing but pooling
    follows it and nobody shares them."""
    tree: Any = schema.Model.GetRootAs(model)
    graph = _graph_of_embed(tree)
    if graph is None:
        return None
    makers = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        makers.update(
            {operator.Outputs(number): operator for number in range(operator.OutputsLength())}
        )
    tensor = graph.Outputs(0)
    while (operator := makers.get(tensor)) is not None and _name(tree, operator) in _PASSED_THROUGH:
        tensor = operator.Inputs(0)
    if operator is None or _name(tree, operator) != "CONV_2D" or operator.InputsLength() < 3:
        return None
    biases = graph.Tensors(operator.Inputs(2))
    buffer = tree.Buffers(biases.Buffer())
    scales = biases.Quantization().ScaleAsNumpy() if biases.Quantization() is not None else 0
    users = sum(
        tree.Subgraphs(each).Tensors(number).Buffer() == biases.Buffer()
        for each in range(tree.SubgraphsLength())
        for number in range(tree.Subgraphs(each).TensorsLength())
    )
    whole = (
        isinstance(scales, np.ndarray)
        and buffer.DataLength() == 4 * len(scales)
        and biases.Type() == schema.TensorType.INT32
    )
    if not whole or users != 1:
        return None
    return int(buffer._tab.Vector(buffer._tab.Offset(4))), np.asarray(scales, np.float64)


def _graph_of_embed(tree: Any) -> Any:
    for index in range(tree.SignatureDefsLength()):
        signature = tree.SignatureDefs(index)
        if signature.SignatureKey() == b"embed":
            return tree.Subgraphs(signature.SubgraphIndex())
    return None


def _name(tree: Any, operator: Any) -> str:
    from rotkeras.export.operators import name_of

    return name_of(tree.OperatorCodes(operator.OpcodeIndex()))
