import numpy as np
import pytest

from train.augment import Augmentation
from train.pipeline import one_hot, plain_batches, training_batches

STILL = Augmentation(rotation=0, zoom=0, flip=False)


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
