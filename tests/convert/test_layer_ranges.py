import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from convert import layer_ranges
from convert.fold import fold
from convert.layer_ranges import input_range, measure_ranges, rounded_outputs
from edge.errors import UserError
from tests.convert.toys import SIZE, make_blobs, make_toy


def output_of(folded, name, images):
    """What a layer gives for images."""
    return keras.Model(folded.input, folded.get_layer(name).output)(images.astype(np.float32)).numpy()


def test_what_a_device_computes_as_one_is_rounded_once():
    assert rounded_outputs(fold(make_toy())) == ["conv_relu", "depth_relu", "project", "add", "features", "scores"]


def test_ranges_are_the_extremes_of_each_output_and_hold_zero():
    folded, (images, _) = fold(make_toy()), make_blobs(40, 0)
    ranges = measure_ranges(folded, images, share=0)
    assert list(ranges) == ["scale", *rounded_outputs(folded)]
    for name in rounded_outputs(folded):
        output = output_of(folded, name, images)
        expected = min(output.min(), 0), max(output.max(), 0)
        np.testing.assert_allclose(ranges[name], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ranges["scale"], (-127 / 128, 1))
    assert ranges["scale"] == input_range(folded)


def test_a_share_of_the_values_that_lie_farthest_out_is_cut_off():
    folded, (images, _) = fold(make_toy()), make_blobs(40, 0)
    ranges = measure_ranges(folded, images, share=0.02)
    for name in rounded_outputs(folded):
        low, high = np.quantile(output_of(folded, name, images), (0.02, 0.98))
        np.testing.assert_allclose(ranges[name], (min(low, 0), max(high, 0)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ranges["scale"], (-127 / 128, 1))  # raw pixels are never cut


def test_of_large_outputs_a_part_is_looked_at_the_same_one_each_time(monkeypatch):
    monkeypatch.setattr(layer_ranges, "_KEPT", 200)  # of the 640 values that "conv_relu" gives for an image
    folded, (images, _) = fold(make_toy()), make_blobs(40, 0)
    ranges = measure_ranges(folded, images, share=0.02)
    assert measure_ranges(folded, images, share=0.02) == ranges != measure_ranges(folded, images, share=0.02, seed=1)
    values = output_of(folded, "conv_relu", images)
    low, high = np.quantile(values, (0.01, 0.03)), np.quantile(values, (0.97, 0.99))
    assert high[0] < ranges["conv_relu"][1] < high[1]
    assert ranges["conv_relu"][0] == 0 == low[0]


def test_a_layer_that_gives_nothing_has_a_range_all_the_same():
    folded = fold(make_toy())
    kernel, bias = folded.get_layer("conv").get_weights()
    folded.get_layer("conv").set_weights([0 * kernel, 0 * bias - 1])
    lowest, highest = measure_ranges(folded, make_blobs(4, 0)[0])["conv_relu"]
    assert lowest == 0 < highest


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (layers.LayerNormalization(name="odd"), "odd of the type LayerNormalization"),
        (layers.Conv2D(3, 1, activation="tanh", name="curved"), "curved has tanh"),
        (layers.Activation("swish", name="curved"), "curved has swish"),
    ],
)
def test_layers_that_it_does_not_know_are_one_line(layer, told):
    image = keras.Input((*SIZE, 3), name="image")
    x = layer(layers.Rescaling(1 / 255, name="scale")(image))
    folded = fold(keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x))))
    with pytest.raises(UserError, match=told) as refusal:
        rounded_outputs(folded)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith("quantize without --qat")
