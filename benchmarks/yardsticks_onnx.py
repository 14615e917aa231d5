"""The models of `benchmarks.yardsticks` as .onnx files, for onnxruntime."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.yardsticks import LAYERS, PIXEL_SCALE, SIZE, STEP, WEIGHT_STEP, weights_of

_OPSET, _IR = 17, 9  # what convert writes too; onnxruntime refuses what is newer than itself


def busy_onnx(is_int8: bool) -> bytes:
    """Return a .onnx of MACS multiply-accumulates, in int8 (uint8 pixels, quantized and back) or float32.

    Raises:
        ImportError: If onnx is not installed.
    """
    file = _File()
    kind = file.onnx.TensorProto.UINT8 if is_int8 else file.onnx.TensorProto.FLOAT
    last = "image"
    if is_int8:
        last = file.add("DequantizeLinear", [last, *file.add_scale("pixel", PIXEL_SCALE, np.uint8)], "pixels")
    last = file.add("Transpose", [last], "channels_first", perm=[0, 3, 1, 2])
    for layer in range(LAYERS + 2):
        last = _add_convolution(file, layer, last, is_int8)
    last = file.add("Reshape", [last, file.add_constant("flat", np.array([1, SIZE * SIZE], np.int64))], "scores")
    return file.pack((1, SIZE, SIZE, 3), kind, (1, SIZE * SIZE), file.onnx.TensorProto.FLOAT)


def empty_onnx() -> bytes:
    """Return a .onnx that hands three bytes on.

    Raises:
        ImportError: If onnx is not installed.
    """
    file = _File()
    file.add("Reshape", ["image", file.add_constant("flat", np.array([1, 3], np.int64))], "scores")
    kind = file.onnx.TensorProto.UINT8
    return file.pack((1, 1, 1, 3), kind, (1, 3), kind)


def _add_convolution(file: _File, layer: int, given: str, is_int8: bool) -> str:
    """Add a 1x1 convolution with ReLU and return its output."""
    weights = weights_of(layer)
    laid = weights.reshape(*weights.shape, 1, 1)
    if not is_int8:
        kernel = file.add_constant(f"weights_{layer}", laid.astype(np.float32) * np.float32(WEIGHT_STEP))
        return file.add("Relu", [file.add("Conv", [given, kernel], f"sums_{layer}")], f"layer_{layer}")
    quantized = file.add_constant(f"weights_{layer}", laid)
    kernel = file.add(
        "DequantizeLinear",
        [quantized, *file.add_scale(f"weight_{layer}", WEIGHT_STEP, np.int8)],
        f"real_weights_{layer}",
    )
    last = file.add("Relu", [file.add("Conv", [given, kernel], f"sums_{layer}")], f"positive_{layer}")
    scale = file.add_scale(f"step_{layer}", STEP, np.uint8)
    return file.add(
        "DequantizeLinear", [file.add("QuantizeLinear", [last, *scale], f"bytes_{layer}"), *scale], f"l{layer}"
    )


class _File:
    """A .onnx in the making, of one graph."""

    def __init__(self) -> None:
        self.onnx: Any = importlib.import_module("onnx")
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add_constant(self, name: str, values: npt.NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self._constants.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def add_scale(self, name: str, scale: float, kind: type) -> list[str]:
        """Add a scale with a zero point of 0 and return the names of both."""
        step = self.add_constant(f"{name}_scale", np.array(scale, np.float32))
        return [step, self.add_constant(f"{name}_zero", np.array(0, kind))]

    def add(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operation and return its output's name."""
        self._nodes.append(self.onnx.helper.make_node(operation, inputs, [output], **attributes))
        return output

    def pack(self, given: tuple[int, ...], given_kind: int, result: tuple[int, ...], result_kind: int) -> bytes:
        """Return the file that takes "image" and gives "scores"."""
        describe, helper = self.onnx.helper.make_tensor_value_info, self.onnx.helper
        inputs, outputs = [describe("image", given_kind, given)], [describe("scores", result_kind, result)]
        graph = helper.make_graph(self._nodes, "yardstick", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET)]
        content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=_IR).SerializeToString()
        return content
