"""A Keras model to .onnx: float32, or float16 with float32 at its ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from convert.onnx_names import merge_constants, name_by_layer

if TYPE_CHECKING:
    import onnx
    import tf_keras as keras

OPSET = 17  # what onnxruntime, OpenCV's dnn and onnxruntime-web all read


def to_float32(model: keras.Model, batch: int | None = 1) -> bytes:
    """Convert without quantization: raw pixels float32 (batch, height, width, 3) in, scores float32 (batch, n) out.

    Equal models give equal bytes; the tensors bear the names of the Keras layers.

    Args:
        model: The float model; its first layer scales raw pixels.
        batch: Images an inference takes; None for any number.
    """
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec([batch, *model.input_shape[1:]], tf.float32, name="image")]
    proto, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=OPSET)
    merge_constants(proto)
    name_by_layer(proto, model.name)
    proto.graph.name = model.name  # without tf2onnx's remark of what it did
    return _serialize(proto)


def to_float16(model: keras.Model, batch: int | None = 1) -> bytes:
    """Convert to float16 weights and arithmetic, half the size; see `to_float32` for all else.

    Pixels and scores stay float32, so that whoever runs the float32 file runs this one: browsers and NumPy on a device
    have no float16 tensors, or slow ones.
    """
    import onnx

    proto = onnx.load_from_string(to_float32(model, batch))
    _halve(proto)
    onnx.checker.check_model(proto)
    return _serialize(proto)


def _halve(proto: onnx.ModelProto) -> None:
    """Turn all float32 inside a model into float16, with a Cast behind its input and one before its output, in place.

    onnxruntime carries a converter too, for transformers; importing it leaves a folder with modules called `models` and
    `metrics` on the import path.
    """
    import onnx
    from onnx import TensorProto, numpy_helper

    graph = proto.graph
    for constant in graph.initializer:
        if constant.data_type == TensorProto.FLOAT:
            constant.CopyFrom(numpy_helper.from_array(_to_half(numpy_helper.to_array(constant)), constant.name))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            elif attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(numpy_helper.from_array(_to_half(numpy_helper.to_array(attribute.t))))
    first, last = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.input[:] = [f"{first}/half" if name == first else name for name in node.input]
        node.output[:] = [f"{last}/half" if name == last else name for name in node.output]
    half, single = TensorProto.FLOAT16, TensorProto.FLOAT
    graph.node.insert(0, onnx.helper.make_node("Cast", [first], [f"{first}/half"], f"{first}/half", to=half))
    graph.node.append(onnx.helper.make_node("Cast", [f"{last}/half"], [last], f"{last}/single", to=single))


def _to_half(values: np.ndarray) -> np.ndarray:
    """Round to float16; what is too large becomes the largest, not infinity."""
    largest = np.finfo(np.float16).max
    return np.clip(values, -largest, largest).astype(np.float16)


def _serialize(proto: onnx.ModelProto) -> bytes:
    """Return a model's bytes, the same ones for the same model."""
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized
