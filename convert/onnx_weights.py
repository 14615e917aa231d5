"""Scales for int8 weights that no processor's kernels overflow with.

x86 without VNNI multiplies uint8 activations with int8 weights in pairs and adds each pair in 16 bits (VPMADDUBSW),
which saturates beyond 32,767: 255 * (127 + 127) is twice that. The file then answers otherwise on such a laptop than
on a Raspberry Pi. onnxruntime's remedies are weights of 7 bits everywhere, or another kernel that is as slow as
float. Here each channel's scale is as small as it can be with no pair of one sign beyond 128: 255 * 128 fits. Few
channels have their two largest weights side by side, so that costs a fraction of a bit rather than one. Depthwise
convolutions have kernels that multiply one by one, in 32 bits, and so the whole range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST, LARGEST_PAIR = 127, 128
SMALLEST = 1e-30  # of a scale: weights below are nothing, and float32 has few digits left for them


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
            axis, rows = (
                0,
                np.moveaxis(weights, 1, -1).reshape(len(weights), -1),
            )  # the kernels walk channels, then places
        elif weights.ndim == 2:
            transposed = node.op_type == "Gemm" and any(each.name == "transB" and each.i for each in node.attribute)
            axis, rows = (0, weights) if transposed else (1, weights.T)
        else:
            continue
        in_pairs = node.op_type != "Conv" or weights.shape[1] > 1
        chosen[node.input[1]] = axis, scales_of(rows, in_pairs=in_pairs)
    return chosen


def scales_of(rows: npt.NDArray[np.float32], *, in_pairs: bool) -> npt.NDArray[np.float32]:
    """Return the scales (channels,) of weights.

    Args:
        rows: Weights (channels, n) in the order in which the kernels multiply them.
        in_pairs: Whether no pair may add up to more than fits in 16 bits with any activations.
    """
    pairs = np.pad(rows.astype(np.float32), ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)
    scales = np.abs(pairs).max(axis=(1, 2)) / np.float32(LARGEST)
    if in_pairs:
        scales = np.maximum(scales, _largest_sums(pairs) / np.float32(LARGEST_PAIR + 1))  # both may be rounded down
    scales = np.where(scales > SMALLEST, scales, np.float32(1))  # a channel of nothing but zeros
    beyond = np.arange(len(rows) if in_pairs else 0)
    while len(beyond):
        whole = np.rint(pairs[beyond] / scales[beyond, None, None])
        beyond = beyond[_largest_sums(whole) > LARGEST_PAIR]
        scales[beyond] *= np.float32(1.002)  # little by little: a coarse step would cost resolution
    return scales


def _largest_sums(pairs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return for each channel the largest that a pair (channels, n, 2) adds up to if activations pick the worst."""
    positive, negative = np.maximum(pairs, 0).sum(axis=2), np.maximum(-pairs, 0).sum(axis=2)
    return np.maximum(positive, negative).max(axis=1)
