"""The one road for pixels: decode, rotate by EXIF, convert colour, resize.

Training, conversion, benchmarks, the page and the camera all take their pixels from here, so a model sees the same
bytes wherever it runs. `image_size` is (height, width); OpenCV's (width, height) stays inside this module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UserError

Frame = npt.NDArray[np.uint8]
Image = npt.NDArray[np.uint8]
Halves = dict[tuple[int, int], Frame]  # by (height, width)
_MOST_HALVES = 16  # sizes kept: a source that changes its size with every frame must not fill the memory
_Pixels = npt.NDArray[Any]  # what cv2 is typed to return; uint8 all the same

# The formats that a folder is searched for; what a file holds is found out by decoding it.
PHOTO_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_PNG = b"\x89PNG\r\n\x1a\n"


def decode(data: bytes) -> Frame:
    """Decode an encoded photo, turned upright by its EXIF orientation.

    Args:
        data: The bytes of a JPEG, PNG, WebP, BMP or TIFF file.

    Returns:
        Frame, BGR (H, W, 3) uint8; grey becomes three equal channels, alpha is dropped, 16 bit becomes 8.

    Raises:
        UserError: If the bytes are no photo, or a broken one.
    """
    try:
        tame = _tame(data)
        frame = cv2.imdecode(np.frombuffer(tame, np.uint8), cv2.IMREAD_COLOR) if tame else None
    except cv2.error:  # more pixels than OpenCV's limit
        frame = None
    if frame is None:
        raise UserError(
            f"Expected a whole JPEG, PNG, WebP, BMP or TIFF photo, got {len(data):,} bytes that do not decode; "
            "save the photo again"
        )
    return _as_frame(frame)


def read_frame(path: str | os.PathLike[str]) -> Frame:
    """Read and decode a photo file; see `decode`.

    Raises:
        UserError: If the file can't be read or isn't a whole photo.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"Expected a photo at {path}, could not read it: {error.strerror}") from error
    try:
        return decode(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def to_image(
    frame: Frame, image_size: tuple[int, int], out: Image | None = None, halves: Halves | None = None
) -> Image:
    """Squash a frame to the model's size and turn BGR into RGB.

    Halves with 2x2 means (INTER_AREA) while the source is at least twice the target in both axes, then goes the rest
    by INTER_LINEAR: no aliasing, at 4.5 % of an int8 MobileNetV2's invoke for 640x480 to 224x224.

    Args:
        frame: BGR (H, W, 3) uint8; grey (H, W) or (H, W, 1) and BGRA (H, W, 4) are taken too.
        image_size: (height, width) of the result, each > 0.
        out: Array (height, width, 3) uint8 to write into, or None for a new one.
        halves: Where the steps between are kept for the next frame of that size, so that it allocates nothing.

    Returns:
        Image, RGB (height, width, 3) uint8; `out` where it was given.

    Raises:
        UserError: If the frame is empty, not uint8, or has another number of channels.
    """
    pixels = _as_frame(frame)
    height, width = image_size
    while pixels.shape[0] >= 2 * height and pixels.shape[1] >= 2 * width:
        halved = pixels.shape[0] // 2, pixels.shape[1] // 2
        even = pixels[: 2 * halved[0], : 2 * halved[1]]  # an odd last row or column would cost the fast 2x2 path
        pixels = cv2.resize(even, halved[::-1], dst=_kept(halves, halved), interpolation=cv2.INTER_AREA)
    if pixels.shape[:2] != (height, width):
        pixels = cv2.resize(pixels, (width, height), dst=_kept(halves, image_size), interpolation=cv2.INTER_LINEAR)
    if out is None:
        out = np.empty((height, width, 3), np.uint8)
    cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=out)
    return out


def _kept(halves: Halves | None, size: tuple[int, int]) -> Frame | None:
    """Return the kept array (height, width, 3) uint8 of a size; None where nothing is to be kept."""
    if halves is None:
        return None
    if size not in halves:
        if len(halves) >= _MOST_HALVES:
            halves.clear()
        halves[size] = np.empty((*size, 3), np.uint8)
    return halves[size]


def _tame(data: bytes) -> bytes:
    """Return a PNG as a still one that holds the chunks it announces, other formats as they are; empty if it can't be.

    OpenCV 5.0 crashes on a broken animation (opencv#27744) and reserves 3 GB for 65 bytes that announce such a chunk.
    """
    if not data.startswith(_PNG):
        return data
    kept, position = [_PNG], len(_PNG)
    while (end := position + 12 + int.from_bytes(data[position : position + 4], "big")) <= len(data):
        kind = data[position + 4 : position + 8]
        if kind == b"IDAT":  # what turns a PNG into an animation stands before it
            return b"".join([*kept, data[position:]])
        if kind not in (b"acTL", b"fcTL"):
            kept.append(data[position:end])
        position = end
    return b""


def _as_frame(frame: _Pixels) -> _Pixels:
    """Return the frame as BGR (H, W, 3), whatever the camera gave."""
    if frame.dtype != np.uint8 or frame.size == 0 or frame.ndim not in (2, 3):
        raise UserError(f"Expected a frame (H, W, 3) of uint8, got shape {frame.shape} of {frame.dtype}")
    channels = 1 if frame.ndim == 2 else frame.shape[2]
    if channels == 3:
        return frame
    if channels == 1:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    if channels == 4:
        return cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)
    raise UserError(f"Expected a frame of 1, 3 or 4 channels, got {channels}")
