import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.pixels import pixels_beside
from edge import UserError
from edge.preprocess import to_image


def test_frames_are_the_runs_own_test_photos(digits_run):
    pixels = pixels_beside(digits_run / "model_int8.tflite")
    assert pixels.origin == "eval.npz"
    assert {(frame.shape, frame.dtype) for frame in pixels.frames} == {((480, 640, 3), np.dtype(np.uint8))}
    with np.load(digits_run / "eval.npz", allow_pickle=False) as arrays:
        images = arrays["images"]
    for frame, image in ((pixels.frames[0], images[0]), (pixels.frames[-1], images[-1])):
        back = to_image(frame, image.shape[:2])
        assert np.abs(back.astype(int) - image).mean() < 4  # what blowing up and shrinking smooths away


def test_red_stays_red(tmp_path):
    images = np.zeros((3, 24, 32, 3), np.uint8)
    images[..., 0] = 250  # RGB
    np.savez(tmp_path / "eval.npz", images=images)
    frames = pixels_beside(tmp_path / "model.tflite").frames
    assert len(frames) == 3  # each photo once
    assert frames[0][240, 320].tolist() == [0, 0, 250]  # BGR


def test_without_photos_the_frames_look_like_photos_to_a_spectrum(tmp_path):
    pixels = pixels_beside(tmp_path / "model.tflite")
    assert pixels.origin == "synthetic"
    frame = cv2.cvtColor(pixels.frames[0], cv2.COLOR_BGR2GRAY)[:, :480].astype(float)
    spectrum = np.abs(np.fft.fft2(frame - frame.mean()))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(480), np.fft.fftfreq(480)))
    bands = [(radius >= low) & (radius < 2 * low) for low in (0.01, 0.02, 0.04, 0.08, 0.16)]
    slope = np.polyfit(range(5), [np.log2(spectrum[band].mean()) for band in bands], 1)[0]
    assert -1.3 < slope < -0.7  # amplitude halves as frequency doubles; clipping to 0-255 bends it a little
    again = pixels_beside(tmp_path / "model.tflite")
    assert all(np.array_equal(one, other) for one, other in zip(pixels.frames, again.frames, strict=True))


@pytest.mark.parametrize(
    "arrays",
    [
        {"labels": np.zeros(3)},
        {"images": np.zeros((0, 8, 8, 3), np.uint8)},
        {"images": np.zeros((2, 8, 8), np.uint8)},
        {"images": np.zeros((2, 8, 8, 3), np.float32)},
        {"images": np.array([{}], object)},
    ],
    ids=["no images", "none of them", "grey", "float", "pickled"],
)
def test_an_eval_file_of_another_kind_is_refused(tmp_path, arrays):
    np.savez(tmp_path / "eval.npz", **arrays)
    with pytest.raises(UserError, match=r"eval\.npz.*convert\.quantize"):
        pixels_beside(tmp_path / "model.tflite")


def test_an_array_of_no_archive_is_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros((2, 8, 8, 3), np.uint8))
    (tmp_path / "array.npy").rename(tmp_path / "eval.npz")
    with pytest.raises(UserError, match=r"eval\.npz.*convert\.quantize"):
        pixels_beside(tmp_path / "model.tflite")


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_harmless(tmp_path_factory, position, change):
    folder = tmp_path_factory.mktemp("changed")
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    np.savez_compressed(folder / "eval.npz", images=images)
    data = bytearray((folder / "eval.npz").read_bytes())
    data[position % len(data)] ^= change
    (folder / "eval.npz").write_bytes(data)
    with contextlib.suppress(UserError):
        assert {frame.shape for frame in pixels_beside(folder / "model.tflite").frames} == {(480, 640, 3)}


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_eval_file_is_refused(tmp_path, content):
    (tmp_path / "eval.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"eval\.npz.*convert\.quantize"):
        pixels_beside(tmp_path / "model.tflite")
