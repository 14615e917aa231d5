import numpy as np
from onnx import TensorProto, helper, numpy_helper

from convert import onnx_names


def graph_of(nodes, constants):
    """Return a model from x to y, (2,) float32."""
    return helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )


def answers(proto):
    import onnxruntime

    proto.ir_version = 8
    return onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": np.array([1, 2], np.float32)})[0]


def keras_like(number):
    """Return a model with tf2onnx's names, whose numbers go on from conversion to conversion."""
    return graph_of(
        [
            helper.make_node("Mul", ["x", f"one__{number}"], ["net/block/mul:0"], f"net/block/mul__{number + 1}"),
            helper.make_node("Add", ["net/block/mul:0", "two"], [f"net/block/mul__{number + 3}:0"], "a"),
            helper.make_node("Add", [f"net/block/mul__{number + 3}:0", "two"], ["y"], "b"),
        ],
        {f"one__{number}": np.float32(3), "two": np.float32(5)},
    )


def test_tensors_bear_the_layers_names_whatever_tf2onnx_counted():
    first, second = keras_like(7), keras_like(90)
    for proto in (first, second):
        onnx_names.merge_constants(proto)
        onnx_names.name_by_layer(proto, "net")
    assert first == second
    assert [node.output[0] for node in first.graph.node] == ["block/mul", "block/mul_2", "y"]
    assert [each.name for each in first.graph.initializer] == ["block/mul/input_1", "block/mul_2/input_1"]
    np.testing.assert_array_equal(answers(first), [13, 16])


def test_short_names_keep_input_output_and_answers():
    proto = keras_like(7)
    onnx_names.shorten(proto)
    names = {name for node in proto.graph.node for name in [*node.input, *node.output]}
    assert names == {"x", "y", "0", "1", "2", "3"}
    assert {node.name for node in proto.graph.node} == {""}
    np.testing.assert_array_equal(answers(proto), [13, 16])


def test_a_short_name_never_falls_on_one_that_stays():
    nodes = [helper.make_node("Add", ["x", f"c{i}"] if not i else [f"t{i}", f"c{i}"], [f"t{i + 1}"]) for i in range(40)]
    nodes.append(helper.make_node("Identity", ["t40"], ["y"]))
    proto = graph_of(nodes, {f"c{i}": np.float32(i) for i in range(40)})
    onnx_names.shorten(proto)
    names = [name for node in proto.graph.node for name in node.output]
    assert len(set(names)) == len(names)
    assert "y" not in names[:-1]
    np.testing.assert_array_equal(answers(proto), np.array([1, 2]) + sum(range(40)))


def test_equal_constants_become_one_and_unused_ones_go():
    nodes = [helper.make_node("Add", ["x", "a"], ["t"]), helper.make_node("Mul", ["t", "b"], ["y"])]
    proto = graph_of(nodes, {"unused": np.zeros(9), "a": np.float32([2, 2]), "b": np.float32([2, 2])})
    onnx_names.merge_constants(proto)
    assert [each.name for each in proto.graph.initializer] == ["a"]
    np.testing.assert_array_equal(answers(proto), [6, 8])


def test_constants_of_int8_stay_apart():
    nodes = [
        helper.make_node("DequantizeLinear", ["a", "s"], ["p"]),
        helper.make_node("DequantizeLinear", ["b", "s"], ["q"]),
        helper.make_node("Add", ["p", "q"], ["r"]),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    proto = graph_of(nodes, {"a": np.int8([1, 2]), "b": np.int8([1, 2]), "s": np.float32(1)})
    onnx_names.merge_constants(proto)
    assert [each.name for each in proto.graph.initializer] == ["a", "s", "b"]
    np.testing.assert_array_equal(answers(proto), [3, 6])


def test_a_model_with_graphs_inside_stays_as_it_is():
    def branch(name):
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
        return helper.make_graph([helper.make_node("Add", ["long_name", "long_name"], [name])], name, [], [output])

    nodes = [
        helper.make_node("Identity", ["x"], ["long_name"]),
        helper.make_node("If", ["yes"], ["y"], then_branch=branch("p"), else_branch=branch("q")),
    ]
    proto = graph_of(nodes, {"yes": np.bool_(True)})
    before = proto.SerializeToString()
    onnx_names.merge_constants(proto)
    onnx_names.name_by_layer(proto, "net")
    onnx_names.shorten(proto)
    assert proto.SerializeToString() == before
