import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.errors import UserError
from edge.preprocess import decode
from tests.webdemo.jpegs import repeat_last_scan
from webdemo import image_header
from webdemo.image_header import MAX_SCANS, Header, read_header

SIZES = [(1, 1), (2, 3), (255, 257), (640, 480), (1, 3000)]
VARIANTS = {
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "jpeg with exif, comment and profile": (
        "JPEG",
        {"exif": b"Exif\0\0" + b"\xff\xc0" * 4000, "comment": b"\xff\xd8\xff\xc0", "icc_profile": b"x" * 150_000},
    ),
    "png": ("PNG", {}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "lossy webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "extended webp": ("WEBP", {"exif": b"Exif\0\0"}),
    "animated webp": ("WEBP", {"save_all": True, "append_images": [Image.new("RGB", (1, 1))]}),
}
MAGICS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBPVP8 ",
    b"RIFF1234WEBPVP8L",
]


def encode(pixels, variant):
    pillow_format, settings = VARIANTS[variant]
    if "append_images" in settings:
        settings = {**settings, "append_images": [Image.fromarray(255 - pixels)]}
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, pillow_format, **settings)
    return stream.getvalue()


def noise(width, height):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_reads_what_pillow_reads(variant, size):
    data = encode(noise(*size), variant)
    with Image.open(io.BytesIO(data)) as opened:
        header = read_header(data)
        assert (header.format.upper(), header.width, header.height) == (opened.format, *opened.size)
    assert (header.width, header.height) == size


