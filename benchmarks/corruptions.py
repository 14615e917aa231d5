"""Photos made worse as lenses, sensors, light and compression do it: 12 corruptions of 5 severities each.

The formulas and constants of nine are those of Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to
Common Corruptions and Perturbations" (arXiv 1903.12261): ImageNet-C for photos of about 224 pixels, Tiny ImageNet-C for
64, CIFAR-10-C for 32 (github.com/hendrycks/robustness, ImageNet-C/create_c/make_imagenet_c.py, make_tinyimagenet_c.py,
make_cifar_c.py). Motion blur is ImageMagick's there; here it is the NumPy formula of the package imagecorruptions that
replaces it. What differs on purpose: results are rounded, not cut, to whole numbers, and motion past the edge repeats
the edge's pixels instead of darkening small photos.

`darker` mirrors `brighter`, the paper's brightness. `occlusion` is the grey square of Zeiler & Fergus 2014 (arXiv
1311.2901), whose side at severity 4 is half the photo's, as that of Cutout on CIFAR-10 (DeVries & Taylor 2017, arXiv
1708.04552). `rotation` goes up to the 30 degrees of Engstrom et al. 2019 (arXiv 1712.02779), the corners mirrored, so
that they are no second corruption.

Everything random follows from (seed, index of the photo, corruption, severity), so every file sees equal pixels.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.preprocess import Image, decode

SEVERITIES = (1, 2, 3, 4, 5)
PUBLISHED = {224: "ImageNet-C", 64: "Tiny ImageNet-C", 32: "CIFAR-10-C"}  # by the side of their photos

Pixels = npt.NDArray[np.float32]  # (H, W, 3), 0-1
_Corruption = Callable[[Pixels, Any, np.random.Generator], Pixels]
_Constants = dict[int, tuple[Any, ...]]  # by the side of the photos that they were chosen for, then the severity


def corrupt(image: Image, corruption: str, severity: int, *, index: int = 0, seed: int = 0) -> Image:
    """Make an image worse.

    Args:
        image: RGB (H, W, 3) uint8.
        corruption: One of `CORRUPTIONS`.
        severity: 1 to 5; 0 leaves the image as it is.
        index: Of the photo in its set, >= 0.
        seed: Another one gives other noise, >= 0.

    Returns:
        New image, RGB (H, W, 3) uint8.
    """
    if severity == 0:
        return image.copy()
    random = np.random.default_rng([seed, index, zlib.crc32(corruption.encode()), severity])
    make, constants = _HOW[corruption]
    constant = constants[nearest_published(image.shape[:2])][severity - 1]
    return _to_image(make(image.astype(np.float32) / np.float32(255), constant, random))


def nearest_published(image_size: tuple[int, ...]) -> int:
    """Return the side in pixels of the data set whose constants serve for images of this (height, width).

    The nearest by ratio of the shorter side; constants in between are nobody's.
    """
    return min(PUBLISHED, key=lambda side: abs(math.log(side / min(image_size))))


def _gaussian_noise(pixels: Pixels, deviation: float, random: np.random.Generator) -> Pixels:
    """Add noise of equal strength everywhere, as electronics do."""
    return pixels + np.float32(deviation) * random.standard_normal(pixels.shape, np.float32)


def _shot_noise(pixels: Pixels, photons: float, random: np.random.Generator) -> Pixels:
    """Count photons, of which white is so many, as a sensor in the dark does."""
    return np.asarray(random.poisson(pixels * photons) / photons, np.float32)


def _impulse_noise(pixels: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    """Make that share of the values, each channel's by itself, 0 or 1: salt and pepper of broken pixels."""
    is_hit, is_salt = random.random(pixels.shape) < amount, random.random(pixels.shape) < 0.5
    return np.where(is_hit, is_salt.astype(np.float32), pixels)


def _defocus_blur(pixels: Pixels, lens: tuple[float, float], random: np.random.Generator) -> Pixels:
    """Spread each pixel over a disk, softened at its rim."""
    radius, softening = lens
    reach = max(8, int(radius))
    offsets = np.arange(-reach, reach + 1)
    disk = (np.hypot(*np.meshgrid(offsets, offsets)) <= radius).astype(np.float32)
    side = 3 if radius <= 8 else 5
    kernel = cv2.GaussianBlur(disk / disk.sum(), (side, side), sigmaX=softening)
    return np.asarray(cv2.filter2D(pixels, -1, kernel), np.float32)


