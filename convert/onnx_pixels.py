"""The road of the pixels into an int8 .onnx: raw uint8 goes straight into the first convolution.

The layer that scales them is a multiplication and an addition, which an integer tensor says by itself: `scale` times
(pixel - `zero_point`). What the zero point leaves over, half a grey level at most, goes into the bias. Left in the
graph they would be two more passes over the picture and, where -1 to 1 has no integer zero point, a rounding of each
pixel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_TO_NCHW = [0, 3, 1, 2]


@dataclass(frozen=True)
class Pixels:
    """How raw pixels become the values of the float graph's input.

    Attributes:
        scale: Of one grey level.
        zero_point: The grey level that is 0, 0-255.
        to_nchw: Whether the graph takes (N, 3, height, width).
    """

    scale: float
    zero_point: int
    to_nchw: bool

    def to_real(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return what the float graph takes for images (N, height, width, 3) uint8 RGB."""
        real = (images.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)
        return np.ascontiguousarray(real.transpose(_TO_NCHW)) if self.to_nchw else real


RAW = Pixels(scale=1.0, zero_point=0, to_nchw=False)


def cut_off_scaling(proto: Any) -> Pixels:
    """Take the scaling of raw pixels out of a float graph, in place; its input becomes that of its first convolution.

    Args:
        proto: An onnx.ModelProto of one input (N, height, width, 3), raw pixels.

    Returns:
        What was taken out; `RAW`, and the graph untouched, where it doesn't begin so.
    """
    from onnx import helper, numpy_helper

    graph = proto.graph
    constants = {each.name: each for each in graph.initializer}
    name, factor, offset, taken, to_nchw = graph.input[0].name, 1.0, 0.0, [], False
    while True:
        users = [node for node in graph.node if name in node.input]
        if len(users) != 1:
            return RAW
        (node,) = users
        if node.op_type == "Conv" and node.input[0] == name and set(node.input[1:]) <= set(constants):
            break
        if node.op_type == "Transpose" and not to_nchw and list(node.attribute[0].ints) == _TO_NCHW:
            to_nchw = True
        elif node.op_type in ("Mul", "Add") and len(node.input) == 2:
            other = node.input[1] if node.input[0] == name else node.input[0]
            if other not in constants or numpy_helper.to_array(constants[other]).size != 1:
                return RAW
            value = float(numpy_helper.to_array(constants[other]).item())
            factor, offset = (factor * value, offset * value) if node.op_type == "Mul" else (factor, offset + value)
        else:
            return RAW
        taken.append(node)
        name = node.output[0]
    zero_point = round(-offset / factor) if factor > 0 else -1
    if not to_nchw or not 0 <= zero_point <= 255:
        return RAW
    pixels = Pixels(factor, zero_point, to_nchw)
    _add_to_bias(proto, node, offset + factor * zero_point)
    for each in taken:
        graph.node.remove(each)
    given = graph.input[0]
    shape = [dim.dim_value or dim.dim_param for dim in given.type.tensor_type.shape.dim]
    node.input[0] = given.name
    new = helper.make_tensor_value_info(given.name, given.type.tensor_type.elem_type, [shape[i] for i in _TO_NCHW])
    given.CopyFrom(new)
    del graph.value_info[:]
    return pixels


def take_raw_pixels(proto: Any, pixels: Pixels) -> None:
    """Let a quantized graph take (N, height, width, 3) uint8, in place, without the QuantizeLinear at its start."""
    from onnx import TensorProto, helper

    graph = proto.graph
    given = graph.input[0]
    users = [node for node in graph.node if given.name in node.input]
    shape = [dim.dim_value or dim.dim_param for dim in given.type.tensor_type.shape.dim]
    if [node.op_type for node in users] != ["QuantizeLinear"]:  # it begins with something that was left in float
        _rewire(users, given.name, f"{given.name}/real")
        cast = helper.make_node("Cast", [given.name], [f"{given.name}/real"], to=TensorProto.FLOAT)
        graph.node.insert(0, cast)
    elif pixels.to_nchw:
        shape = [shape[0], shape[2], shape[3], shape[1]]
        transpose = helper.make_node("Transpose", [given.name], [users[0].output[0]], perm=_TO_NCHW)
        graph.node.remove(users[0])
        graph.node.insert(0, transpose)
    else:
        _rewire(graph.node, users[0].output[0], given.name)
        graph.node.remove(users[0])
    given.CopyFrom(helper.make_tensor_value_info(given.name, TensorProto.UINT8, shape))


def _rewire(nodes: Iterable[Any], old: str, new: str) -> None:
    """Let nodes take the tensor `new` in place of `old`."""
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]


def _add_to_bias(proto: Any, convolution: Any, value: float) -> None:
    """Let a convolution answer as if `value` were added to its whole input, in place; its padding apart."""
    from onnx import numpy_helper

    if not value:
        return
    constants = {each.name: each for each in proto.graph.initializer}
    name = f"{convolution.output[0]}/bias"
    bias = value * numpy_helper.to_array(constants[convolution.input[1]]).astype(np.float64).sum(axis=(1, 2, 3))
    if len(convolution.input) > 2:
        bias += numpy_helper.to_array(constants[convolution.input[2]])
    proto.graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), name))
    convolution.input[:] = [*convolution.input[:2], name]
