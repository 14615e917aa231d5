"""Format and size of an encoded photo from its first bytes, before anything is decoded.

Ours, since OpenCV tells the size only by decoding and Pillow's parsers can be kept busy: 20 MB of empty JPEG segments
cost it 4.5 s and 700 MB (Pillow 13), here under a millisecond. It reads what OpenCV's decoders go by, no more.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

_Size = tuple[int, int]

# A marker is 0xFF and a byte that is neither stuffing (0x00) nor more fill (0xFF).
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, but not DHT, JPG, DAC
_JPEG_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}  # RST0 to RST7 and TEM have no length
_JPEG_MAX_SEGMENTS = 2_000  # before the frame; cameras write dozens, a 20 MB depth map in 64 kB pieces some 300


class Header(NamedTuple):
    """What a photo announces: its format's name, and its size in pixels, each at least 1."""

    format: str
    width: int
    height: int


def read_header(data: bytes) -> Header | None:
    """Read the header of a photo; its content decides, not a name.

    Args:
        data: An encoded photo.

    Returns:
        The header, or None if this is no JPEG, PNG, WebP, BMP or GIF, or its header is broken.
    """
    for name, magic, read_size in _FORMATS:
        if magic.match(data):
            try:
                width, height = read_size(data)
            except (struct.error, ValueError):  # cut short, or not what it seemed
                return None
            return Header(name, width, height) if width > 0 and height > 0 else None
    return None


def _read_jpeg(data: bytes) -> _Size:
    """Walk the segments up to the start of the frame."""
    position = 2
    for _ in range(_JPEG_MAX_SEGMENTS):
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            break
        marker, position = found[1][0], found.end()
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 3)
            return width, height
        if marker in _JPEG_BARE:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        position += length
    raise ValueError("no start of frame")


def _read_png(data: bytes) -> _Size:
    """IHDR is the first chunk."""
    if data[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _read_gif(data: bytes) -> _Size:
    """The logical screen; frames lie inside it."""
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _read_bmp(data: bytes) -> _Size:
    """OS/2's header of 12 bytes or Windows' of 40 and more; a negative height means top row first."""
    (header_size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", data, 18)
    return width, abs(height)


def _read_webp(data: bytes) -> _Size:
    """The first chunk: extended, lossless or lossy."""
    chunk = data[12:16]
    if chunk == b"VP8X":  # width - 1 and height - 1 in 24 bits each
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
    if chunk == b"VP8L":  # width - 1 and height - 1 in 14 bits each
        signature, bits = struct.unpack_from("<BI", data, 20)
        if signature == 0x2F:
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":  # a key frame's start code, then 14 bits each below 2 bits of scaling
        start_code, width, height = struct.unpack_from("<3sHH", data, 23)
        if start_code == b"\x9d\x01\x2a":
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no frame")


_FORMATS: list[tuple[str, re.Pattern[bytes], Callable[[bytes], _Size]]] = [
    ("JPEG", re.compile(rb"\xff\xd8\xff"), _read_jpeg),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n"), _read_png),
    ("WebP", re.compile(rb"RIFF....WEBP", re.DOTALL), _read_webp),
    ("BMP", re.compile(rb"BM"), _read_bmp),
    ("GIF", re.compile(rb"GIF8[79]a"), _read_gif),
]
