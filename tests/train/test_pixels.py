import cv2
import numpy as np
import pytest

from edge.errors import UserError
from train.dataset import SplitSettings
from train.intake import take_in
from train.pixels import load_images
from train.sources import read_folder


@pytest.fixture
def manifest(tmp_path):
    for label, first in (("cat", 0), ("dog", 20)):
        (tmp_path / label).mkdir()
        for number in range(20):
            pixels = np.random.default_rng(first + number).integers(0, 256, (16, 24, 3), np.uint8)
            assert cv2.imwrite(str(tmp_path / label / f"{number}.png"), pixels)
    return take_in(read_folder(tmp_path), SplitSettings())


def test_images_are_the_photos_in_the_manifests_order(manifest):
    images, labels = load_images(manifest, "train", (8, 12))
    assert (images.shape, images.dtype, labels.dtype) == ((28, 8, 12, 3), np.uint8, np.int64)
    for photo, image, label in zip(manifest.of("train"), images, labels, strict=True):
        assert manifest.labels[label] == photo.label
        bgr = cv2.imread(str(manifest.root / photo.path)).astype(float)
        halved = (bgr[::2, ::2] + bgr[1::2, ::2] + bgr[::2, 1::2] + bgr[1::2, 1::2]) / 4
        assert np.abs(image - halved[..., ::-1]).max() <= 0.5


def test_a_changed_photo_is_refused(manifest):
    path = manifest.root / manifest.of("test")[1].path
    path.write_bytes(path.read_bytes() + b"\0")
    load_images(manifest, "train", (8, 8))
    with pytest.raises(UserError, match="has changed since"):
        load_images(manifest, "test", (8, 8))


def test_a_missing_photo_is_refused(manifest):
    (manifest.root / manifest.of("validation")[0].path).unlink()
    with pytest.raises(UserError, match="No such file"):
        load_images(manifest, "validation", (8, 8))
