"""Names inside a .onnx: plain ones that say the Keras layer in a float file, the shortest ones in an int8 file.

tf2onnx numbers its tensors on through a whole process and names merged constants after any of their users, so a second
conversion of the same model is another file; here equal models become equal files. A name of 60 characters appears
three times for every constant, which is a tenth of a small int8 file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def name_by_layer(proto: Any, model_name: str) -> None:
    """Rename all in place: "mobilenet/block_1_add/add__12:0" becomes "block_1_add/add"; a constant is its user's name.

    Args:
        proto: An onnx.ModelProto of tf2onnx, its constants merged.
        model_name: Of the Keras model; tf2onnx puts it before each name.
    """
    if _has_subgraphs(proto):
        return
    constants = {each.name for each in proto.graph.initializer}
    names = _fixed_names(proto)

    def name(old: str, new: str) -> None:
        if old not in names:
            candidates = itertools.chain([new], (f"{new}_{count}" for count in itertools.count(2)))
            taken = set(names.values())
            names[old] = next(each for each in candidates if each not in taken)

    for node in proto.graph.node:
        for old in node.output:
            name(old, re.sub(r"__\d+", "", old).removesuffix(":0").removeprefix(f"{model_name}/"))
        for place, old in enumerate(node.input):
            if old in constants:
                name(old, f"{names[node.output[0]]}/input_{place}")
    _rename(proto, names)
    for node in proto.graph.node:
        node.name = node.output[0]


def shorten(proto: Any) -> None:
    """Rename all tensors in place to a number each and drop the nodes' names; input and output keep theirs."""
    if _has_subgraphs(proto):
        return
    names = _fixed_names(proto)
    numbers = (number for number in _numbers() if number not in names)
    for node in proto.graph.node:
        for old in [*node.input, *node.output]:
            if old not in names:
                names[old] = next(numbers)
    _rename(proto, names)
    for node in proto.graph.node:
        node.ClearField("name")


def merge_constants(proto: Any) -> None:
    """Keep one of each set of equal initialisers, in the order of their first use; drop the unused, in place.

    Those of int8 stay apart: onnxruntime fails on two weights of one zero point where it turns them into uint8, which
    its session option for exact sums on x86 (session.x64quantprecision) asks for.
    """
    if _has_subgraphs(proto):
        return
    constants = {each.name: each for each in proto.graph.initializer}
    first: dict[bytes, str] = {}
    kept = []
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            if name not in constants:
                continue
            anonymous = type(constants[name])()
            anonymous.CopyFrom(constants[name])
            anonymous.ClearField("name")
            content = anonymous.SerializeToString(deterministic=True)
            if anonymous.data_type == anonymous.INT8:
                content += name.encode()
            if content not in first:
                first[content] = name
                kept.append(anonymous)
                anonymous.name = name
            node.input[place] = first[content]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)


def _has_subgraphs(proto: Any) -> bool:
    """Tell whether a node holds a graph of its own, whose names reach out; such a model stays as it is."""
    return any(each.HasField("g") or each.graphs for node in proto.graph.node for each in node.attribute)


def _fixed_names(proto: Any) -> dict[str, str]:
    """Return the names that stay: of inputs and outputs, and "", an optional input that is left out."""
    return {"": ""} | {each.name: each.name for each in [*proto.graph.input, *proto.graph.output]}


def _rename(proto: Any, names: dict[str, str]) -> None:
    """Rename tensors in place; drop the shapes noted for tensors inside, which every reader works out by itself."""
    for node in proto.graph.node:
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for each in proto.graph.initializer:
        each.name = names[each.name]
    del proto.graph.value_info[:]


def _numbers() -> Iterator[str]:
    """Yield 0, 1, ... z, 10, 11, ... in base 36."""
    for length in itertools.count(1):
        for digits in itertools.product(_DIGITS, repeat=length):
            yield "".join(digits)
