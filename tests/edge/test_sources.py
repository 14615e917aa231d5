import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import devices, sources
from edge.errors import UserError
from edge.sources import list_photos, open_source, parse_source
from tests.cameras import Bench
from tests.edge.conftest import VIDEO_FRAMES, number_of


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("auto", "auto", ""),
        ("0", "camera", "/dev/video0"),
        ("012", "camera", "/dev/video12"),
        ("/dev/video3", "camera", "/dev/video3"),
        ("/dev/v4l/by-id/usb-camera", "camera", "/dev/v4l/by-id/usb-camera"),
        ("picamera2", "picamera2", "0"),
        ("picamera2:1", "picamera2", "1"),
        ("rtsp://host/stream", "address", "rtsp://host/stream"),
        ("http://host:8080/video", "address", "http://host:8080/video"),
    ],
)
def test_what_a_text_stands_for(text, kind, target):
    source = parse_source(text)
    assert (source.kind, source.target) == (kind, target)


def test_what_a_path_stands_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("clip", "photo.JPG", "7"):
        Path(name).touch()
    Path("auto").mkdir()
    assert parse_source("clip").kind == "video"
    assert parse_source("clip").target == str(tmp_path / "clip")
    assert parse_source("photo.JPG").kind == "photos"
    assert parse_source(str(tmp_path)).kind == "photos"
    assert parse_source("./auto").kind == "photos"
    assert parse_source("./7").kind == "video"
    assert parse_source("7").kind == "camera"
    assert parse_source("auto").kind == "auto"


@pytest.mark.parametrize("text", ["", "none.mp4", "none/", "-1", "99999", "nul\0byte"])
def test_what_stands_for_nothing_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no file or folder"):
        parse_source(text)


def test_what_cannot_be_looked_at_is_refused():
    with pytest.raises(UserError, match="could not look at it: File name too long"):
        parse_source("9" * 5000)


SECRETS = st.text("abc@:/?#[]%=&.-_é ", min_size=1).map(lambda text: f"SECRET{text}SECRET")


@given(SECRETS, SECRETS)
def test_user_and_password_reach_no_name(user, password):
    for address in (
        f"rtsp://{user}:{password}@host/path",
        f"http://host/video.cgi?user={user}&pwd={password}",
        f"rtsp://host:554/user={user}_password={password}_channel=1.sdp",
        f"http://{user}@host:81/x",
        f"http://host/x#{password}",
    ):
        assert "SECRET" not in parse_source(address).name


def test_a_name_still_tells_which_camera():
    assert parse_source("rtsp://me:pass@10.0.0.7:554/h264/2").name == "rtsp://***@10.0.0.7:554/h264/2"
    assert parse_source("http://10.0.0.8:8080/video?token=1").name == "http://10.0.0.8:8080/video"
    assert parse_source("rtsp://10.0.0.9").name == "rtsp://10.0.0.9"


@pytest.mark.parametrize("where", ["file", "network"])
def test_a_recording_opens_with_its_first_frame_and_its_pace(where, video, network):
    opened = open_source(parse_source(str(video) if where == "file" else f"{network}/video"))
    frames = [opened.first]
    while (read := opened.capture.read())[0]:
        frames.append(read[1])
    opened.capture.release()
    assert opened.fps == 100
    assert [number_of(frame) for frame in frames] == list(range(VIDEO_FRAMES))


def test_a_stream_has_no_pace(network):
    opened = open_source(parse_source(f"{network}/stream"))
    opened.capture.release()
    assert opened.fps is None
    assert opened.first.shape == (48, 64, 3)


def test_a_file_with_a_colon_is_no_protocol(video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("http:clip.avi").write_bytes(video.read_bytes())
    assert number_of(open_source(parse_source("http:clip.avi")).first) == 0


def test_what_does_not_open_is_one_line_without_secrets(network, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for source, message in [
        (str(text), "does not open as either"),
        (f"{network}/nothing", r"stream at http://\*\*\*@127"),
        ("rtsp://user:hush@127.0.0.1:9/x", r"stream at rtsp://\*\*\*@127.0.0.1:9/x, it does not open"),
        ("/dev/video97", "Expected a camera at /dev/video97, there is none"),
        ("/dev/null", "/dev/null gives no frame"),
    ]:
        with pytest.raises(UserError, match=message) as refusal:
            open_source(parse_source(source))
        assert "\n" not in str(refusal.value)
        assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("stall_s", "longest_ms", "select_s", "frame_s"),
    [(2.5, (10_000, 5_000), "2", 2.0), (30, (120_000, 60_000), "29", 29.5), (0.5, (10_000, 5_000), "1", 0.5)],
)
def test_drivers_wait_in_step_with_the_stall_timeout(stall_s, longest_ms, select_s, frame_s, monkeypatch):
    asked = []

    class Nothing:
        def __init__(self, target, api, settings=()):
            asked.append(dict(zip(settings[::2], settings[1::2], strict=True)))

        def isOpened(self):  # noqa: N802
            return False

        def read(self):
            return False, None

        def release(self):
            pass

    monkeypatch.setattr(sources.cv2, "VideoCapture", Nothing)
    monkeypatch.delenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", raising=False)
    with pytest.raises(UserError):
        open_source(parse_source("rtsp://host/slow"), stall_s=stall_s)
    assert asked == [{cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: longest_ms[0], cv2.CAP_PROP_READ_TIMEOUT_MSEC: longest_ms[1]}]
    assert os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] == select_s
    monkeypatch.setattr("edge.pi_camera.PiCamera", lambda number, timeout_s: asked.append(timeout_s) or Nothing(0, 0))
    with pytest.raises(UserError):
        open_source(parse_source("picamera2"), stall_s=stall_s)
    assert asked[1] == frame_s