@pytest.mark.parametrize("channels", [3, 1], ids=["colour", "grey"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_reads_what_opencv_writes(suffix, channels):
    assert read_header(cv2.imencode(suffix, noise(37, 23)[..., :channels])[1].tobytes())[1:] == (37, 23, 1)


def test_reads_the_old_header_of_os2_and_a_bitmap_whose_top_row_is_first():
    core = b"BM" + struct.pack("<IHHIIHHHH", 0, 0, 0, 26, 12, 300, 200, 1, 24)
    assert read_header(core) == Header("BMP", 300, 200)
    top_down = b"BM" + struct.pack("<IHHIIiiHH", 0, 0, 0, 54, 40, 300, -200, 1, 24)
    assert read_header(top_down) == Header("BMP", 300, 200)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"BM", b"GIF89a", b"%PDF-1.7", b"II*\0" + b"\0" * 40, b"\xff\xd8\xff", b"\xff\xd8\xff\xc0"],
)
def test_what_is_no_photo_has_no_header(data):
    assert read_header(data) is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_header_cut_short_is_none(variant):
    data = encode(noise(40, 30), variant)
    full = read_header(data)
    headers = {read_header(data[:end]) for end in range(0, len(data), 1 + len(data) // 3_000)} - {None}
    assert {header[:3] for header in headers} <= {full[:3]}
    assert all(header.scans <= full.scans for header in headers)
    assert read_header(data[:20]) is None or variant == "gif"


FRAME = b"\xff\xc0\x00\x0b\x08\x00\x10\x00\x20\x01\x01\x11\x00"  # 32 x 16, grey
SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
END = b"\xff\xd9"
FILLERS = [b"\xff\xe0\x00\x02", b"\xff\xff", b"\xff\x00", b"\x00\x00", b"\xff\xd0", b"\xff\xe0\x00\x00", SCAN, END]


@pytest.fixture
def bounded(monkeypatch):
    """Let the search for markers fail when it is asked too often, lest a walk without end keep the tests waiting."""

    class Bounded:
        def __init__(self, pattern):
            self._search, self._left = pattern.search, 5_000

        def search(self, data, position):
            self._left -= 1
            assert self._left, "walks on and on"
            return self._search(data, position)

    monkeypatch.setattr(image_header, "_JPEG_MARKER", Bounded(image_header._JPEG_MARKER))


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("filler", FILLERS, ids=bytes.hex)
def test_an_upload_of_nothing_but_jpeg_filler_is_refused(filler):
    assert read_header(b"\xff\xd8\xff" + filler * (20_000_000 // len(filler))) is None


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("filler", FILLERS, ids=bytes.hex)
def test_filler_after_the_frame_is_not_walked_without_end_either(filler):
    header = read_header(b"\xff\xd8" + FRAME + filler * (20_000_000 // len(filler)))
    if filler == SCAN:
        assert header == Header("JPEG", 32, 16, MAX_SCANS + 1)
    else:
        assert header in (None, Header("JPEG", 32, 16))


def test_a_jpeg_may_have_as_many_segments_as_cameras_write_but_not_without_end():
    assert read_header(b"\xff\xd8" + b"\xff\xe1\x00\x04ab" * 1_000 + FRAME) == Header("JPEG", 32, 16)
    assert read_header(b"\xff\xd8" + b"\xff\xe1\x00\x04ab" * 3_000 + FRAME) is None
    assert read_header(b"\xff\xd8" + FRAME + b"\xff\xe1\x00\x04ab" * 3_000) is None


@pytest.mark.parametrize(
    ("colours", "progressive", "scans"), [(3, False, 1), (1, False, 1), (3, True, 10), (1, True, 6)]
)
def test_counts_the_scans_that_libjpeg_writes(colours, progressive, scans):
    """The numbers are those of jpeg_simple_progression in libjpeg's jcparam.c."""
    stream = io.BytesIO()
    Image.fromarray(noise(60, 40)[..., :colours].squeeze()).save(stream, "JPEG", progressive=progressive)
    assert read_header(stream.getvalue()) == Header("JPEG", 60, 40, scans)
    assert read_header(repeat_last_scan(stream.getvalue(), 7)) == Header("JPEG", 60, 40, scans + 7)
    assert read_header(repeat_last_scan(stream.getvalue(), 1_500)).scans == MAX_SCANS + 1


@pytest.mark.parametrize(
    ("body", "scans"),
    [
        (b"\xff\xe1\x00\x20" + (SCAN * 3)[:30] + SCAN, 1),  # a thumbnail's
        (SCAN + END + SCAN * 5, 1),  # of the depth map or film behind the photo
        (SCAN + b"ab\xff\x00\xff\xd0cd" + SCAN, 2),  # stuffing and RST in between
        (SCAN + b"\xff\xff\xff" + SCAN[1:], 2),  # fill
        (SCAN + b"\xff\x02\x7f\xff" + SCAN, 2),  # a length that libjpeg does not go by can hide none
        (SCAN + b"\xff\xd8\x7f\xff" + SCAN, 2),
        (b"", 1),
    ],
)
def test_counts_scans_where_libjpeg_finds_them(body, scans):
    assert read_header(b"\xff\xd8" + FRAME + body) == Header("JPEG", 32, 16, scans)


@given(magic=st.sampled_from([b"", *MAGICS]), rest=st.binary(max_size=200))
def test_random_bytes_never_raise_and_sizes_are_positive(magic, rest):
    header = read_header(magic + rest)
    assert header is None or (header.width > 0 and header.height > 0)


@given(data=st.data(), variant=st.sampled_from(sorted(VARIANTS)))
def test_what_decodes_has_the_size_that_its_header_announced(data, variant):
    intact = encode(noise(24, 16), variant)
    mutated = bytearray(intact)
    for _ in range(data.draw(st.integers(1, 3))):
        mutated[data.draw(st.integers(0, min(len(mutated), 400) - 1))] = data.draw(st.integers(0, 255))
    header = read_header(bytes(mutated))
    if header is None or header.width * header.height > 4_000_000:
        return  # refused before it is decoded
    try:
        frame = decode(bytes(mutated))
    except UserError:
        return
    assert frame.shape[0] * frame.shape[1] == header.width * header.height
