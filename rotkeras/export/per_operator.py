"""Quantisation operator by operator, where TensorFlow's converter treats all of them alike."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from rotkeras.device.notes import without_notes
from rotkeras.export.metadata import packed
from rotkeras.export.profiles import Numbers

_PRODUCTS = ("CONV_2D", "FULLY_CONNECTED")
_DEPTHWISE = "DEPTHWISE_CONV_2D"


def quantize(
    model: bytes, numbers: Numbers, images: NDArray[np.uint8], signature: str = "embed"
) -> bytes:
    """Quantise convolutions and dense layers of a float32 TFLite file, and leave the rest as it is.

    Additions, hard-swish and squeeze-and-excite stay in float32: in int8 they are slower than in
    float32 and lose accuracy, while nearly all weights and operations are in the layers that are
    quantised.

    Args:
        model: a float32 TFLite file.
        numbers: "dynamic" has int8 weights; the inputs of convolutions and dense layers are
            quantised by the range of each image as it runs. Depthwise convolutions have few weights
            and compute in float32, because their dynamic kernels are slow. "mixed" computes all
            three in int8, by ranges of the calibration images; "int16x8" in int16 with int8
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
    from litert_quantizer import Quantizer
    from litert_quantizer.calibrator import Calibrator
    from litert_quantizer.qtyping import TFLOperationName
    from litert_quantizer.recipe_manager import RecipeManager
    from litert_quantizer.utils.qsv_utils import min_max_update

    recipe: Any = RecipeManager()
    products = [TFLOperationName(name) for name in _PRODUCTS]
    depthwise = TFLOperationName(_DEPTHWISE)
    for operator in products if numbers == "dynamic" else [*products, depthwise]:
        if numbers == "dynamic":
            recipe.add_dynamic_config(".*", operator, num_bits=8)
        else:
            bits = 16 if numbers == "int16x8" else 8
            recipe.add_static_config(".*", operator, activation_num_bits=bits, weight_num_bits=8)
    if numbers == "dynamic":
        recipe.add_weight_only_config(".*", depthwise, num_bits=8)
    ranges = None
    with without_notes(), _without_output():
        if numbers != "dynamic":
            # Its own rule, a moving average, clips what few images reach: the least cosine of a
            # MobileNetV3Small was 0.12 by it, and is 0.96 by least and greatest.
            calibrator = Calibrator(model, num_threads=1, qsv_update_func=min_max_update)
            calibrator.calibrate({signature: [{"images": image[None]} for image in images]}, recipe)
            ranges = calibrator.get_model_qsvs()
        quantizer = Quantizer(model)
        quantizer.load_quantization_recipe(recipe.get_quantization_recipe())
        quantized = quantizer.quantize(
            ranges, enable_progress_bar=False, enable_progress_report=False
        )
    return _with_buffers_inside(bytes(quantized.quantized_model))


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
