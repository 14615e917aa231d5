import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import ptq, ranges, to_tflite
from convert.graph import read_layers


def run(content, images):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["dtype"], answer["dtype"]) == (np.uint8, np.uint8)
    assert given["quantization"] == (pytest.approx(1.0, abs=1e-6), 0)
    assert list(given["shape_signature"]) == [1, 24, 16, 3]
    rows = []
    for image in images:
        interpreter.set_tensor(given["index"], image[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0])
    return np.array(rows), answer["quantization"]


def dtypes(content):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    return {each["name"]: each["dtype"] for each in interpreter.get_tensor_details() if each["name"]}


@pytest.fixture(scope="module")
def measured(lopsided_tflite, images):
    return ranges.widest(ranges.observe(lopsided_tflite, images))


def test_the_answers_are_the_converters_own(small_model, small_tflite, images):
    pinned = images.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255
    ours = ptq.quantize(small_tflite, ranges.widest(ranges.observe(small_tflite, pinned)))
    theirs = to_tflite.to_int8(small_model, pinned)
    for one, other in zip(run(ours, images), run(theirs, images), strict=True):
        np.testing.assert_array_equal(one, other)


def test_dark_photos_leave_raw_pixels_raw(small_tflite, images):
    run(ptq.quantize(small_tflite, ranges.widest(ranges.observe(small_tflite, images // 4))), images[:1])


def test_a_layer_left_in_float_calculates_in_float(lopsided_tflite, measured, images):
    layers = read_layers(lopsided_tflite)
    mixed = ptq.quantize(lopsided_tflite, measured, [layers[1].name])
    kinds = dtypes(mixed)
    assert kinds[layers[0].name] == kinds[layers[2].name] == np.int8
    assert kinds[layers[1].name] == np.float32
    run(mixed, images)


def test_sources_come_along(lopsided_tflite, small_tflite):
    wide, reader, *_ = read_layers(lopsided_tflite)
    assert ptq.with_sources(lopsided_tflite, [reader.name]) == [reader.name, wide.name]
    assert ptq.with_sources(lopsided_tflite, [wide.name]) == [wide.name]
    convolution, pooled, flat, scores, _ = read_layers(small_tflite)
    assert set(ptq.with_sources(small_tflite, [scores.name])) == {
        scores.name,
        flat.name,
        pooled.name,
        convolution.name,
    }


def test_float_on_both_sides_of_a_lopsided_activation_heals_the_answer(
    lopsided_model, lopsided_tflite, measured, images
):
    expected = lopsided_model(images.astype(np.float32)).numpy()

    def error(names):
        scores, (scale, zero_point) = run(ptq.quantize(lopsided_tflite, measured, names), images)
        return np.abs((scores.astype(np.float32) - zero_point) * scale - expected).max()

    reader = read_layers(lopsided_tflite)[1]
    assert error([]) > 0.2
    assert error([reader.name]) > 0.2
    assert error(ptq.with_sources(lopsided_tflite, [reader.name])) < 0.05
