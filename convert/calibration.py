"""Which photos set the ranges of an int8 model: a class-balanced, seeded sample of the training split.

Never validation or test, by hash and not by discipline: a copy of a photo that is judged on is passed over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import TinySightError
from train.dataset import Manifest, Photo
from train.pixels import load_images


def choose_sample(manifest: Manifest, size: int, seed: int) -> Manifest:
    """Return the manifest cut down to `size` photos of the training split, as many of each class as there are.

    Args:
        manifest: The locked dataset.
        size: Photos wanted, at least 1; fewer come back where the split is smaller.
        seed: Fixes the choice.
    """
    random = np.random.default_rng(seed)
    judged = _judged_hashes(manifest)
    queues = []
    for label in manifest.labels:
        photos = [photo for photo in manifest.of("train") if photo.label == label and photo.sha256 not in judged]
        queues.append([photos[i] for i in random.permutation(len(photos))])
    chosen = []
    while len(chosen) < size and any(queues):
        for queue in queues:
            if queue and len(chosen) < size:
                chosen.append(queue.pop())
    return dataclasses.replace(manifest, files=tuple(chosen))


def passed_over(manifest: Manifest) -> tuple[Photo, ...]:
    """Return the photos of the training split that lie in validation or test too, as copies do that were let in."""
    judged = _judged_hashes(manifest)
    return tuple(photo for photo in manifest.of("train") if photo.sha256 in judged)


def without_copies(manifest: Manifest) -> Manifest:
    """Return the manifest without the photos of the training split that lie in validation or test too."""
    copies = {photo.path for photo in passed_over(manifest)}
    return dataclasses.replace(manifest, files=tuple(each for each in manifest.files if each.path not in copies))


def prove_unseen(sample: Iterable[Photo], manifest: Manifest) -> None:
    """Make sure that no photo of a sample is one that the model is judged on.

    The hashes are those of the bytes: whoever loads a manifest's photo checks it against its own.

    Raises:
        TinySightError: If one is, by its SHA-256, in the manifest's validation or test split.
    """
    judged = _judged_hashes(manifest)
    seen = [photo.path for photo in sample if photo.sha256 in judged]
    if seen:
        raise TinySightError(f"{len(seen)} calibration photos are in validation or test, {seen[0]} for one")


def describe_sample(sample: Manifest, manifest: Manifest, size: int, seed: int) -> dict[str, Any]:
    """Return what conversion.json says of a calibration that `prove_unseen` let pass."""
    return {
        "split": "train",
        "n": len(sample.files),
        "asked": size,
        "seed": seed,
        "in_validation_or_test": 0,
        "passed_over": [photo.path for photo in passed_over(manifest)],
    }


def calibration_images(sample: Manifest, image_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Load the sample as the device sees it, with the input's range pinned to 0-255.

    Returns:
        Images (N, height, width, 3) uint8 RGB.
    """
    images, _ = load_images(sample, "train", image_size)
    return pin_range(images)


def pin_range(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the images with one black and one white pixel in the first.

    The converter takes the input's range from the photos: when none reaches black or white, one step of the uint8 input
    is no longer one grey level and raw pixels are wrong.

    Args:
        images: (N, height, width, 3) uint8 RGB, N > 0.
    """
    images = np.array(images)
    images[0, 0, 0], images[0, -1, -1] = 0, 255
    return images


def _judged_hashes(manifest: Manifest) -> frozenset[str]:
    """Return the hashes of the photos of validation and test."""
    return frozenset(photo.sha256 for split in ("validation", "test") for photo in manifest.of(split))
