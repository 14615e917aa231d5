"""The pixels of photos: decoded by the same road as on the device, each file checked by its hash."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from edge import preprocess
from edge.errors import UserError
from train.dataset import Manifest, Photo

Labels = npt.NDArray[np.int64]

_PORTION = 1024  # photos that wait in a pool's queue: a bound on memory, however many there are


class Images(Protocol):
    """Images (N, H, W, 3) uint8 RGB: a NumPy array, or one whose images are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, 3)."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, key: Any, /) -> npt.NDArray[np.uint8]:
        """Return one image, or those of a slice or of an array of indices."""


class LazyImages(ABC):
    """Images that are read when they are asked for, so that memory holds no more than what is looked at.

    An integer, a slice or an array of integers as index give what they give on a NumPy array, as a new array.

    Attributes:
        shape: (N, H, W, 3).
        dtype: uint8.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, count: int, image_size: tuple[int, int]) -> None:
        self.shape = (count, *image_size, 3)

    def __len__(self) -> int:
        return self.shape[0]

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> npt.NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | npt.NDArray[Any], /) -> npt.NDArray[np.uint8]: ...
    def __getitem__(self, key: Any, /) -> npt.NDArray[np.uint8]:
        indices = np.arange(len(self))[key]
        images = np.empty((*indices.shape, *self.shape[1:]), np.uint8)
        if indices.ndim == 0:
            self._read(int(indices), images)
        else:
            in_threads(lambda place: self._read(int(indices[place]), images[place]), len(indices))
        return images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or np.uint8, copy=False)

    @abstractmethod
    def _read(self, index: int, out: npt.NDArray[np.uint8]) -> None:
        """Write one image (H, W, 3) to `out`."""


class StreamedImages(LazyImages):
    """The images of one split, decoded from the photos' files each time they are asked for."""

    def __init__(self, manifest: Manifest, split: str, image_size: tuple[int, int]) -> None:
        self._manifest, self._photos = manifest, manifest.of(split)
        super().__init__(len(self._photos), image_size)

    def _read(self, index: int, out: npt.NDArray[np.uint8]) -> None:
        load_image(self._manifest, self._photos[index], out)


def load_images(
    manifest: Manifest, split: str, image_size: tuple[int, int], advance: Callable[[], None] = lambda: None
) -> tuple[npt.NDArray[np.uint8], Labels]:
    """Decode and resize the photos of one split into memory.

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

    def load(number: int) -> None:
        load_image(manifest, photos[number], images[number])
        advance()

    in_threads(load, len(photos))
    return images, label_indices(manifest, split)


def load_image(manifest: Manifest, photo: Photo, out: npt.NDArray[np.uint8]) -> None:
    """Decode a photo and write it, resized, to `out` (H, W, 3).

    Raises:
        UserError: If it is gone, or isn't the one that was locked into the manifest.
    """
    frame = preprocess.decode(read_photo(manifest, photo))
    preprocess.to_image(frame, (out.shape[0], out.shape[1]), out=out)


def label_indices(manifest: Manifest, split: str) -> Labels:
    """Return the index of the label of each photo of a split, (N,) int64, in the manifest's order."""
    indices = {label: index for index, label in enumerate(manifest.labels)}
    return np.array([indices[photo.label] for photo in manifest.of(split)], np.int64)


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Call `work` with 0 to `count` - 1, in as many threads as there are processors; raise what it raises first."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, count, _PORTION):
            for _ in pool.map(work, range(start, min(start + _PORTION, count))):
                pass


def read_photo(manifest: Manifest, photo: Photo) -> bytes:
    """Return a photo's bytes.

    Raises:
        UserError: If it is gone, or isn't the one that was locked into the manifest.
    """
    path = manifest.root / photo.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"Expected the photo {path}, could not read it: {error.strerror}; put it back") from error
    if hashlib.sha256(data).hexdigest() != photo.sha256:
        raise UserError(f"Expected {path} as it was when training began, it has changed since; train again")
    return data
