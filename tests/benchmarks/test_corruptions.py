"""Against the published formulas, written a second time with SciPy, Pillow and matplotlib or by hand."""

import io
import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage

from benchmarks.corruptions import CORRUPTIONS, SEVERITIES, corrupt, nearest_published


def photo(height=224, width=224, seed=0):
    """Return an image RGB (height, width, 3) with large and small things in it."""
    random = np.random.default_rng(seed)
    clouds = sum(
        deviation * ndimage.gaussian_filter(random.standard_normal((height, width, 3)), (deviation, deviation, 0))
        for deviation in (1, 4, 16)
    )
    return np.clip(128 + 110 * clouds / np.abs(clouds).max(), 0, 255).astype(np.uint8)


def generator(corruption, severity, index=0, seed=0):
    """Return the generator that a corruption promises to draw from."""
    return np.random.default_rng([seed, index, zlib.crc32(corruption.encode()), severity])


def differ(corrupted, expected):
    """Return the largest difference from the formula's 0-1 values; half a step is rounding."""
    return np.abs(corrupted / 255 - np.clip(expected, 0, 1)).max() * 255


def test_gaussian_noise_has_the_published_deviation():
    grey = np.full((224, 224, 3), 128, np.uint8)
    for severity, deviation in zip(SEVERITIES, (0.08, 0.12, 0.18), strict=False):  # beyond, clipping shows
        noise = corrupt(grey, "gaussian_noise", severity) / 255 - 128 / 255
        assert noise.std() == pytest.approx(deviation, rel=0.02)
        assert abs(noise.mean()) < 2e-3


def test_shot_noise_is_poissons():
    grey = np.full((224, 224, 3), 102, np.uint8)  # 0.4
    counts = corrupt(grey, "shot_noise", 2) / 255 * 25
    assert np.abs(counts - np.rint(counts)).max() < 0.06  # whole photons, as far as 255 steps show them
    counts = np.rint(counts)
    expected = [math.exp(-10) * 10**k / math.factorial(k) for k in range(20)]
    assert [(counts == k).mean() for k in range(20)] == pytest.approx(expected, abs=3e-3)


def test_impulse_noise_is_salt_and_pepper_of_each_channel():
    grey = np.full((224, 224, 3), 100, np.uint8)
    noisy = corrupt(grey, "impulse_noise", 5)
    assert set(np.unique(noisy)) == {0, 100, 255}
    assert (noisy != 100).mean() == pytest.approx(0.27, abs=0.005)
    assert (noisy == 255).mean() == pytest.approx(0.135, abs=0.005)
    hit = noisy != 100
    assert (hit[..., 0] & hit[..., 1]).mean() == pytest.approx(0.27**2, abs=0.005)  # not the same pixels


@pytest.mark.parametrize(("severity", "radius", "softening"), [(1, 3, 0.1), (3, 6, 0.5), (5, 10, 0.5)])
def test_defocus_blur_is_a_soft_disk(severity, radius, softening):
    image, reach = photo(), max(8, radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= radius**2).astype(float)
    half = 1 if radius <= 8 else 2
    soft = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * softening**2))
    kernel = ndimage.correlate(disk / disk.sum(), np.outer(soft, soft) / soft.sum() ** 2, mode="mirror")
    expected = ndimage.correlate(image / 255, kernel[..., np.newaxis], mode="mirror")
    assert differ(corrupt(image, "defocus_blur", severity), expected) < 0.51


@pytest.mark.parametrize(("severity", "radius", "deviation"), [(1, 10, 1), (5, 12, 3)])
@pytest.mark.parametrize("index", range(3))
def test_motion_blur_adds_up_shifted_photos(severity, radius, deviation, index):
    image = photo(80, 120)  # small enough for Tiny ImageNet-C's constants
    angle = math.radians(generator("motion_blur", severity, index).uniform(-45, 45))
    weights = [math.exp(-(step**2) / (2 * deviation**2)) for step in range(2 * radius + 1)]
    expected = np.zeros(image.shape)
    for step, weight in enumerate(weights):
        dx, dy = math.ceil(step * math.cos(angle) - 0.5), math.ceil(step * math.sin(angle) - 0.5)
        rows = np.clip(np.arange(80) + dy, 0, 79)
        columns = np.clip(np.arange(120) + dx, 0, 119)
        expected += weight / sum(weights) * image[rows][:, columns] / 255
    assert differ(corrupt(image, "motion_blur", severity, index=index), expected) < 0.51


