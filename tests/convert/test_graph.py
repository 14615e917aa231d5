import numpy as np
from ai_edge_litert.interpreter import Interpreter

from convert.graph import Layer, match_layers, read_layers, read_model, write_model


def answer(content, image):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis].astype(np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def layer(operation, name):
    return Layer(0, name, operation, (), 0)


def test_layers_are_the_keras_models_in_order(lopsided_tflite):
    layers = read_layers(lopsided_tflite)
    assert [each.operation for each in layers] == [*["CONV_2D"] * 3, "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert [each.title for each in layers[:5]] == ["wide", "reader", "later", "features", "scores"]
    assert [each.index for each in layers] == list(range(6))
    assert layers[1].inputs[0] == layers[0].output


def test_what_is_read_and_written_back_answers_alike(small_tflite, images):
    again = write_model(read_model(small_tflite))
    np.testing.assert_array_equal(answer(again, images[0]), answer(small_tflite, images[0]))


def test_what_is_appended_to_a_file_is_left_aside(small_tflite):
    assert read_layers(small_tflite + b"PK and more") == read_layers(small_tflite)


def test_layers_of_another_name_are_matched_by_their_order():
    ours = [layer("CONV_2D", "a"), layer("MEAN", "b")]
    theirs = [layer("QUANTIZE", "q"), layer("CONV_2D", "quant_a"), layer("MEAN", "quant_b"), layer("QUANTIZE", "b")]
    assert [(one.name, other.name) for one, other in match_layers(ours, theirs)] == [("a", "quant_a"), ("b", "quant_b")]


def test_layers_in_another_order_are_matched_by_their_names():
    ours = [layer("CONV_2D", "a"), layer("MUL", "folded"), layer("MEAN", "b")]
    theirs = [layer("CONV_2D", "a"), layer("MEAN", "b")]
    assert [(one.name, other.name) for one, other in match_layers(ours, theirs)] == [("a", "a"), ("b", "b")]


def test_a_title_is_the_keras_layers():
    assert layer("CONV_2D", "cnn/relu/Relu;cnn/conv_1/BiasAdd;cnn/conv_1/Conv2D;cnn/conv_1/bias1").title == "conv_1"
    assert layer("CONV_2D", "model/block/se/Relu;model/block/se/conv/Conv2D1").title == "block/se/conv"
    assert layer("SOFTMAX", "StatefulPartitionedCall:0").title == "softmax"


def test_layers_of_another_name_and_without_the_scaling_are_matched_by_what_both_do():
    ours = [layer("MUL", "s"), layer("ADD", "t"), *(layer(*each) for each in (("CONV_2D", "a"), ("MEAN", "b")))]
    theirs = [layer("QUANTIZE", "q"), layer("CONV_2D", "quant_a"), layer("MEAN", "quant_b"), layer("QUANTIZE", "b")]
    assert [(one.name, other.name) for one, other in match_layers(ours, theirs)] == [("a", "quant_a"), ("b", "quant_b")]
