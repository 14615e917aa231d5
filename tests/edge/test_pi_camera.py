"""A stand-in of picamera2's interface: its RGB888 has blue first in memory, as the real one's has."""

import os
import sys
import types
from concurrent.futures import TimeoutError as FutureTimeoutError

import numpy as np
import pytest

from edge.errors import UserError
from edge.pi_camera import PiCamera, count_pi_cameras
from edge.sources import open_source, parse_source
from tests.cameras import Bench

CSI, USB = {"Id": "/base/soc/i2c0mux/imx708@1a", "Num": 0}, {"Id": "/base/soc/usb@7e980000-1:1.0-046d:0825", "Num": 1}


class Sensor:
    """What the stand-in sees: cameras, a red scene, and what goes wrong."""

    def __init__(self):
        self.cameras, self.starts, self.gives, self.open = [CSI, USB], True, True, []


@pytest.fixture
def sensor(monkeypatch):
    sensor = Sensor()

    class Picamera2:
        def __init__(self, number=0):
            if number >= len(sensor.cameras):
                raise IndexError("list index out of range")
            if self in sensor.open or sensor.open:
                raise RuntimeError("Camera __init__ sequence did not complete.\nsecond line")
            sensor.open.append(self)

        @staticmethod
        def global_camera_info():
            return sensor.cameras

        def create_video_configuration(self, main):
            return {"main": main, "buffer_count": 6}

        def configure(self, configuration):
            self.main = configuration["main"]

        def start(self):
            if not sensor.starts:
                raise RuntimeError("Failed to start camera")

        def capture_array(self, name="main", wait=None):
            assert name == "main"
            assert 0 < wait < 2.5
            if not sensor.gives:
                raise FutureTimeoutError
            width, height = self.main["size"]
            in_memory = {"RGB888": (0, 0, 250), "BGR888": (250, 0, 0)}[self.main["format"]]
            return np.full((height, width, 3), in_memory, np.uint8)

        def close(self):
            sensor.open.remove(self)

    module = types.ModuleType("picamera2")
    module.Picamera2 = Picamera2
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.delenv("LIBCAMERA_LOG_LEVELS", raising=False)
    return sensor


def test_a_red_scene_is_red_in_opencvs_order(sensor):
    camera = PiCamera()
    delivered, frame = camera.read()
    camera.release()
    assert delivered
    assert (frame.shape, frame.dtype) == ((480, 640, 3), np.uint8)
    assert frame[0, 0].tolist() == [0, 0, 250]
    assert sensor.open == []
    assert os.environ["LIBCAMERA_LOG_LEVELS"] == "*:FATAL"


def test_a_frame_that_does_not_come_is_none(sensor):
    camera = PiCamera(0, timeout_s=0.1)
    sensor.gives = False
    assert camera.read() == (False, None)
    camera.release()
    camera.release()  # what is lost already is no error


def test_usb_cameras_are_left_to_opencv(sensor):
    assert count_pi_cameras() == 1
    with pytest.raises(UserError, match="Expected a camera 1 on the ribbon cable, picamera2 sees 1"):
        PiCamera(1)
    sensor.cameras = [USB]
    with pytest.raises(UserError, match="picamera2 sees none; check the cable"):
        PiCamera()


def test_a_camera_that_does_not_start_is_one_line_and_let_go(sensor):
    sensor.starts = False
    with pytest.raises(UserError, match="does not start: Failed to start camera; another program may hold it"):
        PiCamera()
    assert sensor.open == []
    sensor.starts = True
    first = PiCamera()
    with pytest.raises(UserError, match="does not start: Camera __init__ sequence did not complete"):
        PiCamera()
    first.release()


def test_a_libcamera_that_cannot_look_is_one_line(sensor, monkeypatch, tmp_path):
    def fail():
        raise RuntimeError("Failed to start camera manager\nsecond line")

    monkeypatch.setattr(sys.modules["picamera2"].Picamera2, "global_camera_info", fail)
    with pytest.raises(UserError, match="can't look for cameras: Failed to start camera manager; see"):
        PiCamera()
    with Bench(tmp_path).installed() as bench:
        bench.plug_in(0)
        opened = open_source(parse_source("auto"))
        opened.capture.release()
        assert opened.camera.device == str(bench.dev / "video0")


def test_no_picamera2_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(UserError, match="sudo apt install python3-picamera2") as refusal:
        PiCamera()
    assert "\n" not in str(refusal.value)


def test_a_picamera2_for_another_numpy_is_one_line(monkeypatch, tmp_path):
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed, may indicate ...')")
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="--force-reinstall --no-deps simplejpeg"):
        PiCamera()


def test_picamera2_is_a_source(sensor):
    opened = open_source(parse_source("picamera2"))
    assert opened.fps is None
    assert opened.first[0, 0].tolist() == [0, 0, 250]
    assert str(opened.camera) == "picamera2"
    opened.capture.release()
    sensor.gives = False
    with pytest.raises(UserError, match="gives no frame; check its cable"):
        open_source(parse_source("picamera2:0"))
    assert sensor.open == []


def test_auto_takes_it_before_others_and_others_where_there_is_none(sensor, tmp_path):
    with Bench(tmp_path).installed() as bench:
        bench.plug_in(0)
        opened = open_source(parse_source("auto"))
        opened.capture.release()
        assert str(opened.camera) == "picamera2"
        sensor.cameras = [USB]
        opened = open_source(parse_source("auto"))
        opened.capture.release()
        assert opened.camera.device == str(bench.dev / "video0")
