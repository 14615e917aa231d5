"""A float model and the ranges of its layers' outputs to an int8 .tflite, without calibration photos."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from convert.fake_quant import with_rounding
from convert.fold import scaling
from convert.layer_ranges import input_range
from edge.errors import TinySightError


def to_int8(folded: keras.Model, ranges: Mapping[str, tuple[float, float]], batch: int | None = 1) -> bytes:
    """Convert to full integer: int8 inside, raw pixels uint8 in, scores uint8 out.

    The input's scale and zero point are those of the layer "scale", which costs the device nothing then. Kernels are
    left to the converter, which takes their own ranges, one for each output channel, as training did: a kernel that is
    rounded in the graph makes it fail for dense layers ('tfl.transpose' op has mismatched quantized axes).

    Args:
        folded: A model as `convert.fold.fold` gives it.
        ranges: Lowest and highest value of each layer's output, as `convert.layer_ranges.measure_ranges` gives them.
        batch: Images in a call; None for any number.

    Raises:
        TinySightError: If the converted input isn't raw pixels, or something is left float.
    """
    rounding = with_rounding(folded, ranges, kernels=False)
    lowest, highest = input_range(folded)

    @tf.function(input_signature=[tf.TensorSpec([batch, *folded.input_shape[1:]], tf.float32, name="image")])
    def function(image: tf.Tensor) -> tf.Tensor:
        return rounding(tf.quantization.fake_quant_with_min_max_args(image, lowest, highest), training=False)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], rounding)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")  # they are in the graph
        converted: bytes = converter.convert()
    _check(converted, *scaling(folded))
    return converted


def _check(converted: bytes, scale: float, zero_point: int) -> None:
    """Make sure that the input's bytes are grey levels and that all is integer."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=converted)
    given, _ = interpreter.get_input_details()[0]["quantization"], interpreter.allocate_tensors()
    if abs(given[0] / scale - 1) > 1e-5 or given[1] != zero_point:
        raise TinySightError(
            f"The int8 input has {given} as scale and zero point, raw pixels need {(scale, zero_point)}"
        )
    floats = [each["name"] for each in interpreter.get_tensor_details() if each["dtype"] == np.float32]
    if floats:
        raise TinySightError(f"Expected integers alone in the int8 model, {len(floats)} are float: {floats[0]}")
