import numpy as np
import pytest
import tf_keras as keras

from convert import ranges
from convert.graph import read_layers


@pytest.fixture(scope="module")
def observed(small_tflite, images):
    return ranges.observe(small_tflite, images)


def test_ranges_are_those_of_keras_layers(observed, small_model, small_tflite, images):
    widest = ranges.widest(observed)
    convolution = read_layers(small_tflite)[0]
    assert convolution.operation == "CONV_2D"
    inner = keras.Model(small_model.input, small_model.layers[2].output)
    values = inner(images.astype(np.float32)).numpy()
    assert widest[convolution.name] == pytest.approx((values.min(), values.max()), rel=1e-5)
    assert (float(images.min()), float(images.max())) in widest.values()


def test_clipping_cuts_off_the_outermost_values_of_each_side(small_tflite):
    layers = read_layers(small_tflite)
    values = np.arange(10_001, dtype=np.float32)  # the quantile at 1 % is 100
    observed = {layer.name: ranges.Observed(0, 10_000, [values[:5000], values[5000:]]) for layer in layers}
    clipped = ranges.clipped(observed, small_tflite, share=0.01)
    assert clipped[layers[0].name] == pytest.approx((100, 9900))


def test_what_hands_values_on_has_their_range(observed, small_tflite):
    convolution, pooled, flat, *_ = read_layers(small_tflite)
    assert (pooled.operation, flat.operation) == ("MAX_POOL_2D", "RESHAPE")
    clipped = ranges.clipped(observed, small_tflite)
    assert clipped[pooled.name] == clipped[flat.name] == clipped[convolution.name]