@pytest.mark.parametrize(("severity", "deviation"), [(1, 1), (5, 6)])
def test_gaussian_blur_is_scipys(severity, deviation):
    image = photo(200, 240)
    expected = ndimage.gaussian_filter(image / 255, (deviation, deviation, 0), mode="nearest", truncate=4)
    assert differ(corrupt(image, "gaussian_blur", severity), expected) < 0.51


@pytest.mark.parametrize(("severity", "quality"), [(1, 25), (5, 7)])
def test_jpeg_is_as_bad_as_pillows(severity, quality):
    image, file = photo(), io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    expected = np.asarray(Image.open(file)).astype(int)
    corrupted = corrupt(image, "jpeg", severity).astype(int)
    assert np.abs(corrupted - expected).mean() < 0.5
    assert np.abs(expected - image).mean() > 3  # and that isn't because nothing happens


@pytest.mark.parametrize(("corruption", "sign"), [("brighter", 1), ("darker", -1)])
@pytest.mark.parametrize(("severity", "added"), [(1, 0.1), (5, 0.5)])
def test_brightness_is_the_value_of_hsv(corruption, sign, severity, added):
    image = photo()
    image[:9, :9] = 0  # black has no hue
    hsv = rgb_to_hsv(image / 255)
    hsv[..., 2] = np.clip(hsv[..., 2] + sign * added, 0, 1)
    assert differ(corrupt(image, corruption, severity), hsv_to_rgb(hsv)) < 0.51


def test_contrast_shrinks_towards_the_mean_of_each_channel():
    image = photo()
    means = (image / 255).mean(axis=(0, 1))
    assert differ(corrupt(image, "contrast", 3), means + 0.2 * (image / 255 - means)) < 0.51


def test_occlusion_hides_one_grey_rectangle_that_wanders():
    image = np.zeros((100, 200, 3), np.uint8)
    corners = set()
    for index in range(20):
        rows, columns = np.nonzero(corrupt(image, "occlusion", 4, index=index)[..., 0] == 128)
        assert len(rows) == 50 * 100  # half of both sides
        assert (np.ptp(rows), np.ptp(columns)) == (49, 99)
        corners.add((int(rows.min()), int(columns.min())))
    assert len(corners) > 15


def test_rotation_is_scipys_both_ways():
    image, turned = photo(), set()
    for index in range(8):
        corrupted = corrupt(image, "rotation", 5, index=index) / 255
        away = {
            degrees: np.abs(
                ndimage.rotate(image / 255, degrees, axes=(1, 0), reshape=False, order=1, mode="mirror") - corrupted
            ).mean()
            for degrees in (-30, 30)
        }
        best = min(away, key=away.get)
        assert away[best] * 255 < 1  # OpenCV interpolates in steps of 1/32 pixel
        turned.add(best)
    assert turned == {-30, 30}


@pytest.mark.parametrize(
    ("image_size", "published"),
    [((224, 224), 224), ((640, 128), 224), ((96, 96), 64), ((48, 64), 64), ((28, 28), 32), ((1, 1), 32)],
)
def test_small_photos_take_the_constants_of_small_photos(image_size, published):
    assert nearest_published(image_size) == published


@pytest.mark.parametrize("side", [32, 64, 224])
@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_on_average_each_severity_is_worse_than_the_one_before(corruption, side):
    images = [photo(side, side, seed) for seed in range(4)]
    distances = [
        np.mean(
            [
                np.abs(corrupt(image, corruption, severity, index=i).astype(int) - image).mean()
                for i, image in enumerate(images)
            ]
        )
        for severity in (0, *SEVERITIES)
    ]
    assert distances[0] == 0
    assert np.all(np.diff(distances) > 0), distances


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(CORRUPTIONS), st.integers(0, 5), st.integers(0, 10**6))
def test_any_image_keeps_its_shape_and_its_randomness_is_fixed(height, width, corruption, severity, index):
    image = np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
    before = image.copy()
    corrupted = corrupt(image, corruption, severity, index=index, seed=7)
    assert (corrupted.shape, corrupted.dtype) == (image.shape, np.uint8)
    assert np.array_equal(image, before)
    assert np.array_equal(corrupted, corrupt(image, corruption, severity, index=index, seed=7))
    if severity == 0:
        assert np.array_equal(corrupted, image)


def test_photos_severities_and_seeds_get_noise_of_their_own():
    grey = np.full((32, 32, 3), 128, np.uint8)
    noises = [corrupt(grey, "gaussian_noise", 1, index=index, seed=seed) for index in (0, 1) for seed in (0, 1)]
    noises.append(corrupt(grey, "gaussian_noise", 2))
    assert len({each.tobytes() for each in noises}) == 5
