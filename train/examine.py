"""Opens one photo: what it holds, what is odd about it, or why it can't be used. The file itself stays untouched."""

from __future__ import annotations

import hashlib
import io
import logging
import stat
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagehash
from PIL import Image

from edge import preprocess
from edge.errors import UserError
from train.sources import Candidate, escape

# Never all that Pillow knows: some of its formats start other programs.
_PILLOW_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
_SUFFIXES = {
    "BMP": {".bmp"},
    "JPEG": {".jpg", ".jpeg"},
    "MPO": {".jpg", ".jpeg"},  # a phone's JPEG with a second picture behind the first
    "PNG": {".png"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
}
# What is often named like a photo and can't be used: position and bytes -> name.
_SIGNATURES = (
    (0, b"GIF8", "a GIF"),
    (4, b"ftypavif", "an AVIF"),
    (4, b"ftyphei", "a HEIC"),
    (4, b"ftypmif1", "a HEIC"),
    (0, b"%PDF", "a PDF"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"<", "a page of the web or an SVG"),
)

# What is told of a photo that is used all the same.
ODDITIES = {
    "wrong extension": "another format than the name says",
    "EXIF-rotated": "turned upright when decoded",
    "grey": "one channel, becomes three",
    "CMYK": "colours for print, converted",
    "alpha": "transparency is dropped",
    "16 bit": "reduced to 8",
    "animated": "of several frames or pages the first is used",
}

_SMALLEST_SIDE = 8  # less shows nothing, and no model takes less
_MOST_PIXELS = 120_000_000  # phones take 108 megapixels, 324 MB when decoded
_MOST_BYTES = 256 << 20
_LARGE = 24_000_000  # pixels; above it photos are decoded one at a time, so that memory doesn't grow with the threads
_LOOK_FROM = 320  # longest side that a perceptual hash is taken from
_large_photos = threading.Lock()

logging.getLogger("PIL").addHandler(logging.NullHandler())  # it complains of broken photos; we list them ourselves


@dataclass(frozen=True)
class Examined:
    """A photo after it was opened.

    Attributes:
        candidate: The photo as it was found.
        reason: Why it can't be used; empty where it can. If it can't, the rest says nothing.
        sha256: Hash of the file's bytes.
        content: Hash of its size and its pixels as they are decoded.
        look: Perceptual hash of 64 bits: photos that look alike differ in few of them.
        size: (height, width), upright.
        kind: Format by content, such as "JPEG".
        oddities: Keys of ODDITIES.
    """

    candidate: Candidate
    reason: str = ""
    sha256: str = ""
    content: str = ""
    look: int = 0
    size: tuple[int, int] = (0, 0)
    kind: str = ""
    oddities: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Path relative to the source's root, as it can be shown and stored."""
        return escape(self.candidate.path.as_posix())

    @property
    def label(self) -> str:
        """Name of its class."""
        return self.candidate.label


def examine(root: Path, candidate: Candidate) -> Examined:
    """Open a photo, decode it whole and hash its bytes, its pixels and its look; what it can't is told as a reason."""
    if escape(str(candidate.path)) != str(candidate.path):
        return Examined(candidate, "its name isn't printable UTF-8; rename it")
    try:
        data = _read(root / candidate.path)
    except FileNotFoundError:
        link = (root / candidate.path).is_symlink()
        return Examined(candidate, "a link to nowhere" if link else "there is no such file")
    except OSError as error:
        return Examined(candidate, f"can't be read: {error.strerror}")
    except UserError as error:
        return Examined(candidate, str(error))
    try:
        return _decode(candidate, data)
    except UserError as error:
        return Examined(candidate, _foreign(data) or str(error))
    except Exception as error:  # on broken files Pillow raises seven kinds that share no other base
        return Examined(candidate, _foreign(data) or _complaint(error))


def _read(path: Path) -> bytes:
    """Return a photo's bytes; UserError where it is nothing that one should open."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # a pipe would block for ever
        raise UserError("no regular file")
    if not found.st_size:
        raise UserError("an empty file")
    if found.st_size > _MOST_BYTES:
        raise UserError(f"larger than {_MOST_BYTES >> 20} MB; save it smaller")
    return path.read_bytes()


def _decode(candidate: Candidate, data: bytes) -> Examined:
    """Judge a photo by Pillow, and decode it once by the road that training and device take."""
    with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as photo:
        width, height = photo.size
        if min(width, height) < _SMALLEST_SIDE:
            raise UserError(f"tiny, {width}x{height} pixels; a side of {_SMALLEST_SIDE} is the least")
        if width * height > _MOST_PIXELS:
            raise UserError(f"{width}x{height}, more than {_MOST_PIXELS // 10**6} megapixels; scale it down")
        kind, oddities = str(photo.format), tuple(_oddities(photo, candidate.path, data))
        with _large_photos if width * height > _LARGE else nullcontext():
            _check_whole(photo)
            frame = preprocess.decode(data)
            content = hashlib.sha256(str(frame.shape).encode())
            content.update(frame)
            return Examined(
                candidate,
                sha256=hashlib.sha256(data).hexdigest(),
                content=content.hexdigest(),
                look=_look(frame),
                size=(frame.shape[0], frame.shape[1]),
                kind=kind,
                oddities=oddities,
            )


def _check_whole(photo: Image.Image) -> None:
    """Raise what Pillow raises where a photo is cut or broken.

    A PNG isn't decoded twice: the sums over its chunks tell of every changed byte, and OpenCV refuses what is short.
    Of a JPEG, all is read but an eighth of the size decoded.
    """
    if photo.format == "PNG":
        photo.verify()
    else:
        photo.draft("L", (1, 1))
        photo.load()


def _look(frame: preprocess.Frame) -> int:
    """Return the perceptual hash of a frame as a number of 64 bits."""
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    if max(grey.shape) > _LOOK_FROM:  # the hash is of 32x32 pixels; from 12 megapixels it would cost more than decoding
        scale = _LOOK_FROM / max(grey.shape)
        height, width = (max(_SMALLEST_SIDE, round(side * scale)) for side in grey.shape)
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return int(str(imagehash.phash(Image.fromarray(grey))), 16)


def _oddities(photo: Image.Image, path: Path, data: bytes) -> Iterator[str]:
    """Yield what is odd about a photo that was opened but not loaded."""
    if path.suffix.lower() not in _SUFFIXES[str(photo.format)]:
        yield "wrong extension"
    if _orientation(photo) in range(2, 9):
        yield "EXIF-rotated"
    if photo.mode in ("1", "L", "LA", "F") or photo.mode.startswith("I"):
        yield "grey"
    if photo.mode == "CMYK":
        yield "CMYK"
    if photo.mode in ("RGBA", "LA", "PA", "RGBX", "RGBa", "La") or "transparency" in photo.info:
        yield "alpha"
    if _bits(photo, data) > 8:
        yield "16 bit"
    if photo.format != "MPO" and getattr(photo, "is_animated", False):
        yield "animated"


def _orientation(photo: Image.Image) -> object:
    """Return the EXIF orientation; 1, or nothing, is upright."""
    exif = Image.Exif()
    if photo.format == "PNG":  # its own getexif() would decode it
        exif.load(photo.info.get("exif", b""))
    else:
        exif = photo.getexif()
    return exif.get(0x0112)


def _bits(photo: Image.Image, data: bytes) -> int:
    """Return the bits of a channel; Pillow's mode doesn't tell them of colour PNGs."""
    if photo.format == "PNG":
        return data[24]  # IHDR, the first chunk: 8 bytes of signature, 8 of chunk, 8 of size
    if photo.format == "TIFF":
        return int(max(photo.tag_v2.get(258, (1,))))  # BitsPerSample, one for each channel
    return 8


def _foreign(data: bytes) -> str:
    """Return what a file is instead of a photo that can be used; empty where that isn't known."""
    for position, signature, name in _SIGNATURES:
        if data[position:].startswith(signature):
            return f"{name}, no JPEG, PNG, WebP, BMP or TIFF photo; convert it"
    return ""


def _complaint(error: Exception) -> str:
    """Return Pillow's complaint in one printable line, without the address of its buffer."""
    text = str(error).partition(" <_io.BytesIO")[0]
    return escape(f"does not decode: {text or type(error).__name__}")
