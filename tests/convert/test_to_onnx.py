import numpy as np
import onnx
import onnxruntime

from convert import to_onnx


def test_onnx_gives_keras_scores_for_raw_pixels(small_model, images):
    content = to_onnx.to_float32(small_model)
    session = onnxruntime.InferenceSession(content)
    (given,) = session.get_inputs()
    assert given.shape == [1, 24, 16, 3]  # fixed, NHWC: edge runtimes like neither a free batch nor a free size
    scores = [session.run(None, {given.name: image[np.newaxis].astype(np.float32)})[0][0] for image in images]
    np.testing.assert_allclose(scores, small_model(images.astype(np.float32)), atol=1e-5)


def test_onnx_is_a_valid_model_of_the_stated_opset(small_model):
    model = onnx.load_from_string(to_onnx.to_float32(small_model))
    onnx.checker.check_model(model, full_check=True)
    assert {each.version for each in model.opset_import if each.domain in ("", "ai.onnx")} == {to_onnx.OPSET}
