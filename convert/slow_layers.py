"""Which layers make an int8 file slower than its float32 file: what XNNPACK leaves aside, and each layer's own time.

XNNPACK, the fast kernels in every TFLite runtime, has no int8 version of some operations (hard-swish). Those run on
TFLite's own kernels, and XNNPACK's part of the model is torn at each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from convert.graph import Layer, layers_of, match_layers, read_layers, read_model, schema, write_model
from edge.timing import time_alternating

_TOLD = 3  # operations that a warning names at most
_LEAST = 0.1  # of all time lost: less isn't worth a word


@dataclass(frozen=True)
class LayerTime:
    """How long a layer takes by itself, on one thread.

    Attributes:
        title: The layer as the Keras model calls it.
        operation: Such as "HARD_SWISH".
        int8_ms: Median in the int8 file, milliseconds.
        float32_ms: Median in the float32 file.
        has_xnnpack: Whether XNNPACK runs it in the int8 file.
    """

    title: str
    operation: str
    int8_ms: float
    float32_ms: float
    has_xnnpack: bool


def layers_without_xnnpack(content: bytes) -> list[Layer]:
    """Return the layers of a .tflite that XNNPACK leaves to TFLite's own kernels, in order; all where it isn't there.

    The runtime lists each part that XNNPACK took as a node of its own behind the layers, with what goes in and out:
    what lies between the two was taken.
    """
    interpreter = _load(content)
    layers = read_layers(content)
    writers = {layer.output: layer for layer in layers}
    taken: set[int] = set()
    for node in interpreter._get_ops_details()[len(layers) :]:
        given = {int(tensor) for tensor in node["inputs"]}
        waiting = [int(tensor) for tensor in node["outputs"]]
        while waiting:
            layer = writers.get(waiting.pop())
            if layer is not None and layer.index not in taken:
                taken.add(layer.index)
                waiting += [tensor for tensor in layer.inputs if tensor not in given]
    return [layer for layer in layers if layer.index not in taken]


def time_layers(float_model: bytes, quantized: bytes) -> list[LayerTime]:
    """Time each layer of an int8 file beside the same layer in float32, as models of one operation each.

    Args:
        float_model: The float32 .tflite.
        quantized: The int8 .tflite of the same model.

    Returns:
        In the order of execution. Their sum is more than the model's time: each call has its own cost.
    """
    ours, theirs = read_model(float_model), read_model(quantized)
    aside = {layer.index for layer in layers_without_xnnpack(quantized)}
    times = []
    for exact, rounded in match_layers(layers_of(ours), layers_of(theirs)):
        actions = [_runner(single_layer(ours, exact)), _runner(single_layer(theirs, rounded))]
        float32, int8 = time_alternating(actions, warmup_s=0.005, min_runs=20, min_s=0.01)
        times.append(
            LayerTime(
                title=exact.title,
                operation=exact.operation,
                int8_ms=float(np.median(int8)),
                float32_ms=float(np.median(float32)),
                has_xnnpack=rounded.index not in aside,
            )
        )
    return times


def slower_layers(times: Sequence[LayerTime]) -> list[LayerTime]:
    """Return the layers that take longer in int8 than in float32, those that lose most time first."""
    slower = [each for each in times if each.int8_ms > each.float32_ms]
    return sorted(slower, key=lambda each: each.float32_ms - each.int8_ms)


def explain(times: Sequence[LayerTime]) -> str:
    """Return in one line which operations make an int8 file slow; empty where none is slower than in float32."""
    groups: dict[str, list[LayerTime]] = defaultdict(list)
    for each in slower_layers(times):
        groups[each.operation].append(each)
    lost = {name: sum(each.int8_ms - each.float32_ms for each in group) for name, group in groups.items()}
    told = []
    for name in sorted(groups, key=lambda name: -lost[name])[:_TOLD]:
        if lost[name] < _LEAST * sum(lost.values()):
            break
        group = groups[name]
        without = sum(not each.has_xnnpack for each in group)
        layers = "1 layer" if len(group) == 1 else f"{len(group)} layers"
        why = ", which XNNPACK leaves aside in int8" if without == len(group) else ""
        told.append(f"{name} ({layers}{why}) loses {lost[name]:.2f} ms")
    return "; ".join(told)


def single_layer(model: Any, layer: Layer) -> bytes:
    """Return a .tflite of one layer of a model: what it reads beside its weights is its input.

    Args:
        model: Objects of `convert.graph.read_model`.
        layer: One of its layers.
    """
    (graph,) = model.subgraphs
    operator = graph.operators[layer.index]
    used = dict.fromkeys(int(tensor) for tensor in (*operator.inputs, *operator.outputs) if tensor >= 0)
    place = {tensor: number for number, tensor in enumerate(used)}
    single, part = schema.ModelT(), schema.SubGraphT()
    single.version, single.operatorCodes = model.version, [model.operatorCodes[operator.opcodeIndex]]
    single.buffers, part.tensors = [schema.BufferT()], []  # the first buffer is empty by TFLite's rule
    given = []
    for tensor in used:
        copy = schema.TensorT()
        copy.__dict__ = dict(graph.tensors[tensor].__dict__)
        buffer = model.buffers[copy.buffer]
        constant = buffer.data is not None and len(buffer.data) > 0
        copy.buffer = len(single.buffers) if constant else 0
        if constant:
            single.buffers.append(buffer)
        elif tensor in layer.inputs:
            given.append(place[tensor])
        part.tensors.append(copy)
    only = schema.OperatorT()
    only.__dict__ = dict(operator.__dict__)
    only.opcodeIndex = 0
    only.inputs = [place.get(int(tensor), -1) for tensor in operator.inputs]
    only.outputs = [place[int(tensor)] for tensor in operator.outputs]
    part.inputs, part.outputs, part.operators = given, only.outputs, [only]
    single.subgraphs = [part]
    return write_model(single)


def _load(content: bytes) -> Interpreter:
    """Return an interpreter on one thread, with XNNPACK as on the device."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _runner(content: bytes) -> Callable[[], None]:
    """Return what runs a model once, on zeros."""
    interpreter = _load(content)
    for each in interpreter.get_input_details():
        interpreter.set_tensor(each["index"], np.zeros(each["shape"], each["dtype"]))
    run: Callable[[], None] = interpreter.invoke
    return run
