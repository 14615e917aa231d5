"""Where frames come from: what `--source` may say, and how each kind is opened.

Names that reach a screen or a log carry no user, password or query: cameras are asked with them in the address.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import cv2

from edge.errors import UserError
from edge.preprocess import PHOTO_SUFFIXES, Frame

OPEN_TIMEOUT_S = 10  # FFmpeg's own 30 would leave a user waiting for a mistyped address
READ_TIMEOUT_S = 5
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
    """

    capture: Capture
    first: Frame
    fps: float | None


@dataclass(frozen=True)
class Source:
    """What a `--source` text stands for.

    Attributes:
        kind: "auto" is the first camera that delivers a frame, "address" a stream or a video on the network.
        target: The camera's device, the address, or the path.
        name: How to call it on a screen or in a log.
    """

    kind: Literal["auto", "camera", "address", "video", "photos"]
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
        return Source("camera", f"/dev/video{int(text)}", f"/dev/video{int(text)}")
    if "://" in text:
        return Source("address", text, _mask(text))
    path = Path(text)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
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
        f"Expected a camera number, /dev/video*, a video file, a folder of photos, an rtsp:// or http:// address or "
        f"auto; there is no file or folder {text}"
    )


def open_source(source: Source) -> Opened:
    """Open anything but photos.

    Raises:
        UserError: If it doesn't open or gives no frame; the line says what was tried.
    """
    if source.kind == "auto":
        return _open_first_camera()
    if source.kind == "camera":
        return _open_camera(source.target)
    if source.kind == "address":
        return _open_address(source)
    opened = _first_frame(cv2.VideoCapture(source.target), paced=True)
    if opened is None:
        raise UserError(f"Expected a video or a photo, but {source.name} does not open as either; save it again")
    return opened


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
        here = ", ".join(_camera_devices()) or "none"
        raise UserError(f"Expected a camera at {device}, there is none; cameras here: {here}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise UserError(f"No permission to use {device}; run: sudo usermod -aG video $USER, then log in again")
    opened = _first_frame(cv2.VideoCapture(device, cv2.CAP_V4L2), paced=False)
    if opened is None:
        raise UserError(
            f"{device} gives no frame; another program may hold it, or it is no camera that OpenCV can read; "
            "try another number"
        )
    return opened


def _open_first_camera() -> Opened:
    """Open the first camera that delivers a frame."""
    refusals: list[str] = []
    for device in _camera_devices():
        try:
            return _open_camera(device)
        except UserError as error:
            refusals.append(str(error))
    tried = f"tried {len(refusals)}: {'; '.join(refusals)}" if refusals else "there is no /dev/video*"
    raise UserError(f"Expected a camera, {tried}; connect one, or name a --source")


def _open_address(source: Source) -> Opened:
    """Open a stream, or a video on a web server."""
    timeouts = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_S * 1000),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_S * 1000),
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
    delivered, frame = capture.read()
    if not delivered:
        capture.release()
        return None
    fps = capture.get(cv2.CAP_PROP_FPS)
    return Opened(capture, frame, (fps if 0 < fps <= 1000 else _USUAL_FPS) if paced else None)


def _camera_devices() -> list[str]:
    """Return the video devices here, by number."""
    devices = Path("/dev").glob("video[0-9]*")
    return sorted(map(str, devices), key=lambda device: (len(device), device))


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
