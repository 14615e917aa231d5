import base64
import dataclasses
import hashlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from edge import preprocess
from tests.train.finished_run import make_photos
from train.thumbnails import thumbnail


def photo_of(folder, pixels):
    """Return a manifest with that photo as its first."""
    manifest = make_photos(folder, ["a", "b"], each=1)
    path = folder / manifest.files[0].path
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return manifest, dataclasses.replace(manifest.files[0], sha256=sha256)


def picture_in(thumb):
    head, _, data = thumb.uri.partition(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert head == f"data:image/{picture.format.lower()}"
        assert picture.size == (thumb.width, thumb.height)
        return np.array(picture.convert("RGB"))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((300, 400), (120, 160)), ((400, 300), (160, 120)), ((1, 2000), (1, 160)), ((50, 20), (50, 20)), ((1, 1), (1, 1))],
)
def test_the_sides_stay_in_proportion_and_small_photos_small(tmp_path, size, expected):
    thumb = thumbnail(*photo_of(tmp_path, np.full((*size, 3), 90, np.uint8)))
    assert (thumb.height, thumb.width) == expected
    assert picture_in(thumb).shape == (*expected, 3)


def test_a_tiny_photo_is_shown_to_the_bit(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (32, 24, 3), np.uint8)
    assert (picture_in(thumbnail(*photo_of(tmp_path, pixels))) == pixels[..., ::-1]).all()  # files are BGR to OpenCV


def test_a_large_photo_is_the_one_that_the_model_sees_but_for_jpeg(tmp_path):
    pixels = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8), (0, 0), 20)
    expected = preprocess.to_image(pixels, (120, 160)).astype(int)
    assert np.abs(picture_in(thumbnail(*photo_of(tmp_path, pixels))) - expected).mean() < 2


def test_what_cant_be_shown_says_why(tmp_path):
    manifest = make_photos(tmp_path, ["a", "b"], each=1)
    photo = manifest.files[0]
    path = tmp_path / photo.path
    path.write_bytes(path.read_bytes() + b"more")
    assert thumbnail(manifest, photo).reason == "has changed since training"
    path.unlink()
    assert thumbnail(manifest, photo).reason == "can't be read: No such file or directory"
    path.write_bytes(b"text")
    sha256 = hashlib.sha256(b"text").hexdigest()
    gone = thumbnail(manifest, dataclasses.replace(photo, sha256=sha256))
    assert (gone.reason, gone.uri) == ("does not decode any more", "")
