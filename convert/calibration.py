"""Which photos set the ranges of an int8 model: a class-balanced, seeded sample of the training split."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from train.dataset import Manifest
from train.pixels import load_images

# With 20, 100, 300 photos an unpinned input's scale came out 3, 1 and 0 bits wrong; 300 cost two seconds.
DEFAULT_SIZE = 300


def choose_sample(manifest: Manifest, size: int, seed: int) -> Manifest:
    """Return the manifest cut down to `size` photos of the training split, as many of each class as there are.

    Args:
        manifest: The locked dataset.
        size: Photos wanted, at least 1; fewer come back where the split is smaller.
        seed: Fixes the choice.
    """
    random = np.random.default_rng(seed)
    queues = []
    for label in manifest.labels:
        photos = [photo for photo in manifest.of("train") if photo.label == label]
        queues.append([photos[i] for i in random.permutation(len(photos))])
    chosen = []
    while len(chosen) < size and any(queues):
        for queue in queues:
            if queue and len(chosen) < size:
                chosen.append(queue.pop())
    return dataclasses.replace(manifest, files=tuple(chosen))


def calibration_images(sample: Manifest, image_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Load the sample as the device sees it, with the input's range pinned to 0-255.

    The converter takes the input's range from the photos: when none reaches black or white, one step of the uint8 input
    is no longer one grey level and raw pixels are wrong. One black and one white pixel in the first photo pin it.

    Returns:
        Images (N, height, width, 3) uint8 RGB.
    """
    images, _ = load_images(sample, "train", image_size)
    images = np.array(images)
    images[0, 0, 0], images[0, -1, -1] = 0, 255
    return images
