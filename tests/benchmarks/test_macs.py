import struct
import sys

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import macs
from benchmarks.macs import Work, count_macs
from benchmarks.yardsticks import _File

# The small CNN at 32x32, ten classes: three 3x3 convolutions with a pooling after each, two dense layers.
CNN = 32 * 32 * 32 * 9 * 3 + 16 * 16 * 64 * 9 * 32 + 8 * 8 * 128 * 9 * 64 + 4 * 4 * 128 * 128 + 128 * 10


@pytest.mark.parametrize("file", ["model_float32.tflite", "model_int8.tflite", "model_float32.onnx", "model_int8.onnx"])
def test_every_file_of_a_run_has_the_work_that_its_layers_tell(digits_run, file):
    if not (digits_run / file).exists():
        pytest.skip(f"the run has no {file}")
    assert CNN == 10_585_344
    assert count_macs(digits_run / file) == Work(CNN, "int8" if "int8" in file else "float32")


def _write(tmp_path, name, options_name, inputs, output, **options):
    """Write a .tflite of one operation: `inputs` are shapes, or arrays for constants."""
    file, kind = _File(), "FLOAT32"
    numbers = []
    for number, each in enumerate(inputs):
        data = each if isinstance(each, np.ndarray) else None
        kind_of = "INT32" if data is not None and data.dtype == np.int32 else kind
        shape = each.shape if data is not None else each
        numbers.append(file.add_tensor(f"in_{number}", shape, kind_of, data))
    result = file.add_tensor("out", output, kind)
    given = getattr(file.schema, f"{options_name}T")()
    for key, value in options.items():
        setattr(given, key, value)
    file.add_operator(name, numbers, result, options_name, given)
    # the pixels are the last input of a transposed convolution, the first of all others
    path = tmp_path / "model.tflite"
    path.write_bytes(
        file.pack(next(n for n, each in zip(numbers, inputs, strict=True) if isinstance(each, tuple)), result)
    )
    return path


def _zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("name", "options_name", "inputs", "output", "options", "expected"),
    [
        # 5x3 places, 4 channels out, 3x3 of 3 channels each
        (
            *("CONV_2D", "Conv2DOptions", [(1, 5, 3, 3), _zeros(4, 3, 3, 3), _zeros(4)], (1, 5, 3, 4)),
            *({"strideH": 1, "strideW": 1}, 5 * 3 * 4 * 27),
        ),
        # stride 2: 3x2 places; 6 channels, two for each of the 3
        (
            *(
                "DEPTHWISE_CONV_2D",
                "DepthwiseConv2DOptions",
                [(1, 5, 3, 3), _zeros(1, 3, 3, 6), _zeros(6)],
                (1, 3, 2, 6),
            ),
            *({"strideH": 2, "strideW": 2, "depthMultiplier": 2}, 3 * 2 * 6 * 9),
        ),
        # three groups: each of 6 channels out sees 1 of the 3
        (
            *("CONV_2D", "Conv2DOptions", [(1, 2, 2, 3), _zeros(6, 1, 1, 1), _zeros(6)], (1, 2, 2, 6)),
            *({"strideH": 1, "strideW": 1}, 2 * 2 * 6),
        ),
        # each of 2x2 pixels of 3 channels gives 3x3 of 5
        (
            "TRANSPOSE_CONV",
            "TransposeConvOptions",
            [np.array([1, 4, 4, 5], np.int32), _zeros(5, 3, 3, 3), (1, 2, 2, 3)],
            (1, 4, 4, 5),
            {"strideH": 2, "strideW": 2},
            2 * 2 * 3 * 9 * 5,
        ),
        # (1, 4, 4, 3) transposed is (1, 4, 3, 4): for each of 4, 3x3 of 4
        (
            *("BATCH_MATMUL", "BatchMatMulOptions", [(1, 4, 4, 3), _zeros(1, 4, 4, 3)], (1, 4, 3, 3)),
            *({"adjX": True}, 4 * 3 * 3 * 4),
        ),
    ],
    ids=["convolution", "depthwise", "groups", "transposed", "product"],
)
def test_an_operation_by_hand(tmp_path, name, options_name, inputs, output, options, expected):
    path = _write(tmp_path, name, options_name, inputs, output, **options)
    interpreter = Interpreter(str(path))  # the runtime takes it, so its shapes are right
    interpreter.allocate_tensors()
    interpreter.invoke()
    assert count_macs(path) == Work(expected, "float32")


def test_what_shapes_do_not_tell_is_not_guessed(tmp_path):
    path = _write(tmp_path, "WHILE", "WhileOptions", [(1, 4, 4, 3)], (1, 4))
    assert count_macs(path) == Work(None, reason="it holds WHILE, whose work the file's shapes don't tell")


@pytest.mark.parametrize(
    ("file", "missing"), [("model_int8.tflite", "ai_edge_litert.schema_py_generated"), ("model_float32.onnx", "onnx")]
)
def test_without_the_package_that_reads_it_the_reason_is_given(digits_run, file, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    work = count_macs(digits_run / file)
    assert work.macs is None
    assert missing.partition(".")[0].replace("_", "-") in work.reason


def _product(name, weights, **attributes):
    """Return a .onnx of one product of (1, 6) or, for convolutions, of (1, 6, 4, 4)."""
    describe, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    shape = (1, 6, 4, 4) if weights.ndim == 4 else (1, 6)
    node = onnx.helper.make_node(name, ["x", "w"], ["y"], **attributes)
    constant = onnx.numpy_helper.from_array(weights, "w")
    graph = onnx.helper.make_graph([node], "g", [describe("x", kind, shape)], [describe("y", kind, None)], [constant])
    return onnx.helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (_product("Conv", np.zeros((8, 3, 3, 3), np.float32), group=2), 2 * 2 * 8 * 3 * 9),  # no padding: 2x2 places
        (_product("Gemm", np.zeros((6, 5), np.float32)), 6 * 5),
        (_product("MatMul", np.zeros((6, 5), np.float32)), 6 * 5),
    ],
    ids=["groups", "Gemm", "MatMul"],
)
def test_an_onnx_operation_by_hand(tmp_path, model, expected):
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    assert count_macs(path) == Work(expected, "float32")


def test_an_onnx_operation_that_is_not_counted(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(_product("ConvTranspose", np.zeros((6, 2, 3, 3), np.float32)))
    assert "ConvTranspose" in count_macs(path).reason


def test_a_file_that_is_gone(tmp_path):
    assert "read" in count_macs(tmp_path / "none.tflite").reason


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_changed_bytes_are_counted_or_refused(digits_run, tmp_path, suffix):
    data = (digits_run / f"model_float32.{suffix}").read_bytes()
    path = tmp_path / f"model.{suffix}"

    @given(st.lists(st.tuples(st.integers(8, 4000), st.integers(0, 255)), min_size=1, max_size=20))
    def check(changes):
        # a file's structure lies at its end in a .tflite, at its beginning in a .onnx
        head = bytearray(data[:4096] + data[-4096:])
        for position, value in changes:
            head[position] = value
        path.write_bytes(head)
        work = count_macs(path)
        assert (work.macs is None) == bool(work.reason)

    check()


def test_an_empty_flatbuffer(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(struct.pack("<I4s", 8, b"TFL3") + bytes(64))
    assert count_macs(path).macs is None


def test_most_of_the_work_decides_about_the_arithmetic():
    assert macs.total([(10, True), (9, False)]) == Work(19, "int8")
    assert macs.total([(10, False), (9, True)]) == Work(19, "float32")
    assert macs.total([]) == Work(0)
