import cv2
import numpy as np
import pytest

from benchmarks import paced_photos
from benchmarks.paced_photos import PacedPhotos


class Clock:
    """A clock that sleeping moves on."""

    def __init__(self):
        self.now, self.slept = 50.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(paced_photos, "time", clock)
    return clock


def _jpegs(*levels):
    return [cv2.imencode(".jpg", np.full((8, 8, 3), level, np.uint8))[1].tobytes() for level in levels]


def test_a_frame_comes_when_it_is_due(clock):
    photos = PacedPhotos(_jpegs(50, 200))
    opened = photos.open(photos.source, None)
    frames = [opened.first, *(opened.capture.read()[1] for _ in range(3))]
    assert [round(float(frame.mean())) for frame in frames] == [50, 200, 50, 200]
    assert clock.slept == pytest.approx([0, 1 / 30, 1 / 30, 1 / 30])
    assert opened.fps is None  # it comes at a pace of its own, as a camera's


def test_a_reader_that_is_late_gets_the_next_frame_at_once_and_none_to_make_up(clock):
    photos = PacedPhotos(_jpegs(50))
    photos.read()
    clock.now += 10
    photos.read()
    photos.read()
    assert clock.slept == pytest.approx([0, 0, 1 / 30])
    photos.release()
