"""The rungs of `convert.ladder` for a .tflite: from plain post-training quantization to whatever else there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from convert import ptq, ranges
from convert.graph import read_layers
from convert.ladder import Rung
from convert.sensitivity import rank_layers
from convert.slow_layers import layers_without_xnnpack

IN_FLOAT = (1, 2, 4, 8, 16)  # layers in float, rung by rung


def ptq_rungs(
    float_model: bytes, images: npt.NDArray[np.uint8], plain: Callable[[], bytes] | None = None
) -> Iterator[Rung]:
    """Yield the post-training rungs, the cheapest first; what a rung needs to know is measured when it is reached.

    Plain quantization; ranges without the outliers, of equal size and speed; then those layers in float that gain the
    answer most. Layers that XNNPACK has no int8 kernel for go to float with them: they are quicker there.

    Args:
        float_model: A float32 .tflite that takes raw pixels, batch 1.
        images: Calibration photos (N, height, width, 3) uint8 RGB of the training split.
        plain: Makes the first rung's file where the caller has its own way; else it is made here, equal to the bit in
            what it answers.
    """
    yield Rung(f"int8, {len(images)} photos", plain or (lambda: _plain(float_model, images)))
    clipped = ranges.clipped(ranges.observe(float_model, images), float_model)
    whole = ptq.quantize(float_model, clipped)
    yield Rung(f"int8, ranges without the outermost {ranges.CLIPPED:.2%} of values", lambda: whole)

    def in_float(names: Sequence[str]) -> bytes:
        return ptq.quantize(float_model, clipped, list(dict.fromkeys((*slow, *ptq.with_sources(float_model, names)))))

    slow = slow_in_int8(float_model, whole)
    ranked = [name for name, _ in rank_layers(float_model, in_float, images)]
    titles = {layer.name: layer.title for layer in read_layers(float_model)}
    for count in dict.fromkeys(min(count, len(ranked)) for count in IN_FLOAT if ranked):
        names = ranked[:count]
        layers = "1 layer" if count == 1 else f"{count} layers"
        told = ", ".join(titles[name] for name in names)
        yield Rung(f"int8, {layers} in float with what they read: {told}", partial(in_float, names))


def slow_in_int8(float_model: bytes, quantized: bytes) -> list[str]:
    """Return the layers that XNNPACK runs in float but leaves aside in int8, such as hard-swish, by name.

    The softmax isn't among them: a handful of numbers, and quicker as it is.
    """
    quick = {layer.name for layer in read_layers(float_model)}
    quick -= {layer.name for layer in layers_without_xnnpack(float_model)}
    return [
        layer.name
        for layer in layers_without_xnnpack(quantized)
        if layer.name in quick and layer.operation not in ("SOFTMAX", "QUANTIZE", "DEQUANTIZE")
    ]


def _plain(float_model: bytes, images: npt.NDArray[np.uint8]) -> bytes:
    """Quantize as the converter does: from the smallest to the largest value of each activation."""
    return ptq.quantize(float_model, ranges.widest(ranges.observe(float_model, images)))
