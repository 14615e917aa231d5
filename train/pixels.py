"""The pixels of a split, in memory: decoded once, by the same road as on the device, each file checked by its hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from edge import preprocess
from edge.errors import UserError
from train.dataset import Manifest, Photo


def load_images(
    manifest: Manifest, split: str, image_size: tuple[int, int], advance: Callable[[], None] = lambda: None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Decode and resize the photos of one split.

    Args:
        manifest: The data set.
        split: "train", "validation" or "test".
        image_size: (height, width) of the images.
        advance: Called after each photo.

    Returns:
        Images, RGB (N, height, width, 3) uint8, in the manifest's order; and the index of each one's label, (N,) int64.

    Raises:
        UserError: If a photo is gone, or isn't the one that was locked into the manifest.
    """
    photos = manifest.of(split)
    images = np.empty((len(photos), *image_size, 3), np.uint8)
    indices = {label: index for index, label in enumerate(manifest.labels)}

    def load(number: int) -> None:
        frame = preprocess.decode(_read(manifest, photos[number]))
        preprocess.to_image(frame, image_size, out=images[number])
        advance()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(load, range(len(photos))):
            pass
    return images, np.array([indices[photo.label] for photo in photos], np.int64)


def _read(manifest: Manifest, photo: Photo) -> bytes:
    """Return a photo's bytes, which must be those that the manifest locked."""
    path = manifest.root / photo.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"Expected the photo {path}, could not read it: {error.strerror}; put it back") from error
    if hashlib.sha256(data).hexdigest() != photo.sha256:
        raise UserError(f"Expected {path} as it was when training began, it has changed since; train again")
    return data
