"""A Keras model to .onnx, float32."""

from __future__ import annotations

import logging

import tensorflow as tf
import tf_keras as keras

OPSET = 17  # what onnxruntime, OpenCV's dnn and onnxruntime-web all read


def to_float32(model: keras.Model) -> bytes:
    """Convert without quantization: raw pixels float32 (1, height, width, 3) in, scores float32 (1, classes) out."""
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="image")]
    converted, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=OPSET)
    serialized: bytes = converted.SerializeToString()
    return serialized
