"""What a backbone makes of photos: one vector each, worked out once and kept on disk for all runs.

The file's name is a hash of the backbone with its weights and of what the pixels are made from, so it can't grow
stale. Like the cache of pixels it is read, not mapped: mapped pages count as the process's memory.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import tf_keras as keras
from rich.console import Console

from edge import preprocess
from edge.errors import UserError
from train import cache_file
from train.cache_file import Layout, OpenFile
from train.dataset import Manifest
from train.pixels import Images
from train.progress import counting

Rows = npt.NDArray[np.float32]

_BATCH = 32  # images at a time; always as many, since other numbers give other last bits


class Features(Protocol):
    """Features (N, D) float32: a NumPy array, or one whose rows are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""

    def __getitem__(self, key: npt.NDArray[np.int64], /) -> Rows:
        """Return the rows of an array of indices."""


def open_features(
    model: keras.Model, images: Images, pixels_key: str, folder: Path | None, console: Console
) -> Features:
    """Return the features of images, from their file, which is made first where it has to be.

    Where it can't be made, they are kept in memory, and a line says so.

    Args:
        model: One of `train.models` with a layer "features".
        images: RGB (N, H, W, 3) uint8, an array or what is read like one.
        pixels_key: What tells these images from all others, such as `photos_key` gives.
        folder: The cache's folder; None for memory.
        console: Where progress and notes go.
    """
    if folder is not None:
        try:
            return _open_or_make(model, images, pixels_key, folder, console)
        except OSError as error:
            console.print(f"features are not kept in {folder}: {error.strerror or error}")
    with counting(console, "looking at photos", len(images)) as advance:
        return np.concatenate([*extract(model, images, advance)])


def extract(model: keras.Model, images: Images, advance: Callable[[], object] = lambda: None) -> Iterator[Rows]:
    """Yield the output of the layer "features", batch by batch (n, D) float32; reads a batch of images at a time."""
    backbone = keras.Model(model.input, model.get_layer("features").output)
    for start in range(0, len(images), _BATCH):
        batch = np.asarray(images[start : start + _BATCH])
        filled = np.concatenate([batch, np.repeat(batch[:1], _BATCH - len(batch), axis=0)])
        yield backbone.predict_on_batch(filled)[: len(batch)]
        for _ in batch:
            advance()


def photos_key(manifest: Manifest, split: str, image_size: tuple[int, int]) -> str:
    """Return what tells a split's pixels from all others: the photos' hashes, the size, the code that decodes."""
    code = hashlib.sha256(Path(preprocess.__file__).read_bytes()).hexdigest()
    photos = [photo.sha256 for photo in manifest.of(split)]
    return hashlib.sha256(json.dumps([photos, image_size, code, cv2.getBuildInformation()]).encode()).hexdigest()


class StoredFeatures:
    """Features in a cache's file, read row by row.

    Attributes:
        shape: (N, D).
    """

    def __init__(self, file: OpenFile, start: int, shape: tuple[int, int]) -> None:
        """Take the rows of a file.

        Args:
            file: The cache's file.
            start: Where its first row starts, bytes.
            shape: (N, D).
        """
        self.shape = shape
        self._file, self._start = file, start

    def __getitem__(self, key: npt.NDArray[np.int64], /) -> Rows:
        indices = np.arange(self.shape[0])[key]
        rows = np.empty((len(indices), self.shape[1]), np.float32)
        for index, row in zip(indices, rows, strict=True):
            if os.preadv(self._file.descriptor, [row.data], self._start + int(index) * row.nbytes) != row.nbytes:
                raise UserError(
                    f"Expected {self._file.path} to stay as it is while it is used, it was cut; start again"
                )
        return rows


def _open_or_make(
    model: keras.Model, images: Images, pixels_key: str, folder: Path, console: Console
) -> StoredFeatures:
    """Open the file of features, made anew where it is missing or damaged; OSError where that can't be done."""
    key = _key(model, pixels_key)
    shape = (len(images), int(model.get_layer("features").output_shape[-1]))
    layout = Layout(folder / f"features-{key.hex()}.npy", shape, "<f4", key)
    file = cache_file.open_whole(layout)
    if file is None:
        with counting(console, "looking at photos", len(images)) as advance:

            def fill(write: Callable[[int, Rows], None]) -> None:
                row = 0
                for batch in extract(model, images, advance):
                    write(row, batch)
                    row += len(batch)

            cache_file.make(layout, fill)
        file = cache_file.open_whole(layout)
        if file is None:
            raise OSError(errno.EIO, "what was written can't be read back")
    return StoredFeatures(file, len(layout.header), shape)


def _key(model: keras.Model, pixels_key: str) -> bytes:
    """Hash all that features depend on: the network up to them, its weights, the pixels."""
    digest = hashlib.sha256(f"{model.name} {model.input_shape} {pixels_key}".encode())
    for layer in model.layers:
        for variable, values in zip(layer.weights, layer.get_weights(), strict=True):
            if layer.name != "scores":
                digest.update(f"{variable.name} {values.shape}".encode())
                digest.update(np.ascontiguousarray(values).data)
    return digest.digest()
