"""Post-training quantization of a float .tflite with ranges of our own choice, whole or with layers left in float.

`tf.lite.TFLiteConverter` measures and quantizes in one go: asking again with one layer less costs the measuring, most
of the time, again. Its second half alone, which the converter's own debugger calls too, takes a second or two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from convert.graph import PASSING, Layer, layers_of, read_layers, read_model, schema, write_model
from convert.ranges import Ranges

_RAW_PIXELS = (0.0, 255.0)


def quantize(float_model: bytes, ranges: Ranges, float_layers: Collection[str] = ()) -> bytes:
    """Quantize a float .tflite: int8 inside, raw pixels uint8 in, scores uint8 out.

    Args:
        float_model: A .tflite without quantization that takes raw pixels.
        ranges: Of each activation by name, from `convert.ranges`; the input's is 0-255 whatever they say.
        float_layers: Names of layers that stay in float32, their weights too.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    quantized: bytes = mlir_quantize(
        _with_ranges(float_model, ranges),
        input_data_type=tf.uint8,
        output_data_type=tf.uint8,
        denylisted_nodes=list(float_layers) or None,
    )
    return quantized


def with_sources(float_model: bytes, names: Iterable[str]) -> list[str]:
    """Return the names of layers and of those that they read from, as `quantize` takes them.

    A layer alone in float still reads activations of 256 steps. Where they are what hurts, channels of very different
    size under one scale, only float on both sides of them helps.
    """
    layers = read_layers(float_model)
    writers = {layer.output: layer for layer in layers}
    by_name = {layer.name: layer for layer in layers}
    chosen: dict[str, None] = {}
    for name in names:
        chosen |= dict.fromkeys((name, *(source.name for source in _sources(by_name[name], writers))))
    return list(chosen)


def _sources(layer: Layer, writers: dict[int, Layer]) -> list[Layer]:
    """Return the layers that calculate what this one reads, and those that hand it on in between."""
    found = []
    for tensor in layer.inputs:
        if tensor in writers:
            found.append(writers[tensor])
            if writers[tensor].operation in PASSING:
                found += _sources(writers[tensor], writers)
    return found


def _with_ranges(float_model: bytes, ranges: Ranges) -> bytes:
    """Return the model with each activation's range written where the converter's quantizer looks for it."""
    model = read_model(float_model)
    (graph,) = model.subgraphs
    spans = {layer.output: ranges[layer.name] for layer in layers_of(model)}
    spans |= {int(tensor): _RAW_PIXELS for tensor in graph.inputs}
    for tensor, (low, high) in spans.items():
        parameters = schema.QuantizationParametersT()
        parameters.min, parameters.max = np.array([low], np.float32), np.array([high], np.float32)
        graph.tensors[tensor].quantization = parameters
    return write_model(model)
