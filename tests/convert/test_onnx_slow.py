import pytest

from convert import onnx_int8, onnx_slow, to_onnx


def test_the_types_that_lose_most_are_named_first():
    float32 = {"FusedConv": 2.0, "Gemm": 1.0, "MaxPool": 0.5}
    int8 = {"QLinearConv": 5.0, "QGemm": 0.4, "MaxPool": 0.6, "QuantizeLinear": 1.5}
    assert onnx_slow.describe(float32, int8) == "Conv loses 3.00 ms; QuantizeLinear loses 1.50 ms"


def test_nothing_is_said_where_nothing_loses():
    assert onnx_slow.describe({"Conv": 2.0}, {"QLinearConv": 1.0}) == ""


def test_onnxruntime_tells_what_it_ran(small_model, images):
    exact = to_onnx.to_float32(small_model)
    times = onnx_slow.time_operations(exact)
    assert any("Conv" in name for name in times)
    assert "Softmax" in times
    assert all(each >= 0 for each in times.values())
    quantized = onnx_int8.to_int8(exact, images)
    assert any(name.startswith("QLinear") for name in onnx_slow.time_operations(quantized))
    assert isinstance(onnx_slow.explain(exact, quantized), str)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("QLinearConv", "Conv"),
        ("FusedConv", "Conv"),
        ("QuantizeLinear", "QuantizeLinear"),
        ("QGemm", "MatMul"),
        ("NhwcMaxPool", "MaxPool"),
    ],
)
def test_a_quantized_operation_is_known_by_its_float_name(name, plain):
    assert onnx_slow._plain(name) == plain


def test_a_pooling_along_other_axes_is_a_pooling():
    assert onnx_slow.describe({"MaxPool": 0.012}, {"NhwcMaxPool": 0.012}) == ""
