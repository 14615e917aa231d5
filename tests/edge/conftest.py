"""What the tests of edge share: a model, a video whose frames tell their number, a copy of edge/ as a device has it."""

import contextlib
import http.server
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.tree import ROOT

VIDEO_FRAMES = 12


@pytest.fixture(scope="session")
def int8_model(digits_run):
    return digits_run / "model_int8.tflite"


@pytest.fixture(scope="session")
def float_model(digits_run):
    return digits_run / "model_float32.tflite"


def frame_of(number, size=(48, 64)):
    """Return a frame whose brightness is its number."""
    return np.full((*size, 3), 20 * number, np.uint8)


def number_of(frame):
    """Return the number of a frame of `frame_of`, whatever a codec did to it."""
    return round(float(frame.mean()) / 20)


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """Return a video of 12 frames at 100 a second; its name gives nothing away."""
    path = tmp_path_factory.mktemp("videos") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100, (64, 48))
    assert writer.isOpened()
    for number in range(VIDEO_FRAMES):
        writer.write(frame_of(number))
    writer.release()
    return path.rename(path.with_name("clip.recording"))


@pytest.fixture(scope="session")
def device(tmp_path_factory, int8_model):
    """Return a folder as a device has it: a copy of edge/, a model, nothing else of ours."""
    folder = tmp_path_factory.mktemp("device")
    shutil.copytree(ROOT / "edge", folder / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(int8_model, folder)
    return folder


def environment(**changes):
    """Return the environment of a child process that must find edge by itself, and buffers as a user's does."""
    ours = {"PYTHONPATH", "PYTHONUNBUFFERED"}
    return {**{name: text for name, text in os.environ.items() if name not in ours}, **changes}


def run(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run this Python with `arguments` in a folder."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def odd_jpeg(number):
    """Return a JPEG: mostly whole ones, of a size and colours that change after 40 frames; every seventh is cut."""
    frame = frame_of(5) if number < 40 else frame_of(5, (96, 128))[:, :, 0]
    jpeg = cv2.imencode(".jpg", frame)[1].tobytes()
    return jpeg[: len(jpeg) // 2] if number % 7 == 6 else jpeg


class _Network(http.server.BaseHTTPRequestHandler):
    """Serves /video, a recording; /stream, a camera without end; /odd, one that breaks; /stalls, one that hangs."""

    recording: Path

    def do_GET(self):
        if self.path.startswith("/video"):
            self.send_response(200)
            self.send_header("Content-Length", str(self.recording.stat().st_size))
            self.end_headers()
            self.wfile.write(self.recording.read_bytes())
        elif self.path.startswith("/stream"):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):  # the reader left
                for number in itertools.count():
                    self._send(cv2.imencode(".jpg", frame_of(number % 10))[1].tobytes())
                    time.sleep(0.01)
        elif self.path.startswith(("/odd", "/stalls")):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):
                for number in itertools.count():
                    self._send(
                        odd_jpeg(number) if self.path == "/odd" else cv2.imencode(".jpg", frame_of(1))[1].tobytes()
                    )
                    if self.path == "/stalls" and number > 30:
                        self.rfile.read()  # until the reader leaves
                    time.sleep(0.01)
        else:
            self.send_error(404)

    def _send(self, jpeg: bytes) -> None:
        """Send one part of a stream."""
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def network(video, monkeypatch):
    """Return the address of a web server with /video and /stream, user and password in it."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = type("Handler", (_Network,), {"recording": video})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://user:hush@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
