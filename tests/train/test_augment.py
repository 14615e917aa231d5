import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from train.augment import Augmentation

COUNTS = st.integers(0, 2**32 - 1)


def smooth(height, width, seed=0):
    """Return a photo-like image: blobs, no noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def warp(augmentation, image, seed, epoch, index):
    out = np.empty_like(image)
    augmentation.warp(image, seed, epoch, index, out)
    return out


@pytest.mark.parametrize("index", range(8))
def test_a_warp_is_scipys(index):
    image, augmentation = smooth(40, 56), Augmentation(rotation=40, zoom=0.3)
    to_x_y = augmentation.matrix((40, 56), 3, 2, index)
    swap = np.array([[0, 1], [1, 0]])  # SciPy counts rows first
    for channel in range(3):
        expected = affine_transform(
            image[..., channel].astype(float), swap @ to_x_y[:, :2] @ swap, to_x_y[::-1, 2], order=1, mode="mirror"
        )
        # OpenCV knows 32 places between two pixels
        assert np.abs(warp(augmentation, image, 3, 2, index)[..., channel] - expected).max() < 4


@given(seed=COUNTS, epoch=COUNTS, index=COUNTS)
def test_turn_zoom_and_mirror_stay_within_their_bounds_and_keep_the_middle(seed, epoch, index):
    matrix = Augmentation(rotation=20, zoom=0.25).matrix((40, 56), seed, epoch, index)
    linear = matrix[:, :2]
    size = 1 / np.sqrt(abs(np.linalg.det(linear)))
    assert 0.75 <= size <= 1.25
    np.testing.assert_allclose(linear.T @ linear, np.eye(2) / size**2, atol=1e-12)  # neither shear nor stretch
    assert abs(np.arcsin(np.clip(linear[0, 1] * size, -1, 1))) <= np.deg2rad(20) + 1e-9
    np.testing.assert_allclose(matrix @ [27.5, 19.5, 1], [27.5, 19.5])


def test_without_turn_and_zoom_half_of_the_images_are_mirrored():
    image, augmentation = smooth(9, 7), Augmentation(rotation=0, zoom=0)
    mirrored = 0
    for index in range(200):
        warped = warp(augmentation, image, 0, 0, index)
        mirrored += np.array_equal(warped, image[:, ::-1])
        assert np.array_equal(warped, image) or np.array_equal(warped, image[:, ::-1])
    assert 70 < mirrored < 130


def test_nothing_changes_where_nothing_may():
    image = smooth(9, 7)
    assert np.array_equal(warp(Augmentation(0, 0, flip=False), image, 1, 2, 3), image)


def test_a_warp_depends_on_seed_epoch_and_index_alone():
    image, augmentation = smooth(24, 24), Augmentation()
    warped = warp(augmentation, image, 1, 2, 3)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not np.array_equal(warp(augmentation, image, *other), warped)
    assert np.array_equal(warp(augmentation, image, 1, 2, 3), warped)
