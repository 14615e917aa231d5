"""A Keras model to .tflite: float32, float16, dynamic range, or full integer with uint8 in and out.

Every function takes `batch`, images in a call: browsers and NPUs refuse any but a fixed one, None leaves it free.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from edge.errors import TinySightError


def to_float32(model: keras.Model, batch: int | None = 1) -> bytes:
    """Convert without quantization: raw pixels float32 (batch, height, width, 3) in, scores float32 out."""
    return _convert(_converter(model, batch))


def to_float16(model: keras.Model, batch: int | None = 1) -> bytes:
    """Convert with weights stored in float16, half the size; pixels and scores float32, calculated in float32."""
    converter = _converter(model, batch)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _convert(converter)


def to_dynamic_range(model: keras.Model, batch: int | None = 1) -> bytes:
    """Convert with int8 weights and no calibration: activations are quantized anew in each call; float32 in and out.

    Dense layers get one scale for all their weights: with one for each channel they are an operation of 2024, which
    tflite-runtime refuses and TFLite's own kernels fail at.
    """
    converter = _converter(model, batch)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return _convert(converter)


def to_int8(model: keras.Model, images: npt.NDArray[np.uint8], batch: int | None = 1) -> bytes:
    """Convert to full integer: int8 inside, raw pixels uint8 in, scores uint8 out.

    Args:
        model: The float model; its first layer scales raw pixels.
        images: Calibration images (N, height, width, 3) uint8 RGB that span 0-255.
        batch: Images in a call.

    Raises:
        TinySightError: If one step of the converted input is not one grey level.
    """
    size = batch or 1

    def representative_dataset() -> Iterator[list[npt.NDArray[np.float32]]]:
        for start in range(0, len(images), size):
            some = images[np.arange(start, start + size) % len(images)]  # a last, short batch is filled from the front
            yield [some.astype(np.float32)]

    converter = _converter(model, batch)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]  # an operation left float is an error
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    converted = _convert(converter)
    _check_raw_pixels(converted)
    return converted


def _converter(model: keras.Model, batch: int | None) -> tf.lite.TFLiteConverter:
    """Return a converter of the model for a number of images in a call."""
    signature = tf.TensorSpec([batch, *model.input_shape[1:]], tf.float32, name="image")
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(signature)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], model)


def _convert(converter: tf.lite.TFLiteConverter) -> bytes:
    """Return what a converter makes, without its advice on parameters of TensorFlow 1."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        converted: bytes = converter.convert()
    return converted


def _check_raw_pixels(converted: bytes) -> None:
    """Make sure that the input's bytes are grey levels: scale 1, zero point 0."""
    from ai_edge_litert.interpreter import Interpreter

    scale, zero_point = Interpreter(model_content=converted).get_input_details()[0]["quantization"]
    if abs(scale * 255 - 255) > 1e-3 or zero_point != 0:
        raise TinySightError(f"The int8 input has scale {scale}, zero point {zero_point}; raw pixels need 1 and 0")
