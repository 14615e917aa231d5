"""The operations of a .tflite file by name: read from the flatbuffer and written back, without running it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

# What only changes how a number is written, not which number it is.
CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
# What hands its input on or picks from it, on the same scale: it adds no error of its own.
PASSING = frozenset({"RESHAPE", "PAD", "MAX_POOL_2D", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "STRIDED_SLICE"})

_OPERATIONS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_CALCULATES = re.compile(r"/(Conv2D|depthwise|separable_conv2d|MatMul|Mean|MaxPool|AvgPool|add|mul)[\d_]*$")


@dataclass(frozen=True)
class Layer:
    """One operation of a .tflite file.

    Attributes:
        index: Its place in the order of execution.
        name: The name of its output, which the converter keeps in every scheme.
        operation: Such as "CONV_2D".
        inputs: Indices of the tensors that it reads, weights among them.
        output: Index of the first tensor that it writes.
    """

    index: int
    name: str
    operation: str
    inputs: tuple[int, ...]
    output: int

    @property
    def title(self) -> str:
        """The name as a reader knows it from the Keras model: "conv_1" of "cnn/conv_1/Relu;cnn/conv_1/Conv2D"."""
        pieces = [piece for piece in self.name.split(";") if "/" in piece]
        if not pieces:  # the converter called it by its place, such as StatefulPartitionedCall:0 for the model's end
            own = self.name.partition(":")[0]
            return self.operation.lower() if own.startswith("StatefulPartitionedCall") else own
        piece = next((piece for piece in pieces if _CALCULATES.search(piece)), pieces[0])
        path = piece.split("/")
        return "/".join(path[1:-1] if len(path) > 2 else path[:-1])


def read_model(content: bytes) -> Any:
    """Return a .tflite file's flatbuffer as objects (`schema.ModelT`); what is appended to the file is left aside."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))


def write_model(model: Any) -> bytes:
    """Return the .tflite file of objects that `read_model` gave."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def layers_of(model: Any) -> list[Layer]:
    """Return the operations of a model's one graph, in the order of execution."""
    (graph,) = model.subgraphs
    layers = []
    for index, operator in enumerate(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        # Old files write the small numbers in the deprecated field, new ones in both.
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        output = int(operator.outputs[0])
        inputs = tuple(int(tensor) for tensor in operator.inputs if tensor >= 0)
        layers.append(Layer(index, graph.tensors[output].name.decode(), _OPERATIONS[number], inputs, output))
    return layers


def read_layers(content: bytes) -> list[Layer]:
    """Return the operations of a .tflite file, in the order of execution."""
    return layers_of(read_model(content))


def match_layers(one: list[Layer], other: list[Layer]) -> list[tuple[Layer, Layer]]:
    """Return the layers that two schemes of one model have in common, in order.

    By their order where both do the same operations but for conversions, else by their names. Training with rounding
    renames all and has no scaling of the pixels: then by the order of what both do. A layer whose result is converted
    at the end of the file, to uint8 scores, counts as itself.
    """
    ours, theirs = ([layer for layer in each if layer.operation not in CONVERSIONS] for each in (one, other))
    if [layer.operation for layer in ours] == [layer.operation for layer in theirs]:
        return list(zip(ours, theirs, strict=True))
    named = {layer.name: layer for layer in theirs}
    pairs = [(layer, named[layer.name]) for layer in ours if layer.name in named]
    if len(pairs) > len(theirs) / 2:
        return pairs
    blocks = SequenceMatcher(
        None, [each.operation for each in ours], [each.operation for each in theirs], autojunk=False
    ).get_matching_blocks()
    return [(ours[one + step], theirs[other + step]) for one, other, size in blocks for step in range(size)]
