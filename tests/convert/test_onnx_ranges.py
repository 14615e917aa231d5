import numpy as np
import pytest

from convert import onnx_int8, onnx_ranges, to_onnx


@pytest.fixture(scope="module")
def small_onnx(small_model):
    return to_onnx.to_float32(small_model)


def test_nothing_cut_off_is_the_smallest_and_the_largest_value(small_model, small_onnx, images):
    import tf_keras as keras

    ranges = onnx_ranges.clipped(small_onnx, images, share=0.0)
    taps = keras.Model(small_model.input, [small_model.layers[2].output, small_model.layers[3].output])
    conv, pool = (each.numpy() for each in taps(images.astype(np.float32)))
    for values in (conv, pool):
        wanted = values.min(), values.max()  # of large outputs a sample is looked at
        assert any(np.allclose(span, wanted, rtol=0.05, atol=1e-3) for span in ranges.values())


def test_outliers_are_cut_off_and_the_quantizer_takes_the_ranges(small_onnx, images):
    whole, cut = (onnx_ranges.clipped(small_onnx, images, share) for share in (0.0, 0.05))
    assert whole.keys() == cut.keys()
    assert all(cut[name][1] <= whole[name][1] + 1e-6 for name in cut)
    assert any(cut[name][1] < whole[name][1] for name in cut)
    quantized = [onnx_int8.to_int8(small_onnx, images, ranges=each) for each in (whole, cut)]
    assert quantized[0] != quantized[1]


def test_equal_inputs_give_equal_ranges(small_onnx, images):
    assert onnx_ranges.clipped(small_onnx, images) == onnx_ranges.clipped(small_onnx, images)
