"""Scales for int8 weights that no processor's kernels overflow with.

x86 without VNNI multiplies uint8 activations with int8 weights in pairs and adds each pair in 16 bits (VPMADDUBSW),
which saturates beyond 32,767: 255 * (127 + 127) is twice that. The file then answers otherwise on such a laptop than
on a Raspberry Pi. onnxruntime's remedies are weights of 7 bits everywhere, or another kernel that is as slow as
float. Here each channel's scale is as small as it can be with no pair of one sign beyond 128: 255 * 128 fits. Few
channels have their two largest weights side by side, so that costs a fraction of a bit rather than one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LARGEST, _LARGEST_PAIR = 127, 128


def choose_scales(proto: Any) -> dict[str, tuple[int, npt.NDArray[np.float32]]]:
    """Return for each weight of a float graph the axis of its output channels and their scales.

    Args:
        proto: An onnx.ModelProto in which no two nodes share a weight.
    """
    from onnx import numpy_helper

    constants = {each.name: each for each in proto.graph.initializer}
    chosen = {}
    for node in proto.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in constants:
            continue
        weights = numpy_helper.to_array(constants[node.input[1]])
        if node.op_type == "Conv":
            axis = 0
            rows = np.moveaxis(weights, 1, -1).reshape(len(weights), -1)  # the kernels walk channels first, then places
        elif weights.ndim == 2:
            transposed = node.op_type == "Gemm" and any(each.name == "transB" and each.i for each in node.attribute)
            axis = 0 if transposed else 1
            rows = weights if transposed else weights.T
        else:
            continue
        chosen[node.input[1]] = axis, scales_of(rows)
    return chosen


def scales_of(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the scales (channels,) for weights (channels, n) in the order in which the kernels multiply them."""
    rows = rows.astype(np.float64)
    if rows.shape[1] % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    pairs = rows.reshape(len(rows), -1, 2)
    largest = np.abs(rows).max(axis=1) / _LARGEST
    sums = np.maximum(np.maximum(pairs, 0).sum(axis=2), np.maximum(-pairs, 0).sum(axis=2)).max(axis=1) / _LARGEST_PAIR
    scales = np.maximum(largest, sums)
    # Both of a pair may round up; then the scale grows until none is beyond.
    for _ in range(8):
        whole = np.rint(pairs / np.where(scales > 0, scales, 1)[:, None, None])
        over = np.maximum(np.maximum(whole, 0).sum(axis=2), np.maximum(-whole, 0).sum(axis=2)).max(axis=1)
        if (over <= _LARGEST_PAIR).all():
            break
        scales = np.where(over > _LARGEST_PAIR, scales * (over + 0.5) / (_LARGEST_PAIR + 0.5), scales)
    return np.where(scales > 0, scales, 1).astype(np.float32)
