import numpy as np
import onnx
import onnxruntime
import pytest

from convert import to_onnx


def scores_of(content, images):
    """Scores of a model for raw pixels, all in one batch."""
    session = onnxruntime.InferenceSession(content)
    (given,) = session.get_inputs()
    return session.run(None, {given.name: images.astype(np.float32)})[0]


def test_onnx_gives_keras_scores_for_raw_pixels(small_model, images):
    content = to_onnx.to_float32(small_model)
    session = onnxruntime.InferenceSession(content)
    (given,) = session.get_inputs()
    assert given.shape == [1, 24, 16, 3]  # fixed, NHWC: edge runtimes like neither a free batch nor a free size
    scores = [session.run(None, {given.name: image[np.newaxis].astype(np.float32)})[0][0] for image in images]
    np.testing.assert_allclose(scores, small_model(images.astype(np.float32)), atol=1e-5)


@pytest.mark.parametrize("convert", [to_onnx.to_float32, to_onnx.to_float16])
def test_onnx_is_a_valid_model_of_the_stated_opset(small_model, convert):
    model = onnx.load_from_string(convert(small_model))
    onnx.checker.check_model(model, full_check=True)
    assert {each.version for each in model.opset_import if each.domain in ("", "ai.onnx")} == {to_onnx.OPSET}
    assert [each.name for each in model.graph.input] == ["image"]


@pytest.mark.parametrize(("batch", "sizes"), [(4, [4]), (None, [1, 3, 20])])
def test_other_batches(small_model, images, batch, sizes):
    content = to_onnx.to_float32(small_model, batch)
    (given,) = onnxruntime.InferenceSession(content).get_inputs()
    assert given.shape[1:] == [24, 16, 3]
    assert isinstance(given.shape[0], int) == (batch is not None)
    for size in sizes:
        expected = small_model(images[:size].astype(np.float32))
        np.testing.assert_allclose(scores_of(content, images[:size]), expected, atol=1e-5)


def test_equal_models_are_equal_files(small_model):
    assert to_onnx.to_float32(small_model) == to_onnx.to_float32(small_model)  # tf2onnx alone: no two are


def test_float16_is_half_inside_and_float32_at_its_ends(small_model, images):
    single, half = to_onnx.to_float32(small_model), to_onnx.to_float16(small_model)
    session = onnxruntime.InferenceSession(half)
    assert {each.type for each in [*session.get_inputs(), *session.get_outputs()]} == {"tensor(float)"}
    weights = onnx.load_from_string(half).graph.initializer
    assert onnx.TensorProto.FLOAT not in {each.data_type for each in weights}
    assert onnx.TensorProto.FLOAT16 in {each.data_type for each in weights}
    assert len(half) < 0.6 * len(single)
    for image in images:
        expected = small_model(image[np.newaxis].astype(np.float32))
        np.testing.assert_allclose(scores_of(half, image[np.newaxis]), expected, atol=2e-3)


def test_float16_of_a_weight_beyond_its_range_is_the_largest():
    import tf_keras as keras

    image = keras.Input((4, 4, 3), name="image")
    x = keras.layers.Rescaling(0.0, name="scale")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    dense = keras.layers.Dense(2, name="scores")
    model = keras.Model(image, dense(x))
    dense.set_weights([np.ones((3, 2)), np.array([1e6, -1e6])])
    scores = scores_of(to_onnx.to_float16(model), np.zeros((1, 4, 4, 3)))
    np.testing.assert_array_equal(scores, [[65504, -65504]])
