"""A Keras model to .tflite: float32, or full integer with uint8 in and out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from edge.errors import TinySightError


def to_float32(model: keras.Model) -> bytes:
    """Convert without quantization: raw pixels float32 (1, height, width, 3) in, scores float32 (1, classes) out."""
    converted: bytes = _converter(model).convert()
    return converted


def to_int8(model: keras.Model, images: npt.NDArray[np.uint8]) -> bytes:
    """Convert to full integer: int8 inside, raw pixels uint8 in, scores uint8 out.

    Args:
        model: The float model; its first layer scales raw pixels.
        images: Calibration images (N, height, width, 3) uint8 RGB that span 0-255.

    Raises:
        TinySightError: If one step of the converted input is not one grey level.
    """

    def representative_dataset() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image in images:
            yield [image[np.newaxis].astype(np.float32)]

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]  # an operation left float is an error
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    converted: bytes = converter.convert()
    _check_raw_pixels(converted)
    return converted


def _converter(model: keras.Model) -> tf.lite.TFLiteConverter:
    """Return a converter of the model at a batch fixed to 1: browsers and NPUs refuse a dynamic one."""
    signature = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="image")
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(signature)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], model)


def _check_raw_pixels(converted: bytes) -> None:
    """Make sure that the input's bytes are grey levels: scale 1, zero point 0."""
    from ai_edge_litert.interpreter import Interpreter

    scale, zero_point = Interpreter(model_content=converted).get_input_details()[0]["quantization"]
    if abs(scale * 255 - 255) > 1e-3 or zero_point != 0:
        raise TinySightError(f"The int8 input has scale {scale}, zero point {zero_point}; raw pixels need 1 and 0")
