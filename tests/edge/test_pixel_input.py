from pathlib import Path

import numpy as np
import pytest

from edge.errors import UserError
from edge.pixel_input import describe_assumption, describe_input

PATH = Path("m.tflite")
IMAGE = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3) * 10


def written(shape, dtype, input_range=None):
    pixels = describe_input(PATH, shape, np.dtype(dtype), input_range)
    tensor = np.full(shape[1:], 7, dtype)
    pixels.write(IMAGE, tensor)
    return tensor


def test_uint8_and_float_are_raw_pixels():
    np.testing.assert_array_equal(written((1, 2, 4, 3), np.uint8), IMAGE)
    for dtype in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(written((1, 2, 4, 3), dtype), IMAGE.astype(dtype))


def test_int8_is_the_pixel_less_128():
    np.testing.assert_array_equal(written((1, 2, 4, 3), np.int8), IMAGE.astype(int) - 128)


def test_a_range_is_mapped():
    np.testing.assert_allclose(
        written((1, 2, 4, 3), np.float32, (-1.0, 1.0)), IMAGE.astype(float) / 127.5 - 1, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32])
def test_channels_may_come_first(dtype):
    expected = written((1, 2, 4, 3), dtype).transpose(2, 0, 1)
    np.testing.assert_array_equal(written((1, 3, 2, 4), dtype), expected)


@pytest.mark.parametrize(
    ("shape", "dtype", "input_range", "message"),
    [
        ((1, 4, 4, 1), np.uint8, None, "takes one RGB image"),
        ((2, 4, 4, 3), np.uint8, None, "takes one RGB image"),
        ((1, 3, -1, -1), np.float32, None, "takes one RGB image"),
        ((4, 4, 3), np.float32, None, "takes one RGB image"),
        ((1, 4, 4, 3), np.int32, None, "takes int32"),
        ((1, 4, 4, 3), np.uint8, (0.0, 1.0), "--input-range is for models that take floats"),
        ((1, 3, 100_000, 100_000), np.uint8, None, "at most 16,777,216 pixels"),
    ],
)
def test_anything_else_is_one_line(shape, dtype, input_range, message):
    with pytest.raises(UserError, match=message):
        describe_input(PATH, shape, np.dtype(dtype), input_range)


def test_what_is_assumed_is_said():
    said = describe_assumption(PATH, describe_input(PATH, (1, 3, 4, 8), np.dtype(np.float32)))
    assert said == (
        "m.tflite is of another maker; taken to want RGB of 0 to 255, channels first "
        "(--input-range 0 1, or -1 1, if it was trained so)"
    )
    ranged = describe_assumption(PATH, describe_input(PATH, (1, 4, 8, 3), np.dtype(np.float32), (-1.0, 1.0)))
    assert ranged == "m.tflite is of another maker; taken to want RGB of -1 to 1"
