import numpy as np
import pytest

from convert import to_onnx, to_tflite
from convert.answering import open_file
from convert.evaluation import run_file
from edge import Classifier
from edge.errors import UserError


@pytest.fixture(scope="module")
def files(small_model, images, tmp_path_factory):
    """Paths of files by name: fixed batches of 4 and free ones, and the int8 of one image."""
    folder = tmp_path_factory.mktemp("batches")
    pinned = images.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255
    contents = {
        "four.tflite": to_tflite.to_float32(small_model, 4),
        "four.onnx": to_onnx.to_float32(small_model, 4),
        "free.tflite": to_tflite.to_float32(small_model, None),
        "free.onnx": to_onnx.to_float32(small_model, None),
        "four_int8.tflite": to_tflite.to_int8(small_model, pinned, 4),
        "free_int8.tflite": to_tflite.to_int8(small_model, pinned, None),
        "one_int8.tflite": to_tflite.to_int8(small_model, pinned),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


@pytest.mark.parametrize(
    ("name", "batch"), [("four.tflite", 4), ("four.onnx", 4), ("free.tflite", None), ("free.onnx", None)]
)
def test_any_batch_gives_keras_scores_in_the_photos_order(files, small_model, images, name, batch):
    odd = images[:7]  # the last batch of 4 is not full
    scores = run_file(files[name], odd, batch=batch)
    np.testing.assert_allclose(scores, small_model(odd.astype(np.float32)), atol=1e-5)


@pytest.mark.parametrize(("name", "batch"), [("four_int8.tflite", 4), ("free_int8.tflite", None)])
def test_int8_of_any_batch_answers_as_that_of_one_image(files, images, name, batch):
    expected = run_file(files["one_int8.tflite"], images)
    np.testing.assert_allclose(run_file(files[name], images, batch=batch), expected, atol=2 / 256)


def test_a_fixed_batch_is_the_files_own(files):
    assert open_file(files["four.tflite"], 4, 1).batch == 4
    assert open_file(files["four.onnx"], 4, 1).batch == 4
    assert open_file(files["free.onnx"], None, 1).batch == 1


def test_edge_takes_a_free_batch_and_refuses_a_larger_one(files, images, small_model):
    for name in ("free.tflite", "free.onnx"):
        scores = Classifier(files[name]).scores(images[0])
        np.testing.assert_allclose(scores, small_model(images[:1].astype(np.float32))[0], atol=1e-5)
    for name in ("four.tflite", "four.onnx"):
        with pytest.raises(UserError, match="takes one RGB image"):
            Classifier(files[name])
