"""A float32 .onnx to int8: QDQ, uint8 in and out, small, and with no operation left in float.

onnxruntime's own quantizer does the work; what is around it makes the file small and fast, and its answers the same on
every device.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.onnx_names import merge_constants, shorten
from convert.onnx_pixels import Pixels, cut_off_scaling, take_raw_pixels
from convert.onnx_weights import choose_scales

Ranges = Mapping[str, tuple[float, float]]
SCORE_SCALE = 1 / 255  # of uint8 scores, zero point 0: known without asking, as .onnx has no place to write it

# They move numbers, and run as integers only where both sides have one scale: what goes in decides.
_PASSING_ON = {"Flatten", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def to_int8(float32_onnx: bytes, images: npt.NDArray[np.uint8], *, ranges: Ranges | None = None) -> bytes:
    """Quantize to raw pixels uint8 (batch, height, width, 3) in, scores uint8 (batch, classes) of `SCORE_SCALE` out.

    Where the model doesn't end in a softmax or sigmoid, its output stays float32. Equal inputs give equal bytes.

    Args:
        float32_onnx: A model of `to_onnx.to_float32`.
        images: Calibration images (N, height, width, 3) uint8 RGB.
        ranges: Known ranges (low, high) by tensor, as `ranges_by_layer` gives them; the others are measured.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory(prefix="quantizing-") as name, quiet():
        folder = Path(name)
        proto, pixels = prepare(float32_onnx, folder)
        overrides = _overrides(proto, pixels, ranges or {})
        onnx.save(proto, folder / "float.onnx")
        quantize_static(
            folder / "float.onnx",
            folder / "int8.onnx",
            _Reader(proto, pixels, images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,  # signed ones halve the speed on x86
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            # The second: a flattening or pooling right behind the input is quantized too.
            extra_options={"TensorQuantOverrides": overrides, "ForceQuantizeNoInputCheck": True},
        )
        quantized = onnx.load(folder / "int8.onnx")
    take_raw_pixels(quantized, pixels)
    _give_raw_scores(quantized)
    _split_gemms(quantized)
    return _pack(quantized)


def ranges_by_layer(float32_onnx: bytes, layers: Ranges) -> dict[str, tuple[float, float]]:
    """Return the ranges of Keras layers' outputs under the names that these have in a model of `to_onnx.to_float32`.

    Args:
        float32_onnx: The model, which bears the layers' names.
        layers: (low, high) of what each layer gives, its activation included, by the layer's name. A layer that left no
            tensor of its own, such as a dropout or the scaling of the pixels, is passed over.
    """
    import onnx

    last: dict[str, str] = {}
    proto = onnx.load_from_string(float32_onnx)
    scores = {each.name for each in proto.graph.output}
    for node in proto.graph.node:
        for name in node.output:
            layer = name.partition("/")[0]
            if name in scores:  # theirs is 0-1
                continue
            if node.op_type not in _PASSING_ON or layer not in last:  # a global average is squeezed at its end
                last[layer] = name
    return {last[layer]: limits for layer, limits in layers.items() if layer in last}


class _Reader:
    """Feeds the calibration images in batches of the model's own size, turned to float32 one batch at a time."""

    def __init__(self, proto: Any, pixels: Pixels, images: npt.NDArray[np.uint8]) -> None:
        self._name, self._pixels, self._images = proto.graph.input[0].name, pixels, images
        self._batch = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
        self._next = 0

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        """Return the next batch; None after the last."""
        if self._next >= len(self._images):
            return None
        places = np.arange(self._next, self._next + self._batch).clip(max=len(self._images) - 1)
        self._next += self._batch
        return {self._name: self._pixels.to_real(self._images[places])}


def prepare(float32_onnx: bytes, folder: Path) -> tuple[Any, Pixels]:
    """Return the float graph that is quantized, and what was cut off its start.

    Constants are folded and paddings merged into convolutions: each would be an operation more.

    Args:
        float32_onnx: A model of `to_onnx.to_float32`.
        folder: For files on the way.

    Returns:
        An onnx.ModelProto, and how pixels become what it takes.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    given, prepared = folder / "given.onnx", folder / "prepared.onnx"
    given.write_bytes(float32_onnx)
    quant_pre_process(given, prepared, skip_symbolic_shape=True)
    proto = onnx.load(prepared)
    pixels = cut_off_scaling(proto)
    _unshare(proto)
    return proto, pixels


def _unshare(proto: Any) -> None:
    """Give each node constants of its own, in place: the scale of a bias is that of its node's input and weights."""
    merge_constants(proto)  # and drops those of the nodes that were taken out
    constants = {each.name: each for each in proto.graph.initializer}
    used: set[str] = set()
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            if name in constants and name in used:
                copy = proto.graph.initializer.add()
                copy.CopyFrom(constants[name])
                copy.name = node.input[place] = f"{node.output[0]}/own_{place}"
            used.add(name)


def _overrides(proto: Any, pixels: Pixels, ranges: Ranges) -> dict[str, list[dict[str, Any]]]:
    """Return what the quantizer is told rather than let measure: pixels, scores, weights and known ranges."""
    graph = proto.graph
    overrides: dict[str, list[dict[str, Any]]] = {}
    inside = {name for node in graph.node for name in node.output if node.op_type not in _PASSING_ON}
    for name, (low, high) in ranges.items():
        if name in inside:
            overrides[name] = [{"rmin": np.float32(min(low, 0)), "rmax": np.float32(max(high, 0))}]
    for name, (axis, scales) in choose_scales(proto).items():
        overrides[name] = [{"axis": axis, "scale": scale, "zero_point": 0} for scale in scales]
    overrides[graph.input[0].name] = [_exactly(pixels.scale, pixels.zero_point)]
    if _gives_probabilities(proto):
        overrides[graph.output[0].name] = [_exactly(SCORE_SCALE, 0)]
    return overrides


def _exactly(scale: float, zero_point: int) -> dict[str, Any]:
    """Return the override of a uint8 tensor."""
    return {"scale": np.array(scale, np.float32), "zero_point": np.array(zero_point, np.uint8)}


def _gives_probabilities(proto: Any) -> bool:
    """Tell whether the model's output lies in 0-1 by its kind."""
    name = proto.graph.output[0].name
    return any(name in node.output and node.op_type in ("Softmax", "Sigmoid") for node in proto.graph.node)


def _give_raw_scores(proto: Any) -> None:
    """Leave the DequantizeLinear at the end out, in place, where what goes into it has the scale of scores."""
    from onnx import TensorProto, numpy_helper

    graph = proto.graph
    answer = graph.output[0]
    (last,) = [node for node in graph.node if answer.name in node.output]
    constants = {each.name: each for each in graph.initializer}
    if last.op_type != "DequantizeLinear" or last.input[1] not in constants:
        return
    if numpy_helper.to_array(constants[last.input[1]]) != np.float32(SCORE_SCALE):
        return
    graph.node.remove(last)
    for node in graph.node:
        node.output[:] = [answer.name if name == last.input[0] else name for name in node.output]
    answer.type.tensor_type.elem_type = TensorProto.UINT8


def _split_gemms(proto: Any) -> None:
    """Write Gemm as MatMul and Add, in place: OpenCV fails on an int8 Gemm, onnxruntime puts them together again."""
    from onnx import helper

    for place, node in reversed(list(enumerate(proto.graph.node))):
        others = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        plain = others.get("alpha", 1) == 1 == others.get("beta", 1) and not (
            others.get("transA") or others.get("transB")
        )
        if node.op_type != "Gemm" or len(node.input) != 3 or not plain:
            continue
        product = f"{node.output[0]}/product"
        proto.graph.node.insert(place + 1, helper.make_node("Add", [product, node.input[2]], [node.output[0]]))
        node.op_type = "MatMul"
        node.output[0] = product
        del node.input[2:], node.attribute[:]


def _pack(proto: Any) -> bytes:
    """Return the model's bytes, without what no runtime needs."""
    import onnx

    merge_constants(proto)
    shorten(proto)
    del proto.metadata_props[:]
    proto.ClearField("producer_version")
    # The optimizer declares every domain that it knows; strict readers refuse those that they don't.
    used = {node.domain for node in proto.graph.node}
    kept = [each for each in proto.opset_import if each.domain in used]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    onnx.checker.check_model(proto)
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the quantizer's advice out of our output; it speaks through the root logger."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
