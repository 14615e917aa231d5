import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

from convert.fake_quant import paired_scales, take_weights, trained_weights, update_kernel_ranges, with_rounding
from convert.fold import fold
from convert.layer_ranges import measure_ranges
from convert.onnx_weights import scales_of
from tests.convert.toys import SIZE, make_blobs, make_toy


def rounded_kernel(kernel, axes):
    """A kernel in steps of a 127th of its largest value along `axes`."""
    step = np.abs(kernel).max(axis=axes, keepdims=True) / 127
    return np.round(kernel / step) * step


def rounded(values, lowest, highest):
    """Values in 255 steps from `lowest` to `highest`, one of which is 0."""
    step = (highest - lowest) / 255
    zero_point = round(-lowest / step)
    return (np.clip(np.round(values / step) + zero_point, 0, 255) - zero_point) * step


def test_one_rounded_convolution_by_hand():
    keras.utils.set_random_seed(0)
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)
    x = layers.Conv2D(5, 1, name="conv", bias_initializer="random_normal")(x)
    x = layers.DepthwiseConv2D(1, name="depth", depth_multiplier=2)(x)
    folded = fold(keras.Model(image, x))
    images = make_blobs(8, 0)[0] / np.float32(255)
    for name in ("conv", "depth"):  # channels of very unlike size
        kernel, bias = folded.get_layer(name).get_weights()
        folded.get_layer(name).set_weights([kernel * np.geomspace(0.01, 10, kernel.shape[-2])[:, None], bias])
    ranges = {"conv": (-0.3, 0.5), "depth": (-2.0, 1.0)}
    found = with_rounding(folded, ranges)(images, training=False).numpy()

    kernel, bias = folded.get_layer("conv").get_weights()
    conv = rounded(images @ rounded_kernel(kernel[0, 0], (0,)) + bias, *ranges["conv"])
    kernel, bias = folded.get_layer("depth").get_weights()
    # each of the ten output channels has a range of its own, which is its only weight
    depth = rounded((conv[..., None] * kernel[0, 0]).reshape(*conv.shape[:3], 10) + bias, *ranges["depth"])
    step = 3 / 255
    assert (np.abs(found - depth) < 1e-4).mean() > 0.99  # but for a value on the edge of two steps
    assert np.abs(found - depth).max() < 3 * step


def test_a_depthwise_kernel_has_a_range_for_each_channel():
    folded = fold(make_toy())
    rounding = with_rounding(folded, measure_ranges(folded, make_blobs(20, 0)[0]))
    kernel = folded.get_layer("depth").get_weights()[0]
    weights = {each.name.split("/")[-1]: each.numpy() for each in rounding.get_layer("quant_depth").weights}
    np.testing.assert_allclose(weights["depthwise_kernel_max:0"], np.abs(kernel).max(axis=(0, 1, 3)), rtol=1e-6)
    np.testing.assert_allclose(weights["depthwise_kernel_min:0"], -np.abs(kernel).max(axis=(0, 1, 3)), rtol=1e-6)


def test_ranges_of_outputs_stay_while_it_trains_and_those_of_kernels_follow():
    folded, (images, _) = fold(make_toy()), make_blobs(20, 0)
    ranges = measure_ranges(folded, images)
    rounding = with_rounding(folded, ranges)
    wrapper = rounding.get_layer("quant_project")
    kernel = next(each for each in wrapper.weights if "kernel:" in each.name)
    kernel.assign(kernel * 3)
    rounding(images[:4] * np.float32(9), training=True)
    update_kernel_ranges(rounding)
    weights = {each.name.split("/")[-1]: each.numpy() for each in wrapper.weights}
    np.testing.assert_allclose((weights["output_min:0"], weights["output_max:0"]), ranges["project"], rtol=1e-6)
    expected = np.abs(kernel.numpy()).max(axis=(0, 1, 2))
    np.testing.assert_allclose(weights["kernel_max:0"], expected, rtol=1e-6)


def test_weights_go_there_and_back_and_frozen_layers_are_not_trained():
    model = make_toy()
    model.get_layer("project").trainable = False  # as ResNet50's convolution that changes colours is
    folded = fold(model)
    rounding = with_rounding(folded, measure_ranges(folded, make_blobs(8, 0)[0]))
    trained = trained_weights(rounding)
    assert len(trained) == 2 * 3
    assert {name for name, _ in trained} == {"conv", "depth", "scores"}
    assert not any("project" in variable.name for _, variable in trained)
    before = folded.get_weights()
    take_weights(folded, rounding)
    assert all(np.array_equal(a, b) for a, b in zip(before, folded.get_weights(), strict=True))
    first = trained[0][1]
    first.assign_add(first * 0 + 1)
    take_weights(folded, rounding)
    np.testing.assert_allclose(folded.get_layer("conv").get_weights()[0], before[0] + 1)


@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (1, 1, 7, 5), (3, 3, 1, 6), (9, 4)])
def test_paired_scales_are_those_of_an_onnx_file_but_for_its_last_step(shape):
    kernel = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    rows = np.moveaxis(kernel, -1, 0).reshape(shape[-1], -1)  # channels, then places: as (O, H, W, I) lies
    expected = scales_of(rows, in_pairs=shape[-2] > 1)
    found = paired_scales(tf.constant(kernel)).numpy()
    assert (found <= expected * 1.00001).all()
    np.testing.assert_allclose(found, expected, rtol=0.01)


def test_in_pairs_a_kernel_is_rounded_in_wider_steps():
    keras.utils.set_random_seed(0)
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)
    folded = fold(keras.Model(image, layers.Conv2D(5, 3, name="conv")(x)))
    ranges = {"conv": (-2.0, 2.0)}
    found = {each: with_rounding(folded, ranges, in_pairs=each).get_layer("quant_conv") for each in (False, True)}
    widths = {
        each: next(weight.numpy() for weight in layer.weights if weight.name.endswith("kernel_max:0")) / 127
        for each, layer in found.items()
    }
    kernel = folded.get_layer("conv").get_weights()[0]
    np.testing.assert_allclose(widths[False], np.abs(kernel).max(axis=(0, 1, 2)) / 127, rtol=1e-6)
    np.testing.assert_allclose(widths[True], paired_scales(tf.constant(kernel)), rtol=1e-6)
    assert (widths[True] > 1.2 * widths[False]).any()
