import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.onnx_pixels import RAW, cut_off_scaling, take_raw_pixels

RANDOM = np.random.default_rng(4)
WEIGHTS = RANDOM.normal(size=(5, 3, 3, 3)).astype(np.float32)
IMAGES = RANDOM.integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)


def graph_of(nodes, pads=(0, 0, 0, 0), **constants):
    """Return a model that scales (1, 6, 8, 3) pixels as `nodes` do, from image to scaled, and convolves them."""
    nodes = [
        *nodes,
        helper.make_node("Transpose", ["scaled"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels_first", "w"], ["y"], pads=pads),
    ]
    constants = {"w": WEIGHTS, **constants}
    return helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 6, 8, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, None, None])],
            [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def answers(proto, given):
    return onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"image": given})[0]


def affine(factor, offset):
    """Return the nodes and constants of factor * pixel + offset."""
    nodes = [helper.make_node("Mul", ["image", "a"], ["t"]), helper.make_node("Add", ["b", "t"], ["scaled"])]
    return nodes, {"a": factor, "b": offset}


@pytest.mark.parametrize(
    ("factor", "offset", "border"),
    [
        (1 / 255, 0, 0),
        (1 / 128, -127 / 128, 0),
        (1 / 127.5, -1, 0.5 / 127.5),  # no grey level is 0; half of one is left over where padding is
    ],
)
def test_scaling_goes_into_the_input_and_the_bias(factor, offset, border):
    nodes, constants = affine(factor, offset)
    proto = graph_of(nodes, pads=(1, 1, 1, 1), **constants)
    expected = [answers(proto, image[np.newaxis].astype(np.float32)) for image in IMAGES]
    pixels = cut_off_scaling(proto)
    assert pixels.to_nchw
    assert abs(pixels.zero_point + offset / factor) <= border / factor + 1e-4
    assert pixels.scale == pytest.approx(factor)
    assert [node.op_type for node in proto.graph.node] == ["Conv"]
    onnx.checker.check_model(proto, full_check=True)
    for image, each in zip(IMAGES, expected, strict=True):
        found = answers(proto, pixels.to_real(image[np.newaxis]))
        np.testing.assert_allclose(found[..., 1:-1, 1:-1], each[..., 1:-1, 1:-1], atol=1e-5)
        np.testing.assert_allclose(found, each, atol=1e-5 + border * np.abs(WEIGHTS).sum(axis=(1, 2, 3)).max())


def test_a_network_without_scaling_takes_grey_levels():
    proto = graph_of([helper.make_node("Identity", ["image"], ["scaled"])])
    proto.graph.node.remove(proto.graph.node[0])
    proto.graph.node[0].input[0] = "image"
    pixels = cut_off_scaling(proto)
    assert (pixels.scale, pixels.zero_point, pixels.to_nchw) == (1, 0, True)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        affine(1 / 255, 1),  # 0 lies below black
        affine(-1 / 255, 1),  # negative of a photo
        affine([1, 2, 3], 0),  # a factor for each channel
        ([helper.make_node("Sqrt", ["image"], ["scaled"])], {}),
        ([helper.make_node("Mul", ["image", "image"], ["scaled"])], {}),
    ],
)
def test_what_an_integer_tensor_cannot_say_stays(nodes, constants):
    proto = graph_of(nodes, **constants)
    before = proto.SerializeToString()
    assert cut_off_scaling(proto) == RAW
    assert proto.SerializeToString() == before


def test_pixels_that_have_two_users_stay():
    nodes, constants = affine(1, 0)
    proto = graph_of([*nodes, helper.make_node("Identity", ["image"], ["other"])], **constants)
    assert cut_off_scaling(proto) == RAW


@pytest.mark.parametrize("to_nchw", [True, False])
def test_a_quantized_graph_takes_the_bytes_themselves(to_nchw):
    shape = [1, 3, 6, 8] if to_nchw else [1, 6, 8, 3]
    proto = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("QuantizeLinear", ["image", "s", "z"], ["q"]),
                helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
            ],
            "test",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.float32(0.5), "s"), numpy_helper.from_array(np.uint8(100), "z")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    take_raw_pixels(proto, type(RAW)(0.5, 100, to_nchw))
    (given,) = onnxruntime.InferenceSession(proto.SerializeToString()).get_inputs()
    assert (given.type, given.shape) == ("tensor(uint8)", [1, 6, 8, 3])
    expected = (IMAGES[:1].astype(np.float32) - 100) / 2
    np.testing.assert_array_equal(answers(proto, IMAGES[:1]), expected.transpose(0, 3, 1, 2) if to_nchw else expected)


def test_a_graph_that_begins_in_float_gets_the_grey_levels():
    proto = helper.make_model(
        helper.make_graph(
            [helper.make_node("Sqrt", ["image"], ["y"])],
            "test",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 6, 8, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6, 8, 3])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    take_raw_pixels(proto, RAW)
    np.testing.assert_allclose(answers(proto, IMAGES[:1]), np.sqrt(IMAGES[:1].astype(np.float64)), rtol=1e-6)
