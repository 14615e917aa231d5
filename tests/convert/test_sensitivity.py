import math

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import ptq, ranges, sensitivity
from convert.graph import read_layers


@pytest.fixture(scope="module")
def measured(lopsided_tflite, images):
    return ranges.widest(ranges.observe(lopsided_tflite, images))


def test_sqnr_by_hand():
    assert sensitivity.sqnr_db(100.0, 1.0) == pytest.approx(20)
    # x = [3, 4], x_q = [3, 3.5]: 25 over 0.25
    assert sensitivity.sqnr_db(25.0, 0.25) == pytest.approx(20)
    assert sensitivity.sqnr_db(1.0, 0.0) == math.inf
    assert sensitivity.sqnr_db(0.0, 1.0) == -math.inf


def test_a_file_has_no_error_against_itself(small_tflite, images):
    errors = sensitivity.layer_errors(small_tflite, small_tflite, images[:2])
    assert [each.sqnr_db for each in errors] == [math.inf] * len(read_layers(small_tflite))
    assert [each.added for each in errors] == [0.0] * len(errors)


def test_the_scores_error_is_what_the_runtime_shows(small_model, small_tflite, images):
    quantized = ptq.quantize(small_tflite, ranges.widest(ranges.observe(small_tflite, images)))
    interpreter = Interpreter(model_content=quantized)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(given["index"], image[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0] / 256)
    exact = small_model(images.astype(np.float32)).numpy()
    expected = 10 * np.log10(np.square(exact).sum() / np.square(exact - rows).sum())
    errors = sensitivity.layer_errors(small_tflite, quantized, images)
    assert errors[-1].operation == "SOFTMAX"
    assert errors[-1].sqnr_db == pytest.approx(expected, abs=0.5)  # other kernels round a step the other way
    assert errors[0].title == "conv2d"
    assert errors[0].sqnr_db > errors[3].sqnr_db  # noise adds up


def test_the_answer_is_read_before_the_softmax(small_tflite):
    assert sensitivity.answer_layer(small_tflite).operation == "FULLY_CONNECTED"


def test_the_layer_that_reads_a_lopsided_activation_comes_first(lopsided_tflite, measured, images):
    def quantize(names):
        return ptq.quantize(lopsided_tflite, measured, ptq.with_sources(lopsided_tflite, names))

    ranked = sensitivity.rank_layers(lopsided_tflite, quantize, images[:4])
    best, gain = ranked[0]
    assert best == read_layers(lopsided_tflite)[1].name
    assert gain > 10
    assert [each for _, each in ranked] == sorted((each for _, each in ranked), reverse=True)


def test_layers_that_gain_nothing_alone_are_ranked_all_the_same(small_tflite, images):
    measured = ranges.widest(ranges.observe(small_tflite, images))
    ranked = sensitivity.rank_layers(
        small_tflite, lambda names: ptq.quantize(small_tflite, measured, names if len(names) > 1 else ()), images[:4]
    )
    assert len(ranked) >= 2
    assert {gain for _, gain in ranked} == {0.0}
