import numpy as np
import pytest
import tensorflow as tf

from convert.saved_model import load_saved_model
from edge.errors import UserError

SPEC = tf.TensorSpec([None, 24, 16, 3], tf.float32, name="pixels")


def mean(pixels, factor):
    return {"scores": tf.reduce_mean(pixels, axis=[1, 2]) * factor}


def two(pixels, factor):
    return {"scores": pixels, "more": pixels}


def write(pixels, factor):
    tf.io.write_file("written-by-a-model", "x")
    return {"scores": pixels}


def read(pixels, factor):
    return {"scores": pixels + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}


def checkpoint(pixels, factor):
    tf.raw_ops.SaveV2(prefix="saved-by-a-model", tensor_names=["a"], shape_and_slices=[""], tensors=[pixels])
    return {"scores": pixels}


def save(folder, body):
    """Save a model of one function as a SavedModel; nothing of it runs."""
    module = tf.Module()
    module.factor = tf.Variable([1.0, 2.0, 3.0])
    module.serve = tf.function(lambda pixels: body(pixels, module.factor), input_signature=[SPEC])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return folder


def test_a_signature_is_a_function_of_pixels(tmp_path, images):
    call, spec = load_saved_model(save(tmp_path / "saved", mean))
    assert spec.shape.as_list() == [None, 24, 16, 3]
    pixels = images.astype(np.float32)
    np.testing.assert_allclose(call(tf.constant(pixels)), pixels.mean(axis=(1, 2)) * [1, 2, 3], rtol=1e-5)


@pytest.mark.parametrize(("body", "operation"), [(write, "WriteFile"), (read, "ReadFile"), (checkpoint, "SaveV2")])
def test_a_graph_that_touches_files_is_refused(tmp_path, body, operation):
    with pytest.raises(UserError, match=f"has the operation {operation}"):
        load_saved_model(save(tmp_path / "saved", body))


def test_two_outputs(tmp_path):
    with pytest.raises(UserError, match="has 1 and 2"):
        load_saved_model(save(tmp_path / "saved", two))


def test_no_signature(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "saved"), signatures={})
    with pytest.raises(UserError, match="Expected a signature serving_default"):
        load_saved_model(tmp_path / "saved")


@pytest.mark.parametrize("content", [None, b"junk"])
def test_a_folder_that_is_none(tmp_path, content):
    if content:
        (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(UserError, match="holds no SavedModel"):
        load_saved_model(tmp_path)
