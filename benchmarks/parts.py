"""What the bytes of a model file are spent on: weights, metadata, golden samples, and the graph, which is all else.

A .tflite is a flatbuffer and, behind it, the zip archive of TFLite Metadata; a .onnx is a protobuf message with
`metadata_props`. Parts are bytes of the file, so they sum to its size.
"""

from __future__ import annotations

import importlib
import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.protobuf import fields
from edge.embedded import PICTURES
from edge.errors import UserError

# Field numbers of onnx.proto: of ModelProto, GraphProto, NodeProto, AttributeProto, SparseTensorProto, TensorProto.
_GRAPH, _PRODUCER_NAME, _MODEL_PROPERTIES = 7, 2, 14
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15
_ATTRIBUTE = 5
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE, _SPARSES = 5, 6, 10, 11, 22, 23
_VALUES, _INDICES = 1, 2
_DATA = {4, 5, 6, 7, 9, 10, 11}  # float, int32, string, int64, raw, double and uint64 data


@dataclass(frozen=True)
class Parts:
    """The parts of a model file, in bytes.

    Attributes:
        weights: Values of the constant tensors.
        graph: All that is neither of the others: operators, shapes, names, scales, and the gaps that align weights.
        metadata: Labels, metadata.json and what TFLite Metadata and the seal need, directories of the zip included.
        golden: The pictures of the golden samples.
    """

    weights: int
    graph: int
    metadata: int
    golden: int


def measure_parts(path: Path, data: bytes) -> Parts:
    """Return the parts of a model file.

    Args:
        path: The file, for its ending and for messages.
        data: Its bytes.

    Raises:
        UserError: If it is no .tflite or .onnx, or a damaged one.
        ModuleNotFoundError: If ai-edge-litert, which has the schema of .tflite, isn't installed.
    """
    if data[4:8] == b"TFL3":
        measure = _tflite
    elif path.suffix.lower() == ".onnx":
        measure = _onnx
    else:
        raise UserError(f"Expected a .tflite or .onnx model, but {path} is neither; convert one: convert.quantize")
    try:
        weights, metadata, golden = measure(data)
        graph = len(data) - weights - metadata - golden
        if graph < 0:
            raise ValueError("its parts overlap")
    # What the flatbuffer and zip readers raise on bytes that are none.
    except (ValueError, TypeError, IndexError, struct.error, zipfile.BadZipFile, RecursionError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}); copy or convert it again") from error
    return Parts(weights, graph, metadata, golden)


def _tflite(data: bytes) -> tuple[int, int, int]:
    """Return weights, metadata and golden pictures of a .tflite."""
    schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")  # generated, and without types

    archive, golden = _archive(data)
    model = schema.Model.GetRootAs(data)
    sizes = [_buffer_size(model.Buffers(number)) for number in range(model.BuffersLength())]
    named = {model.Metadata(number).Buffer() for number in range(model.MetadataLength())}
    used = {
        graph.Tensors(number).Buffer()
        for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength()))
        for number in range(graph.TensorsLength())
    }
    weights = sum(sizes[number] for number in used - named)
    return weights, archive - golden + sum(sizes[number] for number in named), golden


def _buffer_size(buffer: Any) -> int:
    """Return the bytes of a buffer; those of models beyond 2 GB lie behind the flatbuffer."""
    return int(buffer.Size() if buffer.Offset() > 1 else buffer.DataLength())


def _archive(data: bytes) -> tuple[int, int]:
    """Return the bytes of the appended zip archive and those of the golden pictures in it; 0 and 0 without one."""
    file = io.BytesIO(data)
    if not zipfile.is_zipfile(file):
        return 0, 0
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        start = min((entry.header_offset for entry in entries), default=archive.start_dir)
        pictures = sum(entry.compress_size for entry in entries if entry.filename.startswith(PICTURES))
    return len(data) - start, pictures


def _onnx(data: bytes) -> tuple[int, int, int]:
    """Return weights, metadata and golden pictures of a .onnx."""
    weights = metadata = golden = 0
    for number, content in fields(memoryview(data)):
        if number == _GRAPH:
            weights += sum(map(_tensor_data, _constants(content)))
        elif number == _PRODUCER_NAME:  # carries the seal's marker
            metadata += len(content)
        elif number == _MODEL_PROPERTIES:
            name, value = _property(content)
            pictures = len(value) if name.startswith(PICTURES.encode()) else 0
            golden += pictures
            metadata += len(content) - pictures
    return weights, metadata, golden


def _property(content: memoryview) -> tuple[bytes, memoryview]:
    """Return the key and the value of an entry of `metadata_props`."""
    entry = dict(fields(content))
    return bytes(entry.get(1, b"")), entry.get(2, memoryview(b""))


def _constants(graph: memoryview) -> Iterator[memoryview]:
    """Yield the TensorProtos of a graph: initializers, constants in nodes, and those of graphs within."""
    for number, content in fields(graph):
        if number == _INITIALIZER:
            yield content
        elif number == _SPARSE_INITIALIZER:
            yield from _sparse(content)
        elif number == _NODE:
            for attribute in (each for field, each in fields(content) if field == _ATTRIBUTE):
                yield from _in_attribute(attribute)


def _in_attribute(attribute: memoryview) -> Iterator[memoryview]:
    """Yield the TensorProtos of a node's attribute."""
    for number, content in fields(attribute):
        if number in (_TENSOR, _TENSORS):
            yield content
        elif number in (_SUBGRAPH, _SUBGRAPHS):
            yield from _constants(content)
        elif number in (_SPARSE, _SPARSES):
            yield from _sparse(content)


def _sparse(content: memoryview) -> Iterator[memoryview]:
    """Yield the two TensorProtos of a sparse one."""
    yield from (each for field, each in fields(content) if field in (_VALUES, _INDICES))


def _tensor_data(tensor: memoryview) -> int:
    """Return the bytes of a TensorProto's values; 0 where they lie in a file of their own."""
    return sum(len(content) for number, content in fields(tensor) if number in _DATA)
