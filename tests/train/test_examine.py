import hashlib
import io
import os
import re
import struct
import zlib
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from train import examine as module
from train.examine import ODDITIES, examine
from train.sources import Candidate

PIXELS = np.random.default_rng(7).integers(0, 256, (24, 16, 3), np.uint8)


def encoded(file_format, image=None, **options):
    data = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(data, file_format, **options)
    return data.getvalue()


def look_at(folder, data, name="photo.png"):
    (folder / name).write_bytes(data)
    before = (folder / name).stat().st_mtime_ns
    examined = examine(folder, Candidate(Path(name), "cat"))
    assert (folder / name).read_bytes() == data
    assert (folder / name).stat().st_mtime_ns == before
    assert "\n" not in examined.reason
    return examined


def test_a_whole_photo(tmp_path):
    examined = look_at(tmp_path, encoded("PNG"))
    assert examined.reason == ""
    assert examined.sha256 == hashlib.sha256(encoded("PNG")).hexdigest()
    assert (examined.size, examined.kind, examined.oddities) == ((24, 16), "PNG", ())
    assert (examined.path, examined.label) == ("photo.png", "cat")
    assert examined.look == int(str(imagehash.phash(Image.fromarray(PIXELS))), 16)


def test_equal_pixels_are_equal_content_in_any_format(tmp_path):
    png, bmp = look_at(tmp_path, encoded("PNG")), look_at(tmp_path, encoded("BMP"), "photo.bmp")
    assert png.content == bmp.content
    assert png.sha256 != bmp.sha256
    reshaped = look_at(tmp_path, encoded("PNG", Image.fromarray(PIXELS.reshape(16, 24, 3))))
    assert reshaped.content != png.content


def deep(width=8, height=8):
    """Return a PNG of 16 bit colour, which Pillow can't write, with 8x8 pixels whatever its header says."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(range(48)) for _ in range(8)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


RGB, FRAMES = Image.fromarray(PIXELS), {"save_all": True, "append_images": [Image.fromarray(PIXELS[::-1])]}


@pytest.mark.parametrize(
    ("name", "data", "oddities"),
    [
        ("a.JPEG", encoded("JPEG"), set()),
        ("a.tif", encoded("TIFF"), set()),
        ("a.jpg", encoded("PNG"), {"wrong extension"}),
        ("a.webp", encoded("JPEG"), {"wrong extension"}),
        ("a.jpg", encoded("JPEG", exif=turned()), {"EXIF-rotated"}),
        ("a.png", encoded("PNG", exif=turned()), {"EXIF-rotated"}),
        ("a.webp", encoded("WEBP", exif=turned()), {"EXIF-rotated"}),
        ("a.png", encoded("PNG", RGB.convert("L")), {"grey"}),
        ("a.png", encoded("PNG", RGB.convert("1")), {"grey"}),
        ("a.png", encoded("PNG", RGB.convert("LA")), {"grey", "alpha"}),
        ("a.png", encoded("PNG", RGB.convert("RGBA")), {"alpha"}),
        ("a.png", encoded("PNG", RGB.convert("P"), transparency=0), {"alpha"}),
        ("a.jpg", encoded("JPEG", RGB.convert("CMYK")), {"CMYK"}),
        ("a.png", encoded("PNG", Image.fromarray(PIXELS[..., 0].astype(np.uint16))), {"grey", "16 bit"}),
        ("a.tiff", encoded("TIFF", Image.fromarray(PIXELS[..., 0].astype(np.uint16))), {"grey", "16 bit"}),
        ("a.png", deep(), {"16 bit"}),
        ("a.png", encoded("PNG", **FRAMES), {"animated"}),
        ("a.webp", encoded("WEBP", **FRAMES), {"animated"}),
        ("a.tif", encoded("TIFF", **FRAMES), {"animated"}),
    ],
)
def test_what_is_odd_is_told_and_used(tmp_path, name, data, oddities):
    examined = look_at(tmp_path, data, name)
    assert examined.reason == ""
    assert {*examined.oddities} == oddities
    assert oddities <= {*ODDITIES}


def test_a_rotated_photo_is_measured_upright(tmp_path):
    assert look_at(tmp_path, encoded("JPEG", exif=turned()), "a.jpg").size == (16, 24)


CUT = {kind: encoded(kind)[: len(encoded(kind)) * 2 // 3] for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP")}
FLIPPED = bytearray(encoded("PNG"))
FLIPPED[len(FLIPPED) // 2] ^= 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        *((data, "") for data in CUT.values()),
        (bytes(FLIPPED), "broken|checksum"),
        (deep(height=99), "do not decode"),
        (b"no photo", "cannot identify"),
        (b"", "an empty file"),
        (bytes(10_000), "cannot identify"),
        (encoded("GIF"), "a GIF, no JPEG"),
        (b"\0\0\0\x18ftypheic", "a HEIC, no JPEG"),
        (b"%PDF-1.7", "a PDF"),
        (b"<!DOCTYPE html>", "a page of the web"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot identify"),
        (encoded("PNG", Image.new("RGB", (1, 1))), "tiny, 1x1"),
        (encoded("PNG", Image.new("RGB", (300, 7))), "tiny, 300x7"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path, data, reason):
    examined = look_at(tmp_path, data)
    assert examined.reason
    assert examined.content == ""
    assert re.search(reason, examined.reason)


@pytest.mark.parametrize(("limit", "reason"), [("_MOST_PIXELS", "16x24, more than"), ("_MOST_BYTES", "larger than")])
def test_what_is_huge_is_not_opened(tmp_path, monkeypatch, limit, reason):
    monkeypatch.setattr(module, limit, 100)
    assert look_at(tmp_path, encoded("PNG")).reason.startswith(reason)


def test_a_bomb_is_not_decoded(tmp_path):
    assert "pixels" in look_at(tmp_path, deep(20_000, 20_000)).reason


def test_large_photos_are_used_too(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 100)
    assert look_at(tmp_path, encoded("PNG")).reason == ""


def test_what_cannot_be_opened_says_why(tmp_path, monkeypatch):
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "line\nbreak.png").write_bytes(encoded("PNG"))
    names = (
        "gone.png",
        "loop.png",
        "folder.png",
        "pipe.png",
        "line\nbreak.png",
        "absent.png",
        os.fsdecode(b"\xff.png"),
    )
    found = {name: examine(tmp_path, Candidate(Path(name), "cat")) for name in names}
    assert [each.reason for each in found.values()] == [
        "a link to nowhere",
        "can't be read: Too many levels of symbolic links",
        "no regular file",
        "no regular file",
        "its name isn't printable UTF-8; rename it",
        "there is no such file",
        "its name isn't printable UTF-8; rename it",
    ]
    assert found["line\nbreak.png"].path == "line\\nbreak.png"


def test_a_photo_that_one_may_not_read(tmp_path, monkeypatch):
    def read_bytes(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    monkeypatch.setattr(Path, "read_bytes", read_bytes)  # root may read everything, so chmod would test nothing
    assert examine(tmp_path, Candidate(Path("a.png"), "cat")).reason == "can't be read: Permission denied"
