"""A Keras model to .onnx, float32."""

from __future__ import annotations

import logging

import tensorflow as tf
import tf_keras as keras

OPSET = 17  # what onnxruntime, OpenCV's dnn and onnxruntime-web all read


def to_float32(model: keras.Model, batch: int | None = 1) -> bytes:
    """Convert without quantization: raw pixels float32 (batch, height, width, 3) in, scores (batch, classes) out.

    Args:
        model: The float model.
        batch: Images in a call; None leaves it free.
    """
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec([batch, *model.input_shape[1:]], tf.float32, name="image")]
    converted, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=OPSET)
    serialized: bytes = converted.SerializeToString()
    return serialized
