"""A small data set of noise, locked into a manifest without the intake."""

import hashlib

import cv2
import numpy as np

from train.dataset import Manifest, Photo, SplitSettings

LABELS = ("cat", "dog")


def make_small_set(root, photos=40):
    """Write 16x24 PNG photos of two classes to `root` and return their manifest: 28, 6, 6 in the splits."""
    files = []
    for number in range(photos):
        label = LABELS[number % 2]
        path = root / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, (16, 24, 3), np.uint8))
        split = "train" if number % 20 < 14 else "validation" if number % 20 < 17 else "test"
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(Photo(path.relative_to(root).as_posix(), sha256, label, split))
    files.sort(key=lambda photo: photo.path)
    return Manifest("small", "noise", "", root, LABELS, SplitSettings(), tuple(files))
