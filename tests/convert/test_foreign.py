import cv2
import numpy as np
import pytest
import tf_keras as keras

from convert.foreign import load_foreign
from convert.foreign_request import RAW, Request
from edge.errors import UserError


@pytest.fixture
def request_of(small_model, tmp_path):
    """Makes a request for a model of 4 classes and a folder of 12 photos, some of them no good."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        blobs = random.integers(0, 256, (3, 2, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:02}.png"), cv2.resize(blobs, (16, 24), interpolation=cv2.INTER_CUBIC))
    (folder / "copy.png").write_bytes((folder / "03.png").read_bytes())
    (folder / "broken.png").write_bytes((folder / "04.png").read_bytes()[:50])

    def make(model=small_model, labels=4, photos=None):
        model.save(tmp_path / "model.keras")
        found = tuple(sorted(folder.iterdir())) if photos is None else tuple(folder / name for name in photos)
        names = tuple(f"class {number}" for number in range(labels))
        return Request(tmp_path / "model.keras", names, found, folder, tmp_path, RAW)

    return make


def digests(images):
    return {image[1:-1].tobytes() for image in images}  # without the rows of the pinned pixels


def test_what_is_compared_on_is_not_calibrated_on(request_of):
    source = load_foreign(request_of(), 300, 0)
    held_back, calibrated = source.splits["held_back"].images, source.calibrate(300, 0).images
    assert (len(held_back), len(calibrated)) == (6, 6)
    assert len(digests(held_back) | digests(calibrated)) == 12  # of 14 files: a copy and a broken one
    assert source.splits["held_back"].truth is None
    assert (calibrated.min(), calibrated.max()) == (0, 255)
    assert source.calibrate(300, 0).described["n"] == 6


def test_the_size_and_the_seed_choose(request_of):
    first, again, other = (load_foreign(request_of(), 4, seed).calibrate(4, seed).images for seed in (1, 1, 2))
    assert len(first) == 4
    assert np.array_equal(first, again)
    assert digests(first) != digests(other)


def test_what_was_assumed_and_passed_over_is_told(request_of):
    source = load_foreign(request_of(), 300, 0)
    notes = "\n".join(source.notes)
    assert "gets RGB pixels of 0 to 255 (assumed" in notes
    assert "passed over, unreadable: broken.png (no whole photo)" in notes
    assert "no accuracy" in notes
    assert source.calibrate(300, 0).described["unusable"] == [{"path": "broken.png", "reason": "no whole photo"}]
    described = source.describe("int8")
    assert described["labels"] == ["class 0", "class 1", "class 2", "class 3"]
    assert described["image_size"] == [24, 16]
    assert len(described["provenance"]["sha256"]) == 64


def test_logits_get_a_softmax_and_probabilities_do_not(small_model, request_of):
    logits = keras.Model(small_model.input, keras.layers.Rescaling(9.0, -3.0)(small_model.output))
    source = load_foreign(request_of(logits), 300, 0)
    assert source.origin["softmax_added"]
    images = source.splits["held_back"].images.astype(np.float32)
    exponents = np.exp(logits(images).numpy())
    np.testing.assert_allclose(source.model(images), exponents / exponents.sum(axis=1, keepdims=True), atol=1e-5)
    assert not load_foreign(request_of(), 300, 0).origin["softmax_added"]


def test_labels_of_another_count(request_of):
    with pytest.raises(UserError, match="has 4 classes, but 3 labels"):
        load_foreign(request_of(labels=3), 300, 0)


@pytest.mark.parametrize("photos", [["broken.png"], ["03.png", "copy.png"], ["gone.png", "05.png"]])
def test_too_few_photos_that_can_be_used(request_of, photos):
    with pytest.raises(UserError, match="at least two different photos"):
        load_foreign(request_of(photos=photos), 300, 0)
