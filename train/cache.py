"""Keeps decoded pixels on disk for all runs on the same photos: one file for a data set at one image size.

The file's name is a hash of the photos' hashes, the image size and the code that decodes. What it holds can't grow
stale, since a changed photo means another name; so a photo's file is read, and checked, when its pixels are made and
never again: what trains are the pixels of the bytes that the manifest locked, whatever became of the file since.

It is read, not mapped: mapped pages count as the process's memory.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console

from edge import preprocess
from edge.errors import UserError
from train import cache_file
from train.cache_file import Layout, OpenFile
from train.dataset import SPLITS, Manifest
from train.pixels import Images, Labels, LazyImages, StreamedImages, in_threads, label_indices, load_image
from train.progress import counting


def open_pixels(
    manifest: Manifest, image_size: tuple[int, int], folder: Path | None, console: Console
) -> dict[str, tuple[Images, Labels]]:
    """Open the images and labels of each split, from the cache, which is filled first where it has to be.

    Where it can't be filled, the photos are decoded anew whenever they are needed, and a line says so.

    Args:
        manifest: The data set.
        image_size: (height, width) of the images.
        folder: The cache's folder; None for no cache.
        console: Where progress and notes go.

    Returns:
        split -> images (N, height, width, 3), in the manifest's order, and the index of each one's label, (N,) int64.

    Raises:
        UserError: If a photo is gone, or isn't the one that was locked into the manifest.
    """
    labels = {split: label_indices(manifest, split) for split in SPLITS}
    if folder is not None:
        try:
            stored = _open_or_make(manifest, image_size, folder, console)
            return {split: (stored[split], labels[split]) for split in SPLITS}
        except OSError as error:
            console.print(
                f"no cache of pixels in {folder}: {error.strerror or error}; photos are decoded anew in each epoch; "
                "a folder with room makes it faster: --cache DIR"
            )
    return {split: (StreamedImages(manifest, split, image_size), labels[split]) for split in SPLITS}


class StoredImages(LazyImages):
    """Images in a cache's file, read one by one."""

    def __init__(self, file: OpenFile, start: int, rows: npt.NDArray[np.int64], image_size: tuple[int, int]) -> None:
        """Take the images of some rows.

        Args:
            file: The cache's file.
            start: Where its first row starts, bytes.
            rows: Row of each image.
            image_size: (height, width).
        """
        super().__init__(len(rows), image_size)
        self._file, self._start, self._rows = file, start, rows

    def _read(self, index: int, out: npt.NDArray[np.uint8]) -> None:
        place = self._start + int(self._rows[index]) * out.nbytes
        if os.preadv(self._file.descriptor, [out.data], place) != out.nbytes:
            raise UserError(f"Expected {self._file.path} to stay as it is while it is used, it was cut; start again")


def _open_or_make(
    manifest: Manifest, image_size: tuple[int, int], folder: Path, console: Console
) -> dict[str, StoredImages]:
    """Open the cache's file, made anew where it is missing or damaged; OSError where that can't be done."""
    photos = {photo.sha256: photo for photo in manifest.files}
    order = sorted(photos)
    key = _key(order, image_size)
    name = f"{image_size[0]}x{image_size[1]}-{key.hex()}.npy"
    layout = Layout(folder / name, (len(order), *image_size, 3), "|u1", key)
    file = cache_file.open_whole(layout)
    if file is None:
        if layout.path.exists():
            console.print(f"{layout.path} is damaged and is made anew")
        with counting(console, "decoding photos", len(order)) as advance:

            def fill(write: Callable[[int, npt.NDArray[np.uint8]], None]) -> None:
                def load(row: int) -> None:
                    image = np.empty((*image_size, 3), np.uint8)
                    load_image(manifest, photos[order[row]], image)
                    write(row, image)
                    advance()

                in_threads(load, len(order))

            cache_file.make(layout, fill)
        file = cache_file.open_whole(layout)
        if file is None:
            raise OSError(errno.EIO, "what was written can't be read back")
        megabytes = layout.content_bytes / 1e6
        console.print(f"decoded pixels are kept for other runs: {layout.path}, {megabytes:,.1f} MB; may be deleted")
    rows = {sha256: row for row, sha256 in enumerate(order)}
    start = len(layout.header)
    return {
        split: StoredImages(file, start, np.array([rows[p.sha256] for p in manifest.of(split)], np.int64), image_size)
        for split in SPLITS
    }


def _key(photos: list[str], image_size: tuple[int, int]) -> bytes:
    """Hash what the pixels are made from: the photos' hashes, the size, our code and the codecs that OpenCV holds."""
    code = hashlib.sha256(Path(preprocess.__file__).read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps([photos, image_size, code, cv2.getBuildInformation()]).encode()).digest()
