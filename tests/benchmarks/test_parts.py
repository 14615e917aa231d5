import io
import zipfile
from dataclasses import astuple
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from benchmarks.parts import Parts, measure_parts
from edge import UserError


def tflite(constants, metadata=b"m" * 30):
    """Return a .tflite of constant tensors, a variable one and one metadata buffer."""
    buffers = [schema.BufferT(), schema.BufferT(), *(schema.BufferT() for _ in constants)]
    buffers[1].data = np.frombuffer(metadata, np.uint8)
    graph = schema.SubGraphT()
    graph.tensors = []
    for number, values in enumerate([b"", *constants]):
        if number:
            buffers[number + 1].data = np.frombuffer(values, np.uint8)
        tensor = schema.TensorT()
        tensor.buffer, tensor.name, tensor.shape = (number + 1 if number else 0), f"t{number}", [len(values)]
        graph.tensors.append(tensor)
    graph.tensors.append(graph.tensors[-1])  # a constant that two tensors share is in the file once
    entry = schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", 1
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers, model.metadata = 3, [graph], buffers, [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_tflite_made_by_hand():
    model = tflite([b"w" * 400, b"b" * 16])
    found = measure_parts(Path("m.tflite"), model)
    assert found == Parts(416, len(model) - 446, 30, 0)
    file = io.BytesIO(model)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("labels.txt", b"a\nb\n")
        archive.writestr("golden/1.png", b"p" * 1000)
    whole = file.getvalue()
    assert measure_parts(Path("m.tflite"), whole) == Parts(416, found.graph, 30 + len(whole) - len(model) - 1000, 1000)


def test_an_onnx_made_by_hand():
    inner = helper.make_graph([], "inner", [], [], [helper.make_tensor("c", TensorProto.UINT8, [3], b"abc", raw=True)])
    nodes = [
        helper.make_node("Constant", [], ["k"], value=helper.make_tensor("k", TensorProto.FLOAT, [2], [1.0, 2.0])),
        helper.make_node("If", ["x"], ["y"], then_branch=inner),
    ]
    weights = [numpy_helper.from_array(np.zeros((5, 4), np.float32), "w"), numpy_helper.from_array(np.ones(3), "v")]
    model = helper.make_model(helper.make_graph(nodes, "g", [], [], weights), producer_name="us")
    helper.set_model_props(model, {"labels.txt": "a\nb", "golden/1.png": "A" * 100})
    data = model.SerializeToString()
    found = measure_parts(Path("m.onnx"), data)
    assert found.weights == 5 * 4 * 4 + 3 * 8 + 2 * 4 + 3
    assert found.golden == 100
    assert found.metadata == sum(each.ByteSize() for each in model.metadata_props) - 100 + len("us")
    assert sum(astuple(found)) == len(data)


def test_a_runs_files(digits_run):
    for path in [*digits_run.glob("model_*.tflite"), *digits_run.glob("model_*.onnx")]:
        data = path.read_bytes()
        found = measure_parts(path, data)
        assert sum(astuple(found)) == len(data)
        assert min(astuple(found)) > 0
        if path.suffix == ".onnx":
            tensors = onnx.load(path).graph.initializer
            assert found.weights == sum(numpy_helper.to_array(tensor).nbytes for tensor in tensors)
    float32, int8 = (
        measure_parts(digits_run / name, (digits_run / name).read_bytes())
        for name in ("model_float32.tflite", "model_int8.tflite")
    )
    assert 0.25 <= int8.weights / float32.weights < 0.27  # biases keep their four bytes
    assert int8.golden == float32.golden


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_int8.onnx"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mutated_file_has_parts_or_is_refused(digits_run, name, data):
    content = bytearray((digits_run / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(8, len(content)))]
    try:
        found = measure_parts(Path(name), bytes(content))
    except UserError:
        return
    assert sum(astuple(found)) == len(content)


def test_what_is_no_model_is_refused():
    with pytest.raises(UserError, match=r"neither"):
        measure_parts(Path("photo.jpg"), b"\xff\xd8 and more")
    with pytest.raises(UserError, match=r"damaged"):
        measure_parts(Path("m.tflite"), b"\xff\xff\xff\xffTFL3")