def plug_in(monkeypatch, cameras):
    """Pretend that video devices exist: a name and what reads from it, a video or nothing."""
    real = cv2.VideoCapture
    monkeypatch.setattr(devices, "list_devices", lambda: list(cameras))
    monkeypatch.setattr(sources, "list_devices", lambda: list(cameras))
    monkeypatch.setattr(sources.os.path, "exists", cameras.__contains__)
    monkeypatch.setattr(sources.os, "access", lambda device, mode: cameras[device] != "locked")
    monkeypatch.setattr(sources.cv2, "VideoCapture", lambda device, api: real(str(cameras[device])))


def test_auto_takes_the_first_camera_that_delivers(monkeypatch, video, tmp_path):
    plug_in(monkeypatch, {"/dev/video0": tmp_path / "dead", "/dev/video1": "locked", "/dev/video2": video})
    opened = open_source(parse_source("auto"))
    opened.capture.release()
    assert opened.fps is None  # a camera has its own pace
    assert number_of(opened.first) == 0


def test_auto_says_what_it_tried(monkeypatch, tmp_path):
    plug_in(monkeypatch, {"/dev/video0": tmp_path / "dead", "/dev/video1": "locked"})
    with pytest.raises(UserError, match=r"tried 2: /dev/video0 gives no frame.*No permission to use /dev/video1"):
        open_source(parse_source("auto"))
    plug_in(monkeypatch, {})
    with pytest.raises(UserError, match=r"there is no /dev/video\*"):
        open_source(parse_source("auto"))


def test_a_missing_camera_is_told_with_those_that_are_there(monkeypatch, video):
    plug_in(monkeypatch, {"/dev/video2": video})
    with pytest.raises(UserError, match="cameras here: /dev/video2"):
        open_source(parse_source("0"))


def test_a_locked_camera_is_told_with_its_mend(monkeypatch):
    plug_in(monkeypatch, {"/dev/video0": "locked"})
    with pytest.raises(UserError, match="usermod -aG video"):
        open_source(parse_source("0"))


def test_photos_are_listed_by_path_in_all_folders(tmp_path):
    for name in ("b/2.PNG", "b/1.jpeg", "a/3.webp", "top.bmp", "b/notes.txt", "b/clip.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "folder.jpg").mkdir()
    photos = list_photos(parse_source(str(tmp_path)))
    assert [str(path.relative_to(tmp_path)) for path in photos] == ["a/3.webp", "b/1.jpeg", "b/2.PNG", "top.bmp"]
    assert list_photos(parse_source(str(tmp_path / "top.bmp"))) == [tmp_path / "top.bmp"]


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"Expected photos .* found none"):
        list_photos(parse_source(str(tmp_path)))


def test_a_video_without_a_pace_plays_at_the_usual_one():
    class Timeless:
        def read(self):
            return True, np.zeros((1, 1, 3), np.uint8)

        def get(self, prop):
            return float("nan")

    opened = sources._first_frame(Timeless(), paced=True)
    assert opened.fps == 30


@pytest.fixture
def bench(tmp_path):
    """Return a bench with a camera at /dev/video0."""
    with Bench(tmp_path, interval_s=0.001).installed() as bench:
        bench.plug_in(0)
        yield bench


def reopened(source, camera):
    """Return the device that a lost camera is found at."""
    opened = open_source(parse_source(source), camera)
    opened.capture.release()
    return Path(opened.camera.device).name


@pytest.mark.parametrize("source", ["0", "auto"])
def test_a_camera_that_came_back_under_another_number_is_opened_there(source, bench):
    opened = open_source(parse_source(source))
    opened.capture.release()
    bench.unplug(bench.dev / "video0")
    bench.plug_in(2)
    assert reopened(source, opened.camera) == "video2"


def test_another_camera_is_never_taken_for_the_one_that_was_named(bench):
    camera = open_source(parse_source("0")).camera
    bench.unplug(bench.dev / "video0")
    bench.plug_in(0, "Another Camera", link="usb-another")
    with pytest.raises(UserError, match=r"Expected .*video0 \(Scripted Camera: UVC\) to come back, it is not there"):
        open_source(parse_source("0"), camera)


def test_auto_takes_another_camera_where_the_last_one_is_gone(bench):
    camera = open_source(parse_source("auto")).camera
    bench.unplug(bench.dev / "video0")
    bench.plug_in(1, "Another Camera", link="usb-another")
    assert reopened("auto", camera) == "video1"
    bench.plug_in(4)
    assert reopened("auto", camera) == "video4"


def test_a_link_is_followed_wherever_it_leads(bench):
    link = str(bench.links / "usb-scripted-camera-index0")
    source = sources.Source("camera", link, link)
    camera = open_source(source).camera
    bench.unplug(bench.dev / "video0")
    bench.plug_in(3)
    assert Path(open_source(source, camera).camera.device).name == "video3"


def test_a_first_frame_that_is_broken_is_passed_over():
    class Waking:
        reads = 0

        def read(self):
            self.reads += 1
            if self.reads == 1:
                raise cv2.error("broken JPEG")
            return self.reads == 3, np.zeros((1, 1, 3), np.uint8)

        def get(self, prop):
            return 30.0

        def release(self):
            self.reads = -1

    assert sources._first_frame(Waking(), paced=False).fps is None
    asleep = Waking()
    assert sources._first_frame(asleep, paced=True) is None
    assert asleep.reads == -1
