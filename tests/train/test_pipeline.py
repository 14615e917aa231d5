import numpy as np
import pytest

from edge.errors import UserError
from train.augment import AUGMENTATIONS, Augmentation
from train.pipeline import one_hot, plain_batches, training_batches, user_errors
from train.pixels import LazyImages

STILL = AUGMENTATIONS["none"]


class Kept(LazyImages):
    """Images that count how often each was read; one of them can't be."""

    def __init__(self, images, broken=None):
        super().__init__(len(images), images.shape[1:3])
        self.images, self.broken, self.reads = images, broken, [0] * len(images)

    def _read(self, index, out):
        if index == self.broken:
            raise UserError("Expected a photo, got none; put it back")
        self.reads[index] += 1
        out[:] = self.images[index]


@pytest.fixture
def numbered():
    """Ten images, the first all 0, the second all 1 ...; their labels go 0 1 2 0 1 2 ..."""
    images = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 6, 5, 3)).copy()
    return images, np.arange(10) % 3


def drain(dataset):
    return [(images.numpy(), labels.numpy()) for images, labels in dataset]


def test_every_epoch_holds_each_image_once_in_another_order(numbered):
    batches = drain(training_batches(*numbered, 3, 4, 2, 0, STILL))
    assert [len(images) for images, _labels in batches] == [4, 4, 2, 4, 4, 2]
    epochs = [np.concatenate([images[:, 0, 0, 0] for images, _labels in part]) for part in (batches[:3], batches[3:])]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert list(epochs[0]) != list(epochs[1])
    for images, labels in batches:
        assert np.array_equal(labels, np.eye(3, dtype=np.float32)[images[:, 0, 0, 0] % 3])


def test_the_seed_fixes_order_and_augmentation(numbered):
    images = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8)
    once, again, other = (drain(training_batches(images, numbered[1], 3, 5, 2, s, Augmentation())) for s in (4, 4, 5))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(once, again, strict=True))
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(once, other, strict=True))


def test_plain_batches_are_the_images_in_order(numbered):
    batches = drain(plain_batches(*numbered, 3, 4))
    assert np.array_equal(np.concatenate([images for images, _labels in batches]), numbered[0])
    assert np.array_equal(np.concatenate([labels for _images, labels in batches]).argmax(axis=1), numbered[1])


def test_one_hot_rows():
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_later_batches_are_the_same_whether_or_not_the_first_were_made(numbered):
    images = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8)
    settings = (images, numbered[1], 3, 4, 3, 7, AUGMENTATIONS["strong"])
    whole = drain(training_batches(*settings, mixup=0.3))
    rest = drain(training_batches(*settings, mixup=0.3, first_epoch=1, first_step=2))
    assert (len(whole), len(rest)) == (9, 4)
    for (images_1, labels_1), (images_2, labels_2) in zip(whole[5:], rest, strict=True):
        assert np.array_equal(images_1, images_2)
        assert np.array_equal(labels_1, labels_2)


def test_mixup_blends_in_pixels_and_labels_alike(numbered):
    images, labels = numbered[0][:3] * 100, np.arange(3)  # 0, 100, 200
    mixed = 0
    for batch, rows in drain(training_batches(images, labels, 3, 3, 20, 0, STILL, mixup=0.5)):
        np.testing.assert_allclose(batch[:, 0, 0, 0], rows @ [0, 100, 200], atol=0.51)
        mixed += rows.max() < 1
    assert mixed > 3


def test_images_are_read_when_a_batch_needs_them(numbered):
    images = Kept(numbered[0])
    drain(training_batches(images, numbered[1], 3, 4, 2, 0, STILL))
    assert images.reads == [2] * 10
    assert np.array_equal(
        np.concatenate([batch for batch, _ in drain(plain_batches(images, numbered[1], 3, 4))]), numbered[0]
    )


def test_what_the_user_can_mend_comes_out_of_tensorflow_as_one_line(numbered):
    images = Kept(numbered[0], broken=7)
    with pytest.raises(UserError) as raised, user_errors():
        drain(training_batches(images, numbered[1], 3, 4, 1, 0, STILL))
    assert str(raised.value) == "Expected a photo, got none; put it back"


def test_other_errors_of_tensorflow_stay_what_they_are():
    import tensorflow

    with pytest.raises(tensorflow.errors.InvalidArgumentError, match="shape"), user_errors():
        raise tensorflow.errors.InvalidArgumentError(None, None, "no such shape")
