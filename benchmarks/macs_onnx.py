"""Counts the multiply-accumulates of a .onnx file; see `benchmarks.macs`."""

from __future__ import annotations

import importlib
import importlib.util
import math
from typing import Any

from benchmarks.macs import Work, total

# By operation: which of its inputs holds the weights. The quantized ones have scales and zero points between.
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "FusedConv": 1}
_PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "Gemm": 1, "FusedMatMul": 1, "FusedGemm": 1}
_UNKNOWN = frozenset({"LSTM", "GRU", "RNN", "If", "Loop", "Scan", "Attention", "Einsum", "ConvTranspose"})


def count_onnx(data: bytes) -> Work:
    """Count those of a .onnx file's bytes for one image."""
    if importlib.util.find_spec("onnx") is None:
        return Work(None, reason="counting needs the package onnx")
    onnx: Any = importlib.import_module("onnx")
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(data))
    except Exception as error:  # protobuf's errors and onnx's share no base class but this one
        return Work(None, reason=f"the file's graph can't be read: {(str(error) or 'no model').splitlines()[0]}")
    graph = model.graph
    shapes = {value.name: _shape(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type in _float_types(onnx)}
    parts = []
    for node in graph.node:
        if node.op_type in _UNKNOWN:
            return Work(None, reason=f"it holds {node.op_type}, whose work isn't counted")
        place = (_CONVOLUTIONS | _PRODUCTS).get(node.op_type)
        if place is None:
            continue
        weights, out = shapes.get(node.input[place]), shapes.get(node.output[0])
        first = shapes.get(node.input[0])
        if not weights or not out or not first:
            return Work(None, reason=f"the file doesn't tell the shapes of its {node.op_type}")
        if node.op_type in _CONVOLUTIONS:
            count = math.prod(out) * math.prod(weights[1:])  # (out, in per group, height, width)
        else:
            transposed = any(each.name == "transA" and each.i for each in node.attribute)
            count = math.prod(out) * first[-2 if transposed else -1]
        is_integer = "Integer" in node.op_type or "QLinear" in node.op_type or node.input[place] in dequantized
        parts.append((count, is_integer and node.input[place] not in floats))
    return total(parts)


def _shape(value: Any) -> list[int]:
    """Return a value's shape, a free size as 1: one image is asked about; empty where it isn't known."""
    return [dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim]


def _float_types(onnx: Any) -> frozenset[int]:
    """Return onnx's numbers of floating-point types."""
    return frozenset(getattr(onnx.TensorProto, name) for name in ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16"))