def _motion_blur(pixels: Pixels, motion: tuple[int, float], random: np.random.Generator) -> Pixels:
    """Drag each pixel along a line of some angle within 45 degrees of the horizon, fading like half a Gaussian."""
    radius, deviation = motion
    angle = math.radians(random.uniform(-45, 45))
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    x, y = (np.ceil(steps * along - 0.5).astype(int) for along in (math.cos(angle), math.sin(angle)))
    kernel = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1), np.float32)
    np.add.at(kernel, (y - y.min(), x - x.min()), weights / weights.sum())
    anchor = (-int(x.min()), -int(y.min()))
    blurred = cv2.filter2D(pixels, -1, kernel, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def _gaussian_blur(pixels: Pixels, deviation: float, random: np.random.Generator) -> Pixels:
    """Blur softly, out to four deviations, the edge's pixels repeated, as scikit-image does."""
    side = 2 * int(4 * deviation + 0.5) + 1
    blurred = cv2.GaussianBlur(pixels, (side, side), sigmaX=deviation, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def _jpeg(pixels: Pixels, quality: int, random: np.random.Generator) -> Pixels:
    """Compress at that quality, 1-100, and decode."""
    frame = np.ascontiguousarray(_to_image(pixels)[..., ::-1])
    data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    return decode(data)[..., ::-1].astype(np.float32) / np.float32(255)


def _brightness(pixels: Pixels, added: float, random: np.random.Generator) -> Pixels:
    """Add to the value of HSV, which is the largest channel; hue and saturation stay."""
    value = pixels.max(axis=2, keepdims=True)
    wanted = np.clip(value + np.float32(added), 0, 1)
    grown = np.divide(wanted, value, out=np.zeros_like(value), where=value > 0)
    return np.asarray(np.where(value > 0, pixels * grown, wanted), np.float32)  # black has no hue: it becomes grey


def _contrast(pixels: Pixels, kept: float, random: np.random.Generator) -> Pixels:
    """Keep only that share of the differences from each channel's mean."""
    means = pixels.mean(axis=(0, 1), keepdims=True)
    return np.asarray((pixels - means) * np.float32(kept) + means, np.float32)


def _occlusion(pixels: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Hide a rectangle of that share of both sides, somewhere, behind mid grey."""
    height, width = pixels.shape[:2]
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    top, left = random.integers(height - rows + 1), random.integers(width - columns + 1)
    hidden = pixels.copy()
    hidden[top : top + rows, left : left + columns] = 0.5
    return hidden


def _rotation(pixels: Pixels, degrees: float, random: np.random.Generator) -> Pixels:
    """Turn by so many degrees, to the left or to the right."""
    height, width = pixels.shape[:2]
    turned_by = degrees if random.random() < 0.5 else -degrees
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turned_by, 1)
    turned = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(turned, np.float32)


def _to_image(pixels: Pixels) -> Image:
    """Return pixels as uint8, rounded and kept within 0-255."""
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _everywhere(*constants: Any) -> _Constants:
    """Return constants that hold for photos of any size."""
    return dict.fromkeys(PUBLISHED, constants)


_BRIGHTNESS: _Constants = {
    224: (0.1, 0.2, 0.3, 0.4, 0.5),
    64: (0.1, 0.2, 0.3, 0.4, 0.5),
    32: (0.05, 0.1, 0.15, 0.2, 0.3),
}

_HOW: dict[str, tuple[_Corruption, _Constants]] = {
    "gaussian_noise": (
        _gaussian_noise,
        {
            224: (0.08, 0.12, 0.18, 0.26, 0.38),
            64: (0.04, 0.08, 0.12, 0.15, 0.18),
            32: (0.04, 0.06, 0.08, 0.09, 0.1),
        },
    ),
    "shot_noise": (
        _shot_noise,
        {224: (60, 25, 12, 5, 3), 64: (250, 100, 50, 30, 15), 32: (500, 250, 100, 75, 50)},
    ),
    "impulse_noise": (
        _impulse_noise,
        {
            224: (0.03, 0.06, 0.09, 0.17, 0.27),
            64: (0.01, 0.02, 0.05, 0.08, 0.14),
            32: (0.01, 0.02, 0.03, 0.05, 0.07),
        },
    ),
    "defocus_blur": (
        _defocus_blur,
        {
            224: ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
            64: ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
            32: ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        },
    ),
    "motion_blur": (
        _motion_blur,
        {
            224: ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
            64: ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
            32: ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        },
    ),
    "gaussian_blur": (
        _gaussian_blur,
        {224: (1, 2, 3, 4, 6), 64: (0.5, 0.75, 1, 1.25, 1.5), 32: (0.4, 0.6, 0.7, 0.8, 1)},
    ),
    "jpeg": (
        _jpeg,
        {224: (25, 18, 15, 10, 7), 64: (65, 58, 50, 40, 25), 32: (80, 65, 58, 50, 40)},
    ),
    "brighter": (_brightness, _BRIGHTNESS),
    "darker": (_brightness, {side: tuple(-each for each in added) for side, added in _BRIGHTNESS.items()}),
    "contrast": (
        _contrast,
        {224: (0.4, 0.3, 0.2, 0.1, 0.05), 64: (0.4, 0.3, 0.2, 0.1, 0.05), 32: (0.75, 0.5, 0.4, 0.3, 0.15)},
    ),
    "occlusion": (_occlusion, _everywhere(0.2, 0.3, 0.4, 0.5, 0.6)),
    "rotation": (_rotation, _everywhere(6, 12, 18, 24, 30)),
}
CORRUPTIONS = tuple(_HOW)
