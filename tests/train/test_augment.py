import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.stats import beta

from train.augment import AUGMENTATIONS, Augmentation, mix

COUNTS = st.integers(0, 2**32 - 1)


def smooth(height, width, seed=0):
    """Return a photo-like image: blobs, no noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def apply(augmentation, image, seed, epoch, index):
    out = np.empty_like(image)
    augmentation.apply(image, seed, epoch, index, out)
    return out


def matrix(augmentation, image_size, *numbers):
    return augmentation.matrix(image_size, np.random.default_rng(numbers))


@pytest.mark.parametrize("index", range(8))
def test_a_warp_is_scipys(index):
    image, augmentation = smooth(40, 56), Augmentation(rotation=40, zoom=0.3, shift=0.2, shear=20)
    to_x_y = matrix(augmentation, (40, 56), 3, 2, index)
    swap = np.array([[0, 1], [1, 0]])  # SciPy counts rows first
    for channel in range(3):
        expected = affine_transform(
            image[..., channel].astype(float), swap @ to_x_y[:, :2] @ swap, to_x_y[::-1, 2], order=1, mode="mirror"
        )
        # OpenCV knows 32 places between two pixels
        assert np.abs(apply(augmentation, image, 3, 2, index)[..., channel] - expected).max() < 4


@given(seed=COUNTS, epoch=COUNTS, index=COUNTS)
def test_turn_zoom_and_mirror_stay_within_their_bounds_and_keep_the_middle(seed, epoch, index):
    warp = matrix(Augmentation(rotation=20, zoom=0.25), (40, 56), seed, epoch, index)
    linear = warp[:, :2]
    size = 1 / np.sqrt(abs(np.linalg.det(linear)))
    assert 0.75 <= size <= 1.25
    np.testing.assert_allclose(linear.T @ linear, np.eye(2) / size**2, atol=1e-12)  # neither shear nor stretch
    assert abs(np.arcsin(np.clip(linear[0, 1] * size, -1, 1))) <= np.deg2rad(20) + 1e-9
    np.testing.assert_allclose(warp @ [27.5, 19.5, 1], [27.5, 19.5])


def test_without_turn_and_zoom_half_of_the_images_are_mirrored():
    image, augmentation = smooth(9, 7), Augmentation(rotation=0, zoom=0)
    mirrored = 0
    for index in range(200):
        warped = apply(augmentation, image, 0, 0, index)
        mirrored += np.array_equal(warped, image[:, ::-1])
        assert np.array_equal(warped, image) or np.array_equal(warped, image[:, ::-1])
    assert 70 < mirrored < 130


@given(seed=COUNTS, epoch=COUNTS, index=COUNTS)
def test_shift_moves_and_shear_slants_within_their_bounds(seed, epoch, index):
    still = {"rotation": 0, "zoom": 0, "flip": False}
    moved = matrix(Augmentation(**still, shift=0.25), (40, 56), seed, epoch, index)
    np.testing.assert_allclose(moved[:, :2], np.eye(2), atol=1e-12)
    assert abs(moved[0, 2]) <= 14
    assert abs(moved[1, 2]) <= 10
    slanted = matrix(Augmentation(**still, shear=30), (40, 56), seed, epoch, index)
    np.testing.assert_allclose(slanted[:, :2] - [[1, slanted[0, 1]], [0, 1]], 0, atol=1e-12)
    assert abs(slanted[0, 1]) <= np.tan(np.deg2rad(30)) + 1e-12
    np.testing.assert_allclose(slanted @ [27.5, 19.5, 1], [27.5, 19.5])


def test_nothing_changes_where_nothing_may():
    image = smooth(9, 7)
    for index in range(4):
        assert np.array_equal(apply(AUGMENTATIONS["none"], image, 1, 2, index), image)


@pytest.mark.parametrize("name", ["light", "strong"])
def test_a_change_depends_on_seed_epoch_and_index_alone(name):
    image, augmentation = smooth(24, 24), AUGMENTATIONS[name]
    before = image.copy()
    changed = apply(augmentation, image, 1, 2, 3)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not np.array_equal(apply(augmentation, image, *other), changed)
    assert np.array_equal(apply(augmentation, image, 1, 2, 3), changed)
    assert np.array_equal(image, before)


@given(seed=COUNTS)
def test_tones_are_one_straight_line_for_each_colour(seed):
    augmentation = Augmentation(brightness=0.2, contrast=0.3, tint=0.1)
    table = augmentation.tones(np.random.default_rng(seed)).astype(float)
    assert table.shape == (1, 256, 3)
    values = np.arange(256)
    for channel in range(3):
        column = table[0, :, channel]
        assert np.all(np.diff(column) >= 0)
        inner = (column > 0) & (column < 255)
        slope, offset = np.polyfit(values[inner], column[inner], 1)
        assert 0.7 * 0.9 - 0.01 <= slope <= 1.3 * 1.1 + 0.01
        assert np.abs(slope * values + offset - column)[inner].max() < 1.1  # rounded
        assert abs(slope * 127.5 + offset - 127.5) <= 127.5 * 0.1 + 51 * 1.1 + 1.1


def test_tones_are_looked_up_pixel_by_pixel():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    augmentation = Augmentation(0, 0, flip=False, brightness=0.2, contrast=0.3, tint=0.1)
    table = augmentation.tones(np.random.default_rng((5, 6, 7)))[0]
    assert np.array_equal(apply(augmentation, image, 5, 6, 7), table[image, np.arange(3)])


@given(seed=COUNTS, value=st.integers(0, 255))
def test_a_grey_image_stays_grey(seed, value):
    image = np.repeat(smooth(16, 16)[..., :1], 3, axis=2)
    image[0, 0] = value
    changed = apply(AUGMENTATIONS["strong"], image, seed, 0, 0)
    assert np.array_equal(changed[..., :1].repeat(3, axis=2), changed)


def test_a_quarter_of_the_images_is_blurred_as_by_scipy():
    image, augmentation = smooth(40, 40), Augmentation(0, 0, flip=False, blur=2)
    image[20, 20] = 255  # a point of light
    blurred = [changed for n in range(400) if not np.array_equal(changed := apply(augmentation, image, 0, 0, n), image)]
    assert 60 < len(blurred) < 140
    at_most = gaussian_filter(image[..., 0].astype(float), 2, mode="mirror", truncate=3)
    assert min(int(changed[20, 20, 0]) for changed in blurred) >= at_most[20, 20] - 2
    assert min(int(changed[20, 20, 0]) for changed in blurred) < at_most[20, 20] + 5


def test_a_quarter_of_the_images_gets_noise_as_strong_as_is_said():
    image, augmentation = np.full((64, 64, 3), 128, np.uint8), Augmentation(0, 0, flip=False, noise=10)
    deviations = [apply(augmentation, image, 0, 0, number).astype(float).std() for number in range(400)]
    noisy = [deviation for deviation in deviations if deviation]
    assert 60 < len(noisy) < 140
    assert 8 < max(noisy) < 10.5


@pytest.mark.parametrize("value", [0, 255])
def test_noise_stops_at_black_and_white(value):
    image, augmentation = np.full((32, 32, 3), value, np.uint8), Augmentation(0, 0, flip=False, noise=40)
    for number in range(40):
        assert np.abs(apply(augmentation, image, 0, 0, number).astype(int) - value).max() < 200  # nothing wrapped


@given(seed=COUNTS, height=st.integers(1, 40), width=st.integers(1, 40), part=st.floats(0.01, 1))
def test_a_hole_lies_inside_and_is_no_larger_than_is_said(seed, height, width, part):
    rows, columns = Augmentation(cutout=part).hole((height, width), np.random.default_rng(seed))
    assert 0 <= rows.start <= rows.stop <= height
    assert 0 <= columns.start <= columns.stop <= width
    assert rows.stop - rows.start <= height * part
    assert columns.stop - columns.start <= width * part


def test_a_hole_hides_a_rectangle_and_nothing_else():
    image, augmentation = np.zeros((40, 40, 3), np.uint8), Augmentation(0, 0, flip=False, cutout=0.5)
    holes = [apply(augmentation, image, 0, 0, number) for number in range(100)]
    assert 25 < sum(hole.any() for hole in holes) < 65
    for hole in holes:
        assert set(np.unique(hole)) <= {0, 127}
        rows, columns = hole[..., 0].any(axis=1), hole[..., 0].any(axis=0)
        assert np.array_equal(hole[..., 0] > 0, np.outer(rows, columns))


@given(seed=COUNTS, alpha=st.floats(0.01, 10), count=st.integers(1, 6))
def test_mixup_blends_images_and_labels_by_the_same_share(seed, alpha, count):
    batch = np.random.default_rng(0).integers(0, 256, (count, 5, 4, 3), np.uint8)
    labels = np.eye(count, dtype=np.float32)
    mixed, rows = batch.copy(), labels.copy()
    mix(mixed, rows, np.random.default_rng(seed), alpha)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert np.all(np.diag(rows) >= 0.5 - 1e-6)  # an image stays the one that is seen most
    expected = np.tensordot(rows, batch.astype(np.float64), axes=1)
    assert np.abs(mixed - expected).max() <= 0.51


def test_mixups_share_is_of_the_beta_distribution():
    shares = []
    for seed in range(1200):
        rows = np.eye(2, dtype=np.float32)
        mix(np.zeros((2, 1, 1, 3), np.uint8), rows, np.random.default_rng(seed), 0.4)
        if rows[0, 0] < 1:  # not dealt itself
            shares.append(rows[0, 0])
    assert 500 < len(shares) < 700
    assert np.mean(np.array(shares) < 0.8) == pytest.approx(beta.cdf(0.8, 0.4, 0.4) - beta.cdf(0.2, 0.4, 0.4), abs=0.07)
