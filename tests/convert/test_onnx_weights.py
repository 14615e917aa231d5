import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper, numpy_helper

from convert.onnx_weights import choose_scales, scales_of


def worst_sums(whole):
    """The largest and smallest that uint8 activations can make of a pair of weights, by trying all four corners."""
    padded = np.pad(whole, ((0, 0), (0, whole.shape[1] % 2))).astype(int)
    corners = [first * padded[:, 0::2] + second * padded[:, 1::2] for first in (0, 255) for second in (0, 255)]
    return np.max(corners), np.min(corners)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.floats(-8, 8, width=32)))
def test_no_pair_overflows_16_bits_whatever_the_activations(rows):
    scales = scales_of(rows, in_pairs=True)
    assert (scales > 0).all()
    whole = np.rint(rows / scales[:, None])
    assert np.abs(whole).max() <= 127
    most, least = worst_sums(whole)
    assert most <= 32767
    assert least >= -32768


def test_only_channels_with_two_large_neighbours_pay():
    rows = np.array([[1, 0.1, -1, 0.1], [1, -1, 0.1, 0.1], [1, 1, 0.1, 0.1]], np.float32)
    scales = scales_of(rows, in_pairs=True)
    np.testing.assert_allclose(scales[0], 1.1 / 128.5, rtol=0.02)  # hardly more than 1 / 127
    np.testing.assert_allclose(scales[1], 1 / 127, rtol=1e-6)  # opposite signs never add up
    np.testing.assert_allclose(scales[2], 1 / 64, rtol=0.02)


def test_what_is_not_multiplied_in_pairs_keeps_the_whole_range():
    rows = np.array([[1, 1, 1], [0, 0, 0]], np.float32)
    np.testing.assert_allclose(scales_of(rows, in_pairs=False), [1 / 127, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "shape", "attributes", "axis", "channels"),
    [
        ("Conv", (6, 4, 3, 3), {}, 0, 6),
        ("Conv", (6, 1, 3, 3), {"group": 6}, 0, 6),
        ("Gemm", (8, 5), {}, 1, 5),
        ("Gemm", (5, 8), {"transB": 1}, 0, 5),
        ("MatMul", (8, 5), {}, 1, 5),
    ],
)
def test_each_operation_by_its_output_channels(kind, shape, attributes, axis, channels):
    weights = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "w"], ["y"], **attributes)],
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    ((name, (found, scales)),) = choose_scales(helper.make_model(graph)).items()
    assert (name, found, scales.shape) == ("w", axis, (channels,))
    largest = np.abs(weights).max(axis=tuple(i for i in range(weights.ndim) if i != axis))
    assert (scales >= largest / 127 * 0.9999).all()
    assert (scales <= largest / 63).all()
    if shape[1] == 1:
        np.testing.assert_allclose(scales, largest / 127, rtol=1e-6)
