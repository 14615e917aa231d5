"""Compares the road for pixels with NumPy and Pillow, which share no code with it."""

import io
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from edge.errors import UserError
from edge.preprocess import decode, read_frame, to_image
from tests.tree import ROOT

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))
TARGETS = st.tuples(st.integers(1, 32), st.integers(1, 32))


# Of a level: OpenCV's INTER_LINEAR computes with fixed-point weights, coarser ones on Arm: 1.18 were measured there.
ROUNDING = 1.25


def noise(size, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, channels), np.uint8)


def halve(pixels):
    """Means of 2x2 pixels, rounded half up; an odd last row or column is left out."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    blocks = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).astype(int)
    return ((blocks.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)


def interpolate(pixels, length, axis):
    """Linear interpolation along an axis, pixel centres at 0.5, 1.5, ...; the edge goes on outside."""
    centres = (np.arange(length) + 0.5) * pixels.shape[axis] / length - 0.5
    low = np.floor(centres).astype(int)
    weight = (centres - low).reshape([-1 if each == axis else 1 for each in range(3)])
    before, after = (np.take(pixels, np.clip(at, 0, pixels.shape[axis] - 1), axis) for at in (low, low + 1))
    return before * (1 - weight) + after * weight


def resize(frame, size):
    """The whole contract: halve while at least twice the target in both axes, linear for the rest, RGB."""
    while frame.shape[0] >= 2 * size[0] and frame.shape[1] >= 2 * size[1]:
        frame = halve(frame)
    return interpolate(interpolate(frame.astype(float), size[0], 0), size[1], 1)[..., ::-1]


@given(SIZES, TARGETS, st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_resize_is_as_numpy_but_for_rounding(size, target, seed):
    frame = noise(size, seed=seed)
    image = to_image(frame, target)
    assert (image.shape, image.dtype) == ((*target, 3), np.uint8)
    assert np.abs(image - resize(frame, target)).max() <= ROUNDING


@pytest.mark.parametrize(
    ("size", "target"), [((480, 640), (224, 224)), ((1080, 1920), (128, 128)), ((97, 301), (96, 96))]
)
def test_resize_of_camera_sizes_is_as_numpy_but_for_rounding(size, target):
    frame = noise(size)
    assert np.abs(to_image(frame, target) - resize(frame, target)).max() <= ROUNDING


def test_a_frame_of_the_models_size_only_changes_its_colour_order():
    frame = noise((9, 7))
    assert np.array_equal(to_image(frame, (9, 7)), frame[..., ::-1])


@given(SIZES, TARGETS)
@settings(max_examples=50, deadline=None)
def test_grey_and_bgra_frames_give_what_their_bgr_gives(size, target):
    grey, bgra = noise(size, 1), noise(size, 4)
    of_grey = to_image(np.repeat(grey, 3, axis=2), target)
    assert np.array_equal(to_image(grey, target), of_grey)
    assert np.array_equal(to_image(grey[..., 0], target), of_grey)
    assert np.array_equal(to_image(bgra, target), to_image(bgra[..., :3].copy(), target))


@pytest.mark.parametrize(
    "view",
    [
        lambda frame: frame[::-1],
        lambda frame: frame[:, ::-1],
        lambda frame: frame[..., ::-1],
        lambda frame: frame[3:-5:2, 1:-2:3],
        lambda frame: frame.transpose(1, 0, 2),
        np.asfortranarray,
    ],
    ids=["upside-down", "mirrored", "rgb", "sliced", "transposed", "fortran"],
)
@pytest.mark.parametrize("target", [(16, 16), (13, 29)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_views_give_what_their_copies_give(view, target, channels):
    frame = view(noise((61, 83), channels))
    assert np.array_equal(to_image(frame, target), to_image(np.ascontiguousarray(frame), target))


def test_a_read_only_frame_is_left_alone():
    frame = noise((40, 40))
    frame.flags.writeable = False
    before = frame.copy()
    to_image(frame, (16, 16))
    assert np.array_equal(frame, before)


def test_out_is_written_and_returned():
    frame, out = noise((50, 40)), np.zeros((16, 8, 3), np.uint8)
    assert to_image(frame, (16, 8), out=out) is out
    assert np.array_equal(out, to_image(frame, (16, 8)))


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint16),
    ],
    ids=lambda frame: f"{frame.shape} {frame.dtype}",
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(UserError, match="Expected a frame"):
        to_image(frame, (2, 2))


def encoded(image, suffix, **options):
    buffer = io.BytesIO()
    image.save(buffer, suffix, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_decode_to_the_pixels_that_were_saved(suffix):
    pixels = noise((23, 31))
    options = {"lossless": True} if suffix == "WEBP" else {}
    assert np.array_equal(decode(encoded(Image.fromarray(pixels), suffix, **options)), pixels[..., ::-1])


def test_a_jpeg_decodes_to_what_pillow_decodes():
    smooth = cv2.resize(noise((4, 5)), (50, 40))
    data = encoded(Image.fromarray(smooth), "JPEG", quality=95)
    assert np.abs(decode(data)[..., ::-1].astype(int) - np.asarray(Image.open(io.BytesIO(data)))).max() <= 4


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "I;16"])
def test_every_pixel_layout_becomes_three_channels_of_uint8(mode):
    grey = Image.fromarray(noise((12, 17))[..., 0])
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        image = grey.convert("RGB").convert(mode)
    frame = decode(encoded(image, "PNG"))
    assert (frame.shape, frame.dtype) == ((12, 17, 3), np.uint8)
    expected = (grey if mode == "I;16" else image).convert("RGB")  # which leaves alpha out too
    assert np.abs(frame[..., ::-1] - np.asarray(expected).astype(int)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_photo_is_turned_upright_as_pillow_does(orientation, suffix):
    corners = np.kron(np.array([[0, 80, 160], [240, 120, 40]], np.uint8), np.ones((16, 16), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(suffix, {})
    data = encoded(Image.fromarray(corners).convert("RGB"), suffix, exif=exif, **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")).astype(int)
    frame = decode(data)
    assert frame.shape == upright.shape
    assert np.abs(frame[..., ::-1] - upright).max() <= 4


JPEG = encoded(Image.fromarray(noise((40, 60))), "JPEG")
PNG = encoded(Image.fromarray(noise((40, 60))), "PNG")
ANIMATED = encoded(
    Image.fromarray(noise((12, 14))), "PNG", save_all=True, append_images=[Image.fromarray(noise((12, 14), seed=1))]
)


def test_an_animation_gives_its_first_picture():
    assert b"acTL" in ANIMATED
    assert np.array_equal(decode(ANIMATED)[..., ::-1], noise((12, 14)))


@given(st.sampled_from([JPEG, PNG]), st.floats(0, 0.95))
@settings(max_examples=60, deadline=None)
def test_a_photo_cut_off_is_refused(data, share):
    with pytest.raises(UserError, match="Expected a whole JPEG"):
        decode(data[: int(share * len(data))])


@given(st.binary(max_size=300), st.sampled_from([b"", JPEG[:20], PNG[:30], b"BM", b"RIFF", b"II*\0", b"GIF89a"]))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_a_frame_or_a_user_error(data, start):
    try:
        frame = decode(start + data)
    except UserError:
        return
    assert (frame.ndim, frame.dtype) == (3, np.uint8)


@given(
    st.sampled_from([JPEG, PNG, ANIMATED]), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8)
)
@settings(max_examples=200, deadline=None)
def test_damaged_photos_are_a_frame_or_a_user_error(data, damages):
    damaged = bytearray(data)
    for at, value in damages:
        damaged[at % len(data)] = value
    try:
        image = to_image(decode(bytes(damaged)), (8, 8))
    except UserError:
        return
    assert image.shape == (8, 8, 3)


def test_a_photo_larger_than_opencv_allows_is_refused():
    header = np.array([0x4D42], "<u2").tobytes() + np.array([0, 0, 54, 40, 60000, 60000], "<u4").tobytes()
    bmp = header + np.array([1, 24], "<u2").tobytes() + bytes(24)
    with pytest.raises(UserError, match="Expected a whole JPEG"):
        decode(bmp + bytes(100))


def chunk(kind, content, announced=None):
    length = len(content) if announced is None else announced
    return struct.pack(">I", length) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*before_pixels, after_pixels=()):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 4, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\x40\x80\xc0" * 8) * 4))
    return b"".join([PNG[:8], header, *before_pixels, pixels, *after_pixels, chunk(b"IEND", b"")])


ANIMATION = chunk(b"acTL", struct.pack(">II", 2, 0))
FRAME_START = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 8, 4, 0, 0, 1, 1, 0, 0))
BROKEN_FRAME = chunk(b"fdAT", b"\0\0\0\1" + zlib.compress((b"\x09" + bytes(24)) * 4))  # there is no row filter 9


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (png(ANIMATION, after_pixels=[FRAME_START, BROKEN_FRAME]), "(4, 8, 3)"),  # alone, OpenCV 5.0 is killed by it
        (png(chunk(b"tEXt", b"a", announced=3_000_000_000)), "refused"),  # alone, it takes 3 GB
    ],
    ids=["broken animation", "a chunk of 3 GB"],
)
def test_a_hostile_png_costs_neither_the_process_nor_its_memory(data, says):
    code = (
        "import re, sys\nfrom edge import UserError\nfrom edge.preprocess import decode\n"
        "try:\n    print(decode(sys.stdin.buffer.read()).shape)\nexcept UserError:\n    print('refused')\n"
        # Not ru_maxrss, which begins at what the process of the tests had.
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    said, peak_kilobytes = done.stdout.decode().splitlines()
    assert said == says
    assert int(peak_kilobytes) < 1_000_000


def test_of_an_animated_png_the_picture_is_taken_that_every_reader_shows():
    stills = [Image.fromarray(noise((12, 9))), Image.fromarray(255 - noise((12, 9)))]
    data = encoded(stills[0], "PNG", save_all=True, append_images=stills[1:])
    assert b"acTL" in data
    assert np.array_equal(decode(data)[..., ::-1], np.asarray(stills[0]))


def test_read_frame_names_the_file(tmp_path):
    broken = tmp_path / "cut.jpg"
    broken.write_bytes(JPEG[:500])
    with pytest.raises(UserError, match=r"cut\.jpg: Expected a whole JPEG.*500 bytes"):
        read_frame(broken)
    with pytest.raises(UserError, match=r"none\.jpg, could not read it: No such file"):
        read_frame(tmp_path / "none.jpg")
    whole = tmp_path / "whole.png"
    whole.write_bytes(PNG)
    assert read_frame(whole).shape == (40, 60, 3)
