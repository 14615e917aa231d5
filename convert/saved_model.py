"""Opens a SavedModel of another: its graph is a program, so its operations are looked at before any of them runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from edge.errors import UserError

_SIGNATURE = "serving_default"

# Operations with a state or an effect that a model needs; others of that kind touch files, tables or Python.
_VARIABLES = {
    "AssignVariableOp",
    "DisableCopyOnRead",
    "PartitionedCall",
    "Placeholder",
    "ReadVariableOp",
    "StatefulPartitionedCall",
    "VarHandleOp",
    "VarIsInitializedOp",
    "RandomStandardNormal",
    "RandomUniform",
    "TruncatedNormal",
}
# What every SavedModel brings along to save and restore itself; where the model itself calls it, it is a trick.
_CHECKPOINTS = {"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"}
_FILES = {"MatchingFiles", "ReadFile", "WriteFile"}  # not all of them are registered as having an effect


def load_saved_model(path: Path) -> tuple[Callable[[Any], Any], tf.TensorSpec]:
    """Load a SavedModel's signature "serving_default".

    Args:
        path: The folder.

    Returns:
        The function, from a tensor of images to one of scores, and what it takes.

    Raises:
        UserError: If it has an operation that no model needs, or not one input and one output.
    """
    _check_operations(path)
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures.get(_SIGNATURE)
    if signature is None:
        raise UserError(f"Expected a signature {_SIGNATURE} in {path}, got {list(loaded.signatures)}; export it again")
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise UserError(f"Expected a model of one input and one output, {path} has {len(inputs)} and {len(outputs)}")
    ((name, spec),), (output,) = inputs.items(), outputs

    def call(images: Any) -> Any:
        return signature(**{name: images})[output]

    call.keeps_alive = loaded  # type: ignore[attr-defined]  # its variables go when it goes
    return call, spec


def _check_operations(path: Path) -> None:
    """Refuse a SavedModel that could do more than calculate."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise UserError(f"{path} holds no SavedModel that can be read: {error}; export it again") from error
    for meta in content.meta_graphs:
        functions = {each.signature.name: each.node_def for each in meta.graph_def.library.function}
        _refuse(path, [*meta.graph_def.node, *(node for nodes in functions.values() for node in nodes)], _CHECKPOINTS)
        # What the signature runs starts at the node that gives its output.
        names = {tensor.name.split(":")[0] for tensor in meta.signature_def[_SIGNATURE].outputs.values()}
        todo, seen = [node for node in meta.graph_def.node if node.name in names], set()
        while todo:
            node = todo.pop()
            _refuse(path, [node], set())
            called = {each.func.name for each in node.attr.values()} & functions.keys()
            todo += [inner for name in called - seen for inner in functions[name]]
            seen |= called


def _refuse(path: Path, nodes: Iterable[Any], allowed: set[str]) -> None:
    """Refuse nodes of operations that are unknown, or have an effect and are not allowed."""
    from tensorflow.python.framework import op_def_registry

    for node in nodes:
        known = op_def_registry.get(node.op)
        has_effect = known is None or known.is_stateful or node.op in _FILES | _CHECKPOINTS
        if has_effect and node.op not in _VARIABLES | allowed:
            raise UserError(f"Expected a model that only calculates, but {path} has the operation {node.op}")
