import numpy as np
import pytest

from benchmarks import yardsticks, yardsticks_onnx
from benchmarks.macs import count_macs
from edge.classifier import Classifier

PIXELS = np.random.default_rng(7).integers(0, 256, (16, 16, 3), np.uint8)


def _expected(real_pixels):
    """Return the stack's output by NumPy: a 1x1 convolution is a product over the channels."""
    values = real_pixels.reshape(-1, 3).astype(np.float64)
    for layer in range(10):
        values = np.maximum(values @ (yardsticks.weights_of(layer).T / 820), 0)
    return values.reshape(-1)


@pytest.mark.parametrize(("make", "suffix"), [(yardsticks.busy_tflite, "tflite"), (yardsticks_onnx.busy_onnx, "onnx")])
def test_the_float_one_multiplies_what_it_says(make, suffix, tmp_path):
    path = tmp_path / f"busy.{suffix}"
    path.write_bytes(make(False))
    scores = Classifier(path).scores(PIXELS)
    assert scores == pytest.approx(_expected(PIXELS), rel=1e-3, abs=1e-2)
    assert (count_macs(path).macs, count_macs(path).arithmetic) == (yardsticks.MACS, "float32")


@pytest.mark.parametrize(("make", "suffix"), [(yardsticks.busy_tflite, "tflite"), (yardsticks_onnx.busy_onnx, "onnx")])
def test_the_int8_one_multiplies_the_same_in_bytes(make, suffix, tmp_path):
    path = tmp_path / f"busy.{suffix}"
    path.write_bytes(make(True))
    scores = Classifier(path).scores(PIXELS)
    expected = _expected(PIXELS / 255)
    assert expected.std() > 4 / 256  # it tells something
    assert np.abs(scores - expected).max() < 12 / 256  # steps that ten layers' rounding adds up to
    assert (count_macs(path).macs, count_macs(path).arithmetic) == (yardsticks.MACS, "int8")


def test_its_multiplications_by_hand():
    assert yardsticks.MACS == 256 * (3 * 256 + 8 * 65_536 + 256)


@pytest.mark.parametrize(
    ("make", "suffix"), [(yardsticks.empty_tflite, "tflite"), (yardsticks_onnx.empty_onnx, "onnx")]
)
def test_the_empty_one_hands_its_pixel_on(make, suffix, tmp_path):
    path = tmp_path / f"empty.{suffix}"
    path.write_bytes(make())
    scores = Classifier(path).scores(np.array([[[0, 51, 255]]], np.uint8))
    assert scores / scores[2] == pytest.approx([0, 0.2, 1])
    assert count_macs(path).macs == 0
