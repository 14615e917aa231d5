import numpy as np
import pytest
import tf_keras as keras

from convert import fixed_ranges, to_tflite
from convert.fold import fold
from convert.layer_ranges import measure_ranges
from edge.classifier import Classifier
from edge.errors import TinySightError
from tests.convert.toys import CLASSES, SIZE, learn, make_blobs, make_toy


def interpret(content, images):
    """Interpreter, and the bytes that it gives for images (N, height, width, 3) uint8."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(given["index"], image[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0])
    return interpreter, np.array(rows)


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0), (1 / 128, -127 / 128), (1 / 127.5, -1)])
def test_the_inputs_bytes_are_raw_pixels_and_the_answer_is_that_of_plain_quantization(scale, offset):
    model, (images, _) = make_toy(scale, offset), make_blobs(40, 0)
    images[0, 0, 0], images[0, -1, -1] = 0, 255  # pins the range of the plain one's input
    folded = fold(model)
    interpreter, found = interpret(fixed_ranges.to_int8(folded, measure_ranges(folded, images, share=0)), images)
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["dtype"], answer["dtype"]) == (np.uint8, np.uint8)
    assert list(given["shape_signature"]) == [1, *SIZE, 3]
    assert found.shape == (40, CLASSES)

    step, zero_point = given["quantization"]
    levels = np.arange(256)
    seen = keras.Sequential([model.get_layer("scale")])(levels[None, :, None].astype(np.float32)).numpy().ravel()
    assert np.abs((levels - zero_point) * step - seen).max() <= (0.5 / 127.5 if offset == -1 else 0) + 1e-6

    # the plain one has the scaling as operations of their own, which round once more
    _, plain = interpret(to_tflite.to_int8(model, images), images)
    assert np.abs(found.astype(int) - plain).max() <= 6
    expected = model(images.astype(np.float32)).numpy()
    assert np.abs(found / 256 - expected).max() <= np.abs(plain / 256 - expected).max() + 0.01


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0), (1 / 128, -127 / 128), (1 / 127.5, -1)])
def test_edge_takes_raw_pixels_whatever_the_inputs_scale(tmp_path, scale, offset):
    model, (images, _) = learn(make_toy(scale, offset), *make_blobs(192, 0), epochs=4), make_blobs(30, 1)
    folded = fold(model)
    (tmp_path / "model.tflite").write_bytes(fixed_ranges.to_int8(folded, measure_ranges(folded, images)))
    classifier = Classifier(tmp_path / "model.tflite")
    found = np.array([classifier.scores(image) for image in images])
    expected = model(images.astype(np.float32)).numpy()
    assert np.ptp(expected, axis=0).max() > 0.2  # answers differ from photo to photo
    np.testing.assert_allclose(found, expected, atol=0.1)
    assert np.abs(found - expected).mean() < 0.02


@pytest.mark.parametrize(("batch", "signature"), [(4, 4), (None, -1)])
def test_a_batch_of_its_own_or_a_free_one(batch, signature):
    from ai_edge_litert.interpreter import Interpreter

    folded, (images, _) = fold(make_toy()), make_blobs(4, 0)
    ranges = measure_ranges(folded, images)
    _, expected = interpret(fixed_ranges.to_int8(folded, ranges), images)
    interpreter = Interpreter(model_content=fixed_ranges.to_int8(folded, ranges, batch))
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert list(given["shape_signature"]) == [signature, *SIZE, 3]
    interpreter.resize_tensor_input(given["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], images)
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.get_tensor(answer["index"]), expected)


def test_nothing_is_left_float():
    folded = fold(make_toy())
    interpreter, _ = interpret(fixed_ranges.to_int8(folded, measure_ranges(folded, make_blobs(8, 0)[0])), [])
    assert {each["dtype"] for each in interpreter.get_tensor_details()} == {np.uint8, np.int8, np.int32}
    kinds = [each["op_name"] for each in interpreter._get_ops_details() if each["op_name"] != "DELEGATE"]
    assert sorted(kinds) == sorted(
        ["QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MAX_POOL_2D", "MEAN", "FULLY_CONNECTED",
         "SOFTMAX", "QUANTIZE"]
    )  # fmt: skip


def test_the_ranges_are_those_that_were_given():
    folded = fold(make_toy())
    ranges = measure_ranges(folded, make_blobs(8, 0)[0]) | {"features": (-1.0, 50.0)}
    interpreter, _ = interpret(fixed_ranges.to_int8(folded, ranges), [])
    scales = [each["quantization"][0] for each in interpreter.get_tensor_details()]
    assert any(scale == pytest.approx(51 / 255) for scale in scales)


def test_an_input_that_is_not_raw_pixels_is_an_error(monkeypatch):
    folded = fold(make_toy())
    monkeypatch.setattr(fixed_ranges, "input_range", lambda _: (-1.0, 1.5))
    with pytest.raises(TinySightError, match="raw pixels need"):
        fixed_ranges.to_int8(folded, measure_ranges(folded, make_blobs(8, 0)[0]))
