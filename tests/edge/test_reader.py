"""What a reader takes for a frame; its thread is driven in test_camera.py."""

import cv2
import numpy as np
import pytest

from edge.reader import _read, find_fault


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 4)], ids=str)
def test_frames_of_one_three_and_four_channels_have_no_fault(shape):
    assert find_fault(np.zeros(shape, np.uint8)) is None


@pytest.mark.parametrize(
    "frame",
    [
        None,
        b"\xff\xd8",
        np.zeros((2, 3, 2), np.uint8),
        np.zeros((2, 3, 5), np.uint8),
        np.zeros((2, 3, 3), np.uint16),
        np.zeros((2, 3, 3), np.float32),
        np.zeros((0, 3, 3), np.uint8),
        np.zeros((2, 0), np.uint8),
        np.zeros((2, 3, 0), np.uint8),
        np.zeros(7, np.uint8),
        np.zeros((1, 2, 3, 3), np.uint8),
    ],
    ids=lambda frame: f"{getattr(frame, 'shape', frame)} {getattr(frame, 'dtype', '')}",
)
def test_what_the_model_cannot_be_shown_is_said_in_one_line(frame):
    fault = find_fault(frame)
    assert fault.startswith("gives ")
    assert "\n" not in fault


@pytest.mark.parametrize("error", [cv2.error("broken JPEG"), OSError(19, "No such device")])
def test_a_read_that_raises_is_a_read_without_a_frame(error):
    class Capture:
        def read(self):
            raise error

        def release(self):
            pass

    assert _read(Capture()) is None
