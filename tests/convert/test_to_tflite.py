import numpy as np
import pytest

from convert import to_tflite
from convert.graph import read_layers, read_model
from edge.errors import TinySightError


def run(content, images, dtype):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == dtype
    assert list(given["shape_signature"]) == [1, 24, 16, 3]
    rows = []
    for image in images:
        interpreter.set_tensor(given["index"], image[np.newaxis].astype(dtype))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0])
    return np.array(rows), given["quantization"], answer["quantization"]


def test_float32_gives_keras_scores_for_raw_pixels(small_model, images):
    scores, _, _ = run(to_tflite.to_float32(small_model), images, np.float32)
    np.testing.assert_allclose(scores, small_model(images.astype(np.float32)), atol=1e-5)


def test_int8_takes_raw_pixels_and_gives_uint8(small_model, images):
    pinned = images.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255
    scores, given, (scale, zero_point) = run(to_tflite.to_int8(small_model, pinned), images, np.uint8)
    assert given == (pytest.approx(1.0, abs=1e-6), 0)
    assert scores.dtype == np.uint8
    real = (scores.astype(np.float32) - zero_point) * scale
    np.testing.assert_allclose(real, small_model(images.astype(np.float32)), atol=0.05)


def test_int8_refuses_to_guess_the_input_range_from_dark_photos(small_model, images):
    with pytest.raises(TinySightError, match="raw pixels"):
        to_tflite.to_int8(small_model, images // 4)


def test_float16_halves_the_weights_and_keeps_the_scores(small_model, images):
    content = to_tflite.to_float16(small_model)
    scores, _, _ = run(content, images, np.float32)
    np.testing.assert_allclose(scores, small_model(images.astype(np.float32)), atol=5e-3)
    weights = sum(weight.numpy().size for weight in small_model.weights)
    saved = len(to_tflite.to_float32(small_model)) - len(content)
    assert saved == pytest.approx(2 * weights, rel=0.35)  # 2 bytes a weight, less what the new operations take


def test_dynamic_range_takes_and_gives_float32(large_model, images):
    content = to_tflite.to_dynamic_range(large_model)
    scores, _, _ = run(content, images, np.float32)
    expected = large_model(images.astype(np.float32)).numpy()
    np.testing.assert_allclose(scores, expected, atol=0.05)
    assert np.abs(scores - expected).max() > 1e-6  # quantized indeed
    assert len(content) < 0.4 * len(to_tflite.to_float32(large_model))
    codes = {layer.operation: code.version for layer, code in zip(read_layers(content), _codes(content), strict=True)}
    assert codes["FULLY_CONNECTED"] <= 9  # tflite-runtime 2.14 knows no newer one


def _codes(content):
    """The operators' codes, in the order of execution."""
    model = read_model(content)
    return [model.operatorCodes[each.opcodeIndex] for each in model.subgraphs[0].operators]
