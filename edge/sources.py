"""Where frames come from: what `--source` may say, and how each kind is opened.

Names that reach a screen or a log carry no user, password or query: cameras are asked with them in the address.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import cv2

from edge.devices import Identity, device_of, find_again, identify, list_cameras, list_devices
from edge.errors import UserError
from edge.preprocess import PHOTO_SUFFIXES, Frame

STALL_S = 2.5  # a camera that gives nothing for this long hangs; below it, what follows is in step with it
OPEN_TIMEOUT_S = 10.0  # FFmpeg's own 30 would leave a user waiting for a mistyped address
READ_TIMEOUT_S = 5.0
_SOONER_S = 0.5  # a driver's own time for a frame ends before the reader is left behind
_FIRST_TRIES = 3  # a camera's first frame may be broken
PI_CAMERA = "picamera2"  # in place of a device: the camera on the ribbon cable
_USUAL_FPS = 30.0  # for videos that don't tell


class Capture(Protocol):
    """A thing that gives frames one by one: cv2.VideoCapture and its stand-ins."""

    def read(self) -> tuple[bool, Any]:
        """Return (True, frame), or (False, anything) where there is none."""

    def release(self) -> None:
        """Let go of the device or file."""


class Opened(NamedTuple):
    """A capture that has proved itself by its first frame.

    Attributes:
        capture: Gives the frames after the first.
        first: The first frame.
        fps: Pace of a recording; None where the frames come at a pace of their own.
        camera: Which camera it is, by which it is found again; None for streams and recordings.
    """

    capture: Capture
    first: Frame
    fps: float | None
    camera: Identity | None = None


@dataclass(frozen=True)
class Source:
    """What a `--source` text stands for.

    Attributes:
        kind: "auto" is the first camera that delivers a frame, "picamera2" one on the Pi's ribbon cable, "address" a
            stream or a video on the network.
        target: The camera's device or number, the address, or the path.
        name: How to call it on a screen or in a log.
    """

    kind: Literal["auto", "camera", "picamera2", "address", "video", "photos"]
    target: str
    name: str


def parse_source(text: str) -> Source:
    """Tell what a `--source` text stands for.

    Raises:
        UserError: If it is neither camera nor address, and no such file or folder exists.
    """
    if text == "auto":
        return Source("auto", "", "the first camera")
    if re.fullmatch(r"[0-9]{1,4}", text):
        return Source("camera", device_of(int(text)), device_of(int(text)))
    if number := re.fullmatch(r"picamera2(?::([0-9]))?", text):
        return Source("picamera2", number[1] or "0", text)
    if "://" in text:
        return Source("address", text, _mask(text))
    path = Path(text)
    try:
        # An empty text, as of a variable that isn't set, would be the working directory.
        is_folder, is_file = bool(text) and path.is_dir(), path.is_file()
    except OSError as error:
        raise UserError(f"Expected a file or folder at {text}, could not look at it: {error.strerror}") from error
    if is_folder or (is_file and path.suffix.lower() in PHOTO_SUFFIXES):
        return Source("photos", text, text)
    if is_file:
        # Absolute, since FFmpeg takes what stands before a colon for a protocol.
        return Source("video", str(path.absolute()), text)
    if text.startswith("/dev/"):
        return Source("camera", text, text)
    raise UserError(
        "Expected a camera number, /dev/video*, picamera2, a video file, a folder of photos, an rtsp:// or http:// "
        f"address or auto; there is no file or folder {text!r}"
    )


def open_source(source: Source, last: Identity | None = None, stall_s: float = STALL_S) -> Opened:
    """Open anything but photos.

    Args:
        source: What to open.
        last: The camera that it was when it was open before; it is searched where it isn't in its place.
        stall_s: Seconds without a frame after which a camera or stream hangs.

    Raises:
        UserError: If it doesn't open or gives no frame; the line says what was tried.
    """
    # For a lost camera; OpenCV reads it at its first capture and would wait 10 s.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(1, int(stall_s - _SOONER_S))))
    if source.kind == "auto":
        return _open_first_camera(last, stall_s)
    if source.kind == "camera":
        return _open_camera(source.target) if last is None else _open_again(source.target, last)
    if source.kind == "picamera2":
        return _open_pi_camera(int(source.target), stall_s)
    if source.kind == "address":
        return _open_address(source, patience(stall_s))
    opened = _first_frame(cv2.VideoCapture(source.target), paced=True)
    if opened is None:
        raise UserError(f"Expected a video or a photo, but {source.name} does not open as either; save it again")
    return opened


def patience(stall_s: float) -> float:
    """Return how many times longer than usual an opening may take, since it waits for frames too; at least 1."""
    return max(1.0, stall_s / STALL_S)


def list_photos(source: Source) -> list[Path]:
    """Return the photos of a folder and the folders in it, sorted by path.

    Raises:
        UserError: If there is none.
    """
    root = Path(source.target)
    if root.is_file():
        return [root]
    photos = sorted(path for path in root.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    if not photos:
        raise UserError(f"Expected photos ({', '.join(sorted(PHOTO_SUFFIXES))}) in {source.name}, found none")
    return photos


def _open_camera(device: str) -> Opened:
    """Open a camera by its device file."""
    if not os.path.exists(device):  # noqa: PTH110  Path.exists raises where a parent can't be searched
        here = ", ".join(list_devices()) or "none"
        raise UserError(f"Expected a camera at {device}, there is none; cameras here: {here}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise UserError(f"No permission to use {device}; run: sudo usermod -aG video $USER, then log in again")
    camera = identify(device)
    opened = _first_frame(cv2.VideoCapture(camera.device, cv2.CAP_V4L2), paced=False)
    if opened is None:
        raise UserError(
            f"{device} gives no frame; another program may hold it, or it is no camera that OpenCV can read; "
            "try another number"
        )
    return opened._replace(camera=camera)


def _open_again(target: str, last: Identity) -> Opened:
    """Open the camera that was lost, wherever it is by now."""
    # A link such as those of by-id is a name of its own: what it leads to is what was asked for.
    devices = [target] if os.path.islink(target) else find_again(last)  # noqa: PTH114
    return _open_first(devices, f"Expected {last} to come back, it is not there")


def _open_first_camera(last: Identity | None, stall_s: float) -> Opened:
    """Open the camera on the ribbon cable or else the first one that delivers a frame, the last one before others."""
    if last is None or last.device == PI_CAMERA:
        with contextlib.suppress(UserError):  # most machines have no picamera2
            return _open_pi_camera(0, stall_s)
    devices = [camera.device for camera in list_cameras()]
    if last is not None:
        likely = find_again(last)
        devices = likely + [device for device in devices if device not in likely]
    return _open_first(devices, "Expected a camera, there is no /dev/video* and none that picamera2 sees")


def _open_first(devices: list[str], none: str) -> Opened:
    """Open the first of some cameras that delivers a frame."""
    refusals: list[str] = []
    for device in devices:
        try:
            return _open_camera(device)
        except UserError as error:
            refusals.append(str(error))
    if not refusals:
        raise UserError(f"{none}; connect one, or name a --source")
    raise UserError(f"Expected a camera, tried {len(refusals)}: {'; '.join(refusals)}")


def _open_pi_camera(number: int, stall_s: float) -> Opened:
    """Open a camera on the ribbon cable."""
    from edge.pi_camera import PiCamera

    capture = PiCamera(number, max(_SOONER_S, stall_s - _SOONER_S))
    delivered, frame = capture.read()
    if not delivered:
        capture.release()
        raise UserError(f"Camera {number} on the ribbon cable gives no frame; check its cable, then start again")
    return Opened(capture, frame, None, Identity(PI_CAMERA))


def _open_address(source: Source, longer: float) -> Opened:
    """Open a stream, or a video on a web server."""
    timeouts = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(longer * OPEN_TIMEOUT_S * 1000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(longer * READ_TIMEOUT_S * 1000)),
    ]
    capture = cv2.VideoCapture(source.target, cv2.CAP_FFMPEG, timeouts)
    # Only a recording knows how many frames it has.
    opened = _first_frame(capture, paced=capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0)
    if opened is None:
        raise UserError(f"Expected a stream at {source.name}, it does not open; check address, user, password, network")
    return opened


def _first_frame(capture: cv2.VideoCapture, paced: bool) -> Opened | None:
    """Read the first frame of a capture; None, and the capture released, where there is none."""
    frame: Any
    for _ in range(1 if paced else _FIRST_TRIES):
        try:
            delivered, frame = capture.read()
        except cv2.error:
            delivered = False
        if delivered:
            fps = capture.get(cv2.CAP_PROP_FPS)
            return Opened(capture, frame, (fps if 0 < fps <= 1000 else _USUAL_FPS) if paced else None)
    capture.release()
    return None


def _mask(address: str) -> str:
    """Hide what may be secret in an address: user, password, query, and paths that hold settings."""
    scheme, _, rest = address.partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, slash, path = place.partition("/")
    if "@" in rest[len(authority) :]:  # a password that holds / or ?, or a harmless @: who can tell
        return f"{scheme}://***"
    _, at, host = authority.rpartition("@")
    if re.search(r"[=;&]", path):  # such as /user=admin_password=secret_channel=1
        path = "***"
    return f"{scheme}://{'***@' if at else ''}{host}{slash}{path}"
