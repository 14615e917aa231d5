"""Counts a model file's multiply-accumulates: what it has to calculate, whatever runs it.

Read from the file alone, by the schema that ai-edge-litert brings (.tflite) or by onnx (.onnx): neither runs the model,
and where the one that is needed isn't installed the count is None, with the reason. Additions, activations and pooling
are no multiply-accumulates, as in the papers' tables.
"""

from __future__ import annotations

import importlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Arithmetic = Literal["int8", "float32"]
_INT8_TYPES = frozenset({"INT8", "UINT8", "INT4"})
# What holds multiply-accumulates that its shapes alone don't tell, or a graph of its own.
_UNKNOWN = frozenset(
    {"CUSTOM", "IF", "WHILE", "CALL_ONCE", "LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
    | {"UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN"}
)
_UNREADABLE = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Work:
    """What one inference calculates.

    Attributes:
        macs: Multiply-accumulates; None where they can't be counted.
        arithmetic: What most of them multiply; None where there are none.
        reason: Why they can't be counted; empty where they can.
    """

    macs: int | None
    arithmetic: Arithmetic | None = None
    reason: str = ""


def count_macs(path: Path) -> Work:
    """Count the multiply-accumulates of a .tflite or .onnx file for one image."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Work(None, reason=f"could not be read: {error.strerror}")
    if data[4:8] != b"TFL3":
        from benchmarks.macs_onnx import count_onnx

        return count_onnx(data)
    try:
        schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
    except ImportError:
        return Work(None, reason="counting needs the package ai-edge-litert")
    try:
        return _count_tflite(schema, data)
    except _UNREADABLE as error:  # a runtime that took the file read less of it
        return Work(None, reason=f"the file's graph can't be read: {error}")


def total(parts: list[tuple[int, bool]]) -> Work:
    """Add up the multiply-accumulates of layers, each with whether its weights are integers."""
    macs = sum(count for count, _ in parts)
    if not macs:
        return Work(0)
    integers = sum(count for count, is_integer in parts if is_integer)
    return Work(macs, "int8" if 2 * integers >= macs else "float32")


def _count_tflite(schema: Any, data: bytes) -> Work:
    """Count those of a .tflite's first graph."""
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    types = {number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    model = schema.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    parts = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Old files write the small numbers in the deprecated field, new ones in both.
        name = names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "CUSTOM")
        if name in _UNKNOWN or name.startswith("STABLEHLO"):
            return Work(None, reason=f"it holds {name}, whose work the file's shapes don't tell")
        if name not in _COUNTS:
            continue
        given = [int(operator.Inputs(number)) for number in range(operator.InputsLength())]
        tensors = [graph.Tensors(number) for number in (*given[:3], int(operator.Outputs(0))) if number >= 0]
        shapes = [[int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength())] for tensor in tensors]
        options = operator.BuiltinOptions() if name == "BATCH_MATMUL" else None
        count = _COUNTS[name](shapes, _adjoint(schema, options))
        # Dynamic-range files hold float pixels and int8 weights: XNNPACK multiplies integers there too.
        weights = 0 if name == "BATCH_MATMUL" else 1
        parts.append((count, types.get(tensors[weights].Type()) in _INT8_TYPES))
    return total(parts)


def _adjoint(schema: Any, options: Any) -> bool:
    """Tell whether a BATCH_MATMUL takes its first factor transposed."""
    if options is None:
        return False
    table = schema.BatchMatMulOptions()
    table.Init(options.Bytes, options.Pos)
    return bool(table.AdjX())


def _product(numbers: list[int]) -> int:
    """Multiply sizes; a free one (-1) counts once, since one image is asked about."""
    return int(np.prod([abs(number) for number in numbers], dtype=object)) if numbers else 1


# Shapes of the inputs, then of the output. Weights lie (out, height, width, in per group), in a depthwise convolution
# (1, height, width, out), in a fully connected layer (out, in); see TensorFlow's schema.fbs.
_COUNTS: dict[str, Any] = {
    "CONV_2D": lambda shapes, _: _product(shapes[-1]) * _product(shapes[1][1:]),
    "DEPTHWISE_CONV_2D": lambda shapes, _: _product(shapes[-1]) * _product(shapes[1][1:3]),
    "FULLY_CONNECTED": lambda shapes, _: _product(shapes[-1]) * shapes[1][-1],
    # Inputs: the output's shape, weights (out, height, width, in), then the pixels.
    "TRANSPOSE_CONV": lambda shapes, _: _product(shapes[2]) * _product(shapes[1][:3]),
    "CONV_3D": lambda shapes, _: _product(shapes[-1]) * _product(shapes[1][:4]),
    "BATCH_MATMUL": lambda shapes, adjoint: _product(shapes[-1]) * shapes[0][-2 if adjoint else -1],
}
