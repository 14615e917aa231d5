"""Models of a known amount of work, made on the spot to measure a machine by: one that multiplies, one that is idle.

They take an image and give scores like any other file, so that they are measured on the same road. The busy one is a
stack of 1x1 convolutions of 256 channels on 16x16 pixels: what a runtime does fastest, and small enough (a layer's
weights and pixels take 64 KB each as int8) for the caches of a Raspberry Pi.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

SIZE, CHANNELS, LAYERS = 16, 256, 8
MACS = SIZE * SIZE * (3 * CHANNELS + LAYERS * CHANNELS * CHANNELS + CHANNELS)
# Scales that keep numbers in range layer after layer: of pixels (0-255 as 0-1), of what layers hand on, of weights.
PIXEL_SCALE, STEP, WEIGHT_STEP = 1 / 255, 1 / 256, 1 / 820


def weights_of(layer: int) -> npt.NDArray[np.int8]:
    """Return a layer's weights (out, in): all that a byte holds but -128, at random; layer 0 takes pixels."""
    inputs, outputs = 3 if layer == 0 else CHANNELS, 1 if layer == LAYERS + 1 else CHANNELS
    return np.random.default_rng(layer).integers(-127, 128, (outputs, inputs), np.int8)


def busy_tflite(is_int8: bool) -> bytes:
    """Return a .tflite of MACS multiply-accumulates, in int8 or float32.

    Raises:
        ImportError: If ai-edge-litert, which knows the format, is not installed.
    """
    file = _File()
    shape = (1, SIZE, SIZE, 3)
    if is_int8:
        pixels = file.add_tensor("image", shape, "UINT8", scale=PIXEL_SCALE)
        last = file.add_tensor("pixels", shape, "INT8", scale=PIXEL_SCALE, zero_point=-128)
        file.add_operator("QUANTIZE", [pixels], last)
    else:
        last = pixels = file.add_tensor("image", shape, "FLOAT32")
    for layer in range(LAYERS + 2):
        last = _add_convolution(file, layer, last, is_int8)
    kind = "INT8" if is_int8 else "FLOAT32"
    scores = file.add_tensor("scores", (1, SIZE * SIZE), kind, scale=STEP if is_int8 else None)
    file.add_reshape(last, scores, (1, SIZE * SIZE))
    return file.pack(pixels, scores)


def empty_tflite() -> bytes:
    """Return a .tflite that hands three bytes on: what it takes is the cost of asking at all.

    Raises:
        ImportError: If ai-edge-litert, which knows the format, is not installed.
    """
    file = _File()
    image, scores = file.add_tensor("image", (1, 1, 1, 3), "UINT8"), file.add_tensor("scores", (1, 3), "UINT8")
    file.add_reshape(image, scores, (1, 3))
    return file.pack(image, scores)


def _add_convolution(file: _File, layer: int, given: int, is_int8: bool) -> int:
    """Add a 1x1 convolution with ReLU and return its output."""
    weights = weights_of(layer)
    outputs = len(weights)
    laid = weights.reshape(outputs, 1, 1, -1)
    kind, shape = "INT8" if is_int8 else "FLOAT32", (1, SIZE, SIZE, outputs)
    if is_int8:
        kernel = file.add_tensor(f"weights_{layer}", laid.shape, kind, laid, scale=WEIGHT_STEP)
        scale = WEIGHT_STEP * (PIXEL_SCALE if layer == 0 else STEP)
        bias = file.add_tensor(f"bias_{layer}", (outputs,), "INT32", np.zeros(outputs, np.int32), scale=scale)
    else:
        kernel = file.add_tensor(f"weights_{layer}", laid.shape, kind, laid.astype(np.float32) * WEIGHT_STEP)
        bias = file.add_tensor(f"bias_{layer}", (outputs,), kind, np.zeros(outputs, np.float32))
    result = file.add_tensor(f"layer_{layer}", shape, kind, scale=STEP if is_int8 else None)
    options = file.schema.Conv2DOptionsT()
    options.strideH = options.strideW = 1
    options.fusedActivationFunction = file.schema.ActivationFunctionType.RELU
    file.add_operator("CONV_2D", [given, kernel, bias], result, "Conv2DOptions", options)
    return result


class _File:
    """A .tflite in the making, of one graph. The schema is untyped: it is generated code."""

    def __init__(self) -> None:
        self.schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
        self._graph = self.schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._buffers = [self.schema.BufferT()]  # the first one is always empty
        self._codes: list[str] = []

    def add_tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: str,
        data: npt.NDArray[Any] | None = None,
        *,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> int:
        """Add a tensor, a constant where it has data, and return its number."""
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), getattr(self.schema.TensorType, kind)
        tensor.buffer = 0
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            tensor.buffer = len(self._buffers)
            self._buffers.append(buffer)
        if scale is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def add_operator(self, name: str, inputs: list[int], output: int, kind: str = "NONE", options: Any = None) -> None:
        """Add an operation by its name in the schema, and its options of a kind."""
        if name not in self._codes:
            self._codes.append(name)
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self._codes.index(name), inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = getattr(self.schema.BuiltinOptions, kind), options
        self._graph.operators.append(operator)

    def add_reshape(self, given: int, result: int, shape: tuple[int, ...]) -> None:
        """Add a RESHAPE."""
        options = self.schema.ReshapeOptionsT()
        options.newShape = list(shape)
        self.add_operator("RESHAPE", [given], result, "ReshapeOptions", options)

    def pack(self, given: int, result: int) -> bytes:
        """Return the file with this input and output."""
        flatbuffers: Any = importlib.import_module("flatbuffers")
        model = self.schema.ModelT()
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [self._graph], self._buffers, []
        self._graph.inputs, self._graph.outputs = [given], [result]
        for name in self._codes:
            code = self.schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(self.schema.BuiltinOperator, name)
            code.version = 3 if name == "CONV_2D" else 1  # the first version that takes int8
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
