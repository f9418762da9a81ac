"""Quantisation operator by operator, where TensorFlow's converter treats all of them alike."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from rotkeras.device.notes import without_notes
from rotkeras.export.metadata import packed
from rotkeras.export.operators import name_of
from rotkeras.export.profiles import Numbers

_PRODUCTS = ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D")
_COMPARED = 64
_MOST_FEATURES = 4096
TOLERATED = 0.005
"""Share of the variance of features that rounding may add as noise before operators are left out of
int8."""

Operator = tuple[str, str]
"""(name of the operator, name of its output)."""


def quantize(
    model: bytes, numbers: Numbers, images: NDArray[np.uint8], signature: str = "embed"
) -> bytes:
    """Quantise convolutions and dense layers of a float32 TFLite file, and leave the rest as it is.

    Additions, hard-swish and squeeze-and-excite stay in float32: in int8 they are slower than in
    float32 and lose accuracy, while nearly all weights and operations are in the layers that are
    quantised.

    Args:
        model: a float32 TFLite file of images.
        numbers: "dynamic" has int8 weights; the inputs of convolutions and dense layers are
            quantised by the range of each image as it runs. Depthwise convolutions have few weights
            and compute in float32, because their dynamic kernels are slow. "mixed" computes all
            three in int8, by ranges of the calibration images, except those that lose too much by
            it (`sensitive`), which are as in "dynamic". "int16x8" computes in int16 with int8
            weights.
        images: uint8 (n, S, S, 3), for the ranges of "mixed" and "int16x8".
        signature: of images.

    Returns:
        The quantised file. Weights are scaled channel by channel, symmetrically; ranges go from the
        least to the greatest number of any calibration image.

    Reference:
        Jacob et al., CVPR 2018, section 3; Krishnamoorthi, Quantizing deep convolutional networks
        for efficient inference, 2018, sections 3.1 and 4.1.
    """
    operators = products(model)
    if numbers == "dynamic":
        return _quantized(model, (), operators, None)
    ranges = _ranges(model, operators, images, signature)
    if numbers == "int16x8":
        return _quantized(model, operators, (), ranges, 16)
    left = sensitive(model, operators, ranges, images[:_COMPARED], signature)
    return _quantized(model, [each for each in operators if each not in left], left, ranges)


def sensitive(
    model: bytes,
    operators: Sequence[Operator],
    ranges: Any,
    images: NDArray[np.uint8],
    signature: str,
) -> list[Operator]:
    """The operators to leave out of int8: the fewest, by the noise that each makes alone, without
    which rounding adds at most `TOLERATED` of the variance of the features as noise.

    A few channels of a residual stream may be a hundred times as large as the others, which int8
    then rounds away: a classifier of classes needs them, though the pretext task did not.

    Args:
        model: the float32 file.
        operators: all that can be quantised.
        ranges: of their inputs and outputs.
        images: uint8 (n, S, S, 3), to compare features on.
        signature: of images.
    """
    exact = _features(model, images, signature)

    def noise(int8: Sequence[Operator]) -> float:
        others = [each for each in operators if each not in int8]
        made = _quantized(model, int8, others if len(int8) > 1 else (), ranges)
        return added_noise(exact, _features(made, images, signature))

    if noise(operators) <= TOLERATED:
        return []
    alone = {each: noise([each]) for each in operators}
    worst = sorted(operators, key=lambda each: -alone[each])
    count = 1
    while count < len(worst) and noise(worst[count:]) > TOLERATED:
        count = max(count + 1, count * 5 // 4)
    return worst[:count]


def added_noise(exact: NDArray[np.floating], rounded: NDArray[np.floating]) -> float:
    """The mean squared error of features (n, d) as a share of the variance of each, averaged: what
    a linear classifier of standardised features sees."""
    variance = np.maximum(exact.var(axis=0), 1e-12)
    return float(np.mean(((rounded - exact) ** 2).mean(axis=0) / variance))


def products(model: bytes) -> list[Operator]:
    """The convolutions and dense layers of a file, in their order."""
    tree: Any = schema.Model.GetRootAs(model)
    graph = tree.Subgraphs(0)
    found = []
    for position in range(graph.OperatorsLength()):
        operator = graph.Operators(position)
        name = name_of(tree.OperatorCodes(operator.OpcodeIndex()))
        if name in _PRODUCTS:
            found.append((name, graph.Tensors(operator.Outputs(0)).Name().decode()))
    return found


def _features(model: bytes, images: NDArray[np.uint8], signature: str) -> NDArray[np.float32]:
    from ai_edge_litert.interpreter import Interpreter

    with without_notes():
        run = Interpreter(model_content=model).get_signature_runner(signature)
    names = sorted(run.get_output_details())
    rows = []
    for image in images:
        made = run(images=image[None])
        # Of maps and of several outputs every number is a feature; some of many are enough.
        rows.append(np.concatenate([_some(made[name].ravel()) for name in names]))
    return np.stack(rows)


def _some(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[:: max(1, -(-len(values) // _MOST_FEATURES))]


def _ranges(
    model: bytes, operators: Sequence[Operator], images: NDArray[np.uint8], signature: str
) -> Any:
    """The least and the greatest number of each input and output of the operators.

    The quantizer's own rule, a moving average, clips what few images reach: the least cosine of a
    MobileNetV3Small was 0.12 by it, and is 0.96 by least and greatest.
    """
    from litert_quantizer.calibrator import Calibrator
    from litert_quantizer.recipe_manager import RecipeManager
    from litert_quantizer.utils.qsv_utils import min_max_update

    recipe: Any = RecipeManager()
    _configure(recipe, operators, (), 8)
    with without_notes(), _without_output():
        calibrator = Calibrator(model, num_threads=1, qsv_update_func=min_max_update)
        calibrator.calibrate({signature: [{"images": image[None]} for image in images]}, recipe)
    return calibrator.get_model_qsvs()


def _quantized(
    model: bytes,
    static: Sequence[Operator],
    dynamic: Sequence[Operator],
    ranges: Any,
    bits: int = 8,
) -> bytes:
    from litert_quantizer import Quantizer

    with without_notes(), _without_output():
        quantizer = Quantizer(model)
        _configure(quantizer, static, dynamic, bits)
        quantized = quantizer.quantize(
            ranges, enable_progress_bar=False, enable_progress_report=False
        )
    return _with_buffers_inside(bytes(quantized.quantized_model))


def _configure(
    recipe: Any, static: Sequence[Operator], dynamic: Sequence[Operator], bits: int
) -> None:
    """Say how each operator is to compute."""
    from litert_quantizer.qtyping import TFLOperationName

    for name, output in static:
        kind = TFLOperationName(name)
        recipe.add_static_config(_only(output), kind, activation_num_bits=bits, weight_num_bits=8)
    for name, output in dynamic:
        kind = TFLOperationName(name)
        if name == "DEPTHWISE_CONV_2D":
            recipe.add_weight_only_config(_only(output), kind, num_bits=8)
        else:
            recipe.add_dynamic_config(_only(output), kind, num_bits=8)


def _only(output: str) -> str:
    """A pattern for the operator of this output alone: one name may begin another."""
    return f"^{re.escape(output)};?$"


def _with_buffers_inside(model: bytes) -> bytes:
    """The quantizer puts weights behind the flatbuffer; here they are inside, as TensorFlow's
    converter has them."""
    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model)))
    for each in tree.buffers:
        if each.size:
            each.data = np.frombuffer(model, np.uint8, each.size, each.offset)
            each.offset = each.size = 0
    return packed(tree, len(model))


@contextlib.contextmanager
def _without_output() -> Iterator[None]:
    """The quantizer prints what it does."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield
