import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from convert.fake_quant import trained_weights, with_rounding
from convert.fold import fold
from convert.int8_steps import StepAdam, steps_of
from convert.layer_ranges import measure_ranges
from tests.convert.toys import make_blobs, make_toy


def test_steps_are_those_of_each_output_channel_and_a_biases_are_its_outputs():
    folded = fold(make_toy())
    ranges = measure_ranges(folded, make_blobs(8, 0)[0])
    trained = trained_weights(with_rounding(folded, ranges))
    found = {
        (name, variable.name.split("/")[-1]): step
        for (name, variable), step in zip(trained, steps_of(folded, ranges, trained), strict=True)
    }
    kernel = np.abs(folded.get_layer("depth").get_weights()[0])
    for channel in range(8):
        expected = kernel[:, :, channel, 0].max() / 127
        np.testing.assert_allclose(found["depth", "depthwise_kernel:0"][0, 0, channel, 0], expected, rtol=1e-6)
    kernel = np.abs(folded.get_layer("scores").get_weights()[0])
    np.testing.assert_allclose(found["scores", "kernel:0"].ravel(), kernel.max(axis=0) / 127, rtol=1e-6)
    for name, rounded in (("conv", "conv_relu"), ("project", "project"), ("scores", "scores")):
        low, high = ranges[rounded]
        np.testing.assert_allclose(found[name, "bias:0"], (high - low) / 255, rtol=1e-6)


def test_it_is_adam_in_which_a_step_is_the_unit():
    random = np.random.default_rng(0)
    start, steps = random.normal(size=(3, 4)).astype(np.float32), np.array([[0.01, 1, 3, 0]], np.float32)
    ours, theirs = tf.Variable(start), tf.Variable(start / np.where(steps, steps, 1))
    adam, keras_adam = StepAdam([ours], [steps]), keras.optimizers.Adam(0.1, epsilon=1e-12)
    for _ in range(5):
        gradient = random.normal(size=(3, 4)).astype(np.float32)
        adam.apply([tf.constant(gradient)], tf.constant(0.1))
        keras_adam.apply_gradients([(tf.constant(gradient * steps), theirs)])
    np.testing.assert_allclose(ours.numpy()[:, :3], (theirs.numpy() * steps)[:, :3], rtol=1e-4)
    np.testing.assert_array_equal(ours.numpy()[:, 3], start[:, 3])  # a channel of nothing but zeros stays


def test_a_weight_without_gradient_stays():
    variable = tf.Variable([1.0, 2.0])
    adam = StepAdam([variable], [np.ones(1, np.float32)])
    adam.apply([tf.constant([0.0, 1e-9])], tf.constant(0.5))
    assert variable.numpy() == pytest.approx([1, 1.5], abs=1e-3)
