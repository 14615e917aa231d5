import cv2
import numpy as np
import pytest

from edge.errors import UserError
from tests.train.small_set import make_small_set
from train.pixels import StreamedImages, in_threads, load_images


@pytest.fixture
def manifest(tmp_path):
    return make_small_set(tmp_path)


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


def test_streamed_images_are_indexed_as_an_array_is(manifest):
    array, _labels = load_images(manifest, "train", (8, 12))
    streamed = StreamedImages(manifest, "train", (8, 12))
    assert (streamed.shape, streamed.dtype, len(streamed)) == (array.shape, array.dtype, 28)
    for key in (
        0,
        -1,
        np.int64(5),
        slice(3, 9),
        slice(None, None, -5),
        [4, 4, 0],
        np.array([27, 1]),
        array[:, 0, 0, 0] > 99,
    ):
        assert np.array_equal(streamed[key], array[key])
    assert np.array_equal(np.asarray(streamed), array)
    assert len(streamed[5:5]) == 0
    for outside in (28, -29):
        with pytest.raises(IndexError):
            streamed[outside]


def test_streamed_photos_are_checked_each_time(manifest):
    streamed = StreamedImages(manifest, "train", (8, 8))
    streamed[3]
    path = manifest.root / manifest.of("train")[3].path
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match="has changed since"):
        streamed[3]


def test_threads_do_each_thing_once_and_hand_on_an_error():
    done = []
    in_threads(done.append, 3000)
    assert sorted(done) == list(range(3000))

    def fail(number):
        if number == 1500:
            raise UserError("no")
        done.append(number)

    done.clear()
    with pytest.raises(UserError):
        in_threads(fail, 100_000)
    assert len(done) < 3000
