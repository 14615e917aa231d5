"""Augmentation of training images: rotation, zoom and horizontal flip as one affine warp."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Augmentation:
    """How far training images are bent.

    Attributes:
        rotation: Largest turn to either side, degrees.
        zoom: Largest change of size, as a part of 1; 0.1 means 0.9 to 1.1 times.
        flip: Whether half of the images are mirrored left to right.
    """

    rotation: float = 15.0
    zoom: float = 0.1
    flip: bool = True

    def matrix(self, image_size: tuple[int, int], seed: int, epoch: int, index: int) -> npt.NDArray[np.float64]:
        """Return the warp (2, 3) of one image in one epoch: from places in the result to places in the image.

        Stateless: the same numbers give the same warp, whatever was warped before.
        """
        rng = np.random.default_rng((seed, epoch, index))
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        size = 1 + rng.uniform(-self.zoom, self.zoom)
        mirror = -1.0 if self.flip and rng.random() < 0.5 else 1.0
        cos, sin = np.cos(angle) / size, np.sin(angle) / size
        linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
        centre = np.array([(image_size[1] - 1) / 2, (image_size[0] - 1) / 2])  # x, y of the middle
        return np.column_stack([linear, centre - linear @ centre])

    def warp(self, image: npt.NDArray[np.uint8], seed: int, epoch: int, index: int, out: npt.NDArray[np.uint8]) -> None:
        """Write the warped image (H, W, 3) uint8 to `out`; what comes in from outside is mirrored at the border."""
        height, width = image.shape[:2]
        matrix = self.matrix((height, width), seed, epoch, index)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(image, matrix, (width, height), dst=out, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
