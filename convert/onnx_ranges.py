"""Which range of real numbers each int8 activation of a .onnx spans, without the few values that lie farthest out.

`convert.ranges` does the same for a .tflite, whose activations have other names.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.onnx_int8 import prepare, quiet
from convert.ranges import CLIPPED, Observed, span


def clipped(
    float32_onnx: bytes, images: npt.NDArray[np.uint8], share: float = CLIPPED, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Measure the outputs of all operations over the calibration photos; return a range for each, by its name.

    Args:
        float32_onnx: A model of `to_onnx.to_float32`.
        images: Calibration images (N, height, width, 3) uint8 RGB.
        share: Of the values that are cut off on each side, 0-1.
        seed: Fixes which values are kept.

    Returns:
        (low, high) as `onnx_int8.to_int8` takes them.
    """
    import onnxruntime
    from onnx import TensorProto, helper

    with tempfile.TemporaryDirectory(prefix="measuring-") as folder, quiet():
        proto, pixels = prepare(float32_onnx, Path(folder))
    scores = {each.name for each in proto.graph.output}
    names = [name for node in proto.graph.node for name in node.output if name not in scores]
    proto.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    (given,) = session.get_inputs()
    batch = given.shape[0] if isinstance(given.shape[0], int) else 1
    observed, random = {name: Observed() for name in names}, np.random.default_rng(seed)
    for start in range(0, len(images), batch):
        some = images[np.arange(start, start + batch).clip(max=len(images) - 1)]
        answers = session.run(names, {given.name: pixels.to_real(some)})
        for name, values in zip(names, answers, strict=True):
            observed[name].add(values.reshape(-1), random)
    return {name: span(each, share) for name, each in observed.items()}
