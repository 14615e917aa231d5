"""Augmentation of training images: one affine warp, then one table of tones, then now and then blur, noise, a hole.

Importable without OpenCV, so that the sets' names are at hand for flags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Image = npt.NDArray[np.uint8]

_HOLE = 127  # grey of a hole: what a model that scales to [0, 1] or [-1, 1] takes for nothing


@dataclass(frozen=True)
class Augmentation:
    """How far training images are changed. 0 or False leaves a change out.

    Attributes:
        rotation: Largest turn to either side, degrees.
        zoom: Largest change of size, as a part of 1; 0.1 means 0.9 to 1.1 times.
        flip: Whether half of the images are mirrored left to right.
        shift: Largest move along each axis, as a part of the image's side.
        shear: Largest slant to either side, degrees.
        brightness: Largest change of all tones, as a part of white.
        contrast: Largest change of the distance from mid-grey, as a part of 1.
        tint: Largest change of each colour's strength by itself, as a part of 1: another light, another camera. A grey
            image stays grey.
        blur: Largest sigma, pixels, of the quarter of the images that are blurred.
        noise: Largest standard deviation, grey levels, of the quarter that gets noise.
        cutout: Largest side of the grey hole in half of the images, as a part of the image's.
    """

    rotation: float = 15.0
    zoom: float = 0.1
    flip: bool = True
    shift: float = 0.0
    shear: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    tint: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0

    def apply(self, image: _Image, seed: int, epoch: int, index: int, out: _Image) -> None:
        """Write the changed image (H, W, 3) uint8 RGB to `out`, another array.

        Stateless: the same image and numbers give the same result, whatever was changed before.
        """
        import cv2

        rng = np.random.default_rng((seed, epoch, index))
        if self.rotation or self.zoom or self.flip or self.shift or self.shear:
            warp(image, self.matrix((image.shape[0], image.shape[1]), rng), out)
        else:
            np.copyto(out, image)
        if self.brightness or self.contrast or self.tint:
            cv2.LUT(out, self.tones(rng, _is_grey(image)), dst=out)
        if self.blur and rng.random() < 0.25:
            cv2.GaussianBlur(out, (0, 0), rng.uniform(0.1, 1) * self.blur, dst=out)
        if self.noise and rng.random() < 0.25:
            grain = rng.standard_normal(out.shape[:2], np.float32) * np.float32(rng.uniform(0, self.noise))
            grain = np.rint(grain).astype(np.int16)
            cv2.add(out, cv2.merge([grain] * 3), dst=out, dtype=cv2.CV_8U)  # stops at 0 and 255
        if self.cutout and rng.random() < 0.5:
            out[self.hole((out.shape[0], out.shape[1]), rng)] = _HOLE

    def matrix(self, image_size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Draw a warp (2, 3): from places (x, y) in the result to places in the image."""
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        size = 1 + rng.uniform(-self.zoom, self.zoom)
        mirror = -1.0 if self.flip and rng.random() < 0.5 else 1.0
        cos, sin = np.cos(angle) / size, np.sin(angle) / size
        linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
        if self.shear:
            linear[:, 1] += linear[:, 0] * np.tan(np.deg2rad(rng.uniform(-self.shear, self.shear)))
        centre = np.array([(image_size[1] - 1) / 2, (image_size[0] - 1) / 2])  # x, y of the middle
        seen = centre  # what lands in the middle
        if self.shift:
            seen = centre + rng.uniform(-self.shift, self.shift, 2) * (image_size[1], image_size[0])
        return np.column_stack([linear, seen - linear @ centre])

    def tones(self, rng: np.random.Generator, grey: bool = False) -> npt.NDArray[np.uint8]:
        """Draw a table (1, 256, 3): what becomes of each value of each colour; `grey`: of all colours alike."""
        contrast = 1 + rng.uniform(-self.contrast, self.contrast)
        brightness = 255 * rng.uniform(-self.brightness, self.brightness)
        strengths = 1 + (0 if grey else 1) * rng.uniform(-self.tint, self.tint, 3)
        values = (np.arange(256) - 127.5) * contrast + 127.5 + brightness
        return np.clip(np.rint(values[None, :, None] * strengths), 0, 255).astype(np.uint8)

    def hole(self, image_size: tuple[int, int], rng: np.random.Generator) -> tuple[slice, slice]:
        """Draw the rows and columns of a hole, all of it inside the image."""
        cut = []
        for side in image_size:
            length = int(side * rng.uniform(0, self.cutout))
            start = int(rng.integers(0, side - length + 1))
            cut.append(slice(start, start + length))
        return cut[0], cut[1]


# light: what the seed of this project did to its photos; strong: for few photos, or for cameras and rooms that vary.
AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(rotation=0, zoom=0, flip=False),
    "light": Augmentation(),
    "strong": Augmentation(
        rotation=20,
        zoom=0.2,
        shift=0.1,
        shear=8,
        brightness=0.15,
        contrast=0.25,
        tint=0.1,
        blur=1.2,
        noise=10,
        cutout=0.3,
    ),
}


def _is_grey(image: _Image) -> bool:
    """Tell whether the three colours of an image are equal everywhere."""
    import cv2

    red, green, blue = cv2.split(image)
    return np.array_equal(red, green) and np.array_equal(red, blue)


def warp(image: _Image, matrix: npt.NDArray[np.float64], out: _Image) -> None:
    """Write the warped image to `out`; what comes in from outside is mirrored at the border."""
    import cv2

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = image.shape[1], image.shape[0]
    cv2.warpAffine(image, matrix, size, dst=out, flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def mix(batch: _Image, labels: npt.NDArray[np.float32], rng: np.random.Generator, alpha: float) -> None:
    """Blend each image of a batch with another of the same batch, and their labels alike, in place (mixup).

    One share for the whole batch, drawn from Beta(alpha, alpha) and at least a half, so that each image stays the one
    that is seen most: Zhang et al. 2018 (arXiv 1710.09412).

    Args:
        batch: Images (N, H, W, 3) uint8.
        labels: One-hot rows (N, classes) float32.
        rng: Source of the share and of who is blended with whom.
        alpha: Above 0; the larger, the nearer to half and half.
    """
    import cv2

    share = rng.beta(alpha, alpha)
    share = max(share, 1 - share)
    others = rng.permutation(len(batch))
    flat = batch.reshape(len(batch), -1)
    cv2.addWeighted(flat, share, flat[others], 1 - share, 0, dst=flat)
    labels[:] = share * labels + (1 - share) * labels[others]
