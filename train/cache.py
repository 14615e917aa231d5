"""Keeps decoded pixels on disk for all runs on the same photos: one file for a data set at one image size.

The file's name is a hash of the photos' hashes, the image size and the code that decodes. What it holds can't grow
stale, since a changed photo means another name; so a photo's file is read, and checked, when its pixels are made and
never again: what trains are the pixels of the bytes that the manifest locked, whatever became of the file since.

It is a .npy file (photos, H, W, 3) uint8, the photos sorted by hash, with a SHA-256 of all that behind it, which is
checked whenever the file is opened. It is read, not mapped: mapped pages count as the process's memory.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console

from edge import preprocess
from edge.errors import UserError
from train.dataset import SPLITS, Manifest
from train.pixels import Images, Labels, LazyImages, StreamedImages, in_threads, label_indices, load_image
from train.progress import counting

LIMIT_BYTES = 20 * 10**9  # above it, the files that were unused for longest go

_RESERVE_BYTES = 10**9  # left free on the disk: checkpoints come after the cache
_ABANDONED_SECONDS = 3600  # a half-written file that has not grown for so long has lost its writer
_CHUNK_BYTES = 1 << 20


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


class OpenFile:
    """A file that is open for reading for as long as anything refers to it.

    Attributes:
        path: Where it is.
        descriptor: The system's number of it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.descriptor = path, os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.descriptor)


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


@dataclass(frozen=True)
class _Layout:
    """A cache's file as it has to be.

    Attributes:
        path: Where.
        shape: (photos, height, width, 3).
        key: Hash of what the pixels are made from, and how.
    """

    path: Path
    shape: tuple[int, int, int, int]
    key: bytes

    @property
    def header(self) -> bytes:
        """What a .npy file of that shape starts with."""
        text = io.BytesIO()
        np.lib.format.write_array_header_1_0(text, {"descr": "|u1", "fortran_order": False, "shape": self.shape})
        return text.getvalue()

    @property
    def content_bytes(self) -> int:
        """Length of header and pixels, without the hash behind them."""
        return len(self.header) + int(np.prod(self.shape))


def _open_or_make(
    manifest: Manifest, image_size: tuple[int, int], folder: Path, console: Console
) -> dict[str, StoredImages]:
    """Open the cache's file, made anew where it is missing or damaged; OSError where that can't be done."""
    photos = {photo.sha256: photo for photo in manifest.files}
    order = sorted(photos)
    key = _key(order, image_size)
    name = f"{image_size[0]}x{image_size[1]}-{key.hex()}.npy"
    layout = _Layout(folder / name, (len(order), *image_size, 3), key)
    file = _open_whole(layout)
    if file is None:
        if layout.path.exists():
            console.print(f"{layout.path} is damaged and is made anew")
        with counting(console, "decoding photos", len(order)) as advance:

            def load(row: int, out: npt.NDArray[np.uint8]) -> None:
                load_image(manifest, photos[order[row]], out)
                advance()

            _make(layout, load)
        file = _open_whole(layout)
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


def _open_whole(layout: _Layout) -> OpenFile | None:
    """Open a cache's file and note that it was used; None where there is none, or it isn't what it has to be."""
    try:
        file = OpenFile(layout.path)
    except FileNotFoundError:
        return None
    digest_bytes = hashlib.sha256().digest_size
    if (
        os.fstat(file.descriptor).st_size != layout.content_bytes + digest_bytes
        or os.pread(file.descriptor, len(layout.header), 0) != layout.header
        or os.pread(file.descriptor, digest_bytes, layout.content_bytes) != _digest(file.descriptor, layout)
    ):
        return None
    with contextlib.suppress(OSError):  # another user's, who lets us read it
        os.utime(layout.path)
    return file


def _digest(descriptor: int, layout: _Layout) -> bytes:
    """Hash the name's hash and the content, so that a file under another's name is found out too."""
    digest = hashlib.sha256(layout.key)
    for place in range(0, layout.content_bytes, _CHUNK_BYTES):
        digest.update(os.pread(descriptor, min(_CHUNK_BYTES, layout.content_bytes - place), place))
    return digest.digest()


def _make(layout: _Layout, load: Callable[[int, npt.NDArray[np.uint8]], None]) -> None:
    """Write a cache's file under another name and give it its own when it is whole; leave nothing of it otherwise."""
    folder = layout.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    _make_room(folder, layout)
    descriptor, partial = tempfile.mkstemp(dir=folder, prefix=".partial-", suffix=".npy")
    try:
        os.posix_fallocate(descriptor, 0, layout.content_bytes)  # a full disk is found before an hour of decoding
        _write_all(descriptor, memoryview(layout.header), 0)

        def write(row: int) -> None:
            image = np.empty(layout.shape[1:], np.uint8)
            load(row, image)
            _write_all(descriptor, image.data.cast("B"), len(layout.header) + row * image.nbytes)

        in_threads(write, layout.shape[0])
        _write_all(descriptor, memoryview(_digest(descriptor, layout)), layout.content_bytes)
        os.fchmod(descriptor, 0o666 & ~_umask())  # mkstemp made it private
        os.fsync(descriptor)
        os.replace(partial, layout.path)  # noqa: PTH105 - two that make it at once: the same bytes, either may win
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Return the rights that the user withholds from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_all(descriptor: int, data: memoryview, place: int) -> None:
    """Write all of `data` at `place`; a full disk may take a part of it first and only then complain."""
    while data:
        written = os.pwrite(descriptor, data, place)
        data, place = data[written:], place + written


def _make_room(folder: Path, layout: _Layout) -> None:
    """Delete what writers left that were killed, and what was unused for longest; OSError where room is short still."""
    for partial in folder.glob(".partial-*.npy"):
        with contextlib.suppress(OSError):  # another process was quicker
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink()
    room = LIMIT_BYTES - layout.content_bytes
    kept = []
    for path in folder.glob("*x*-*.npy"):
        with contextlib.suppress(OSError):
            status = path.stat()
            kept.append((status.st_mtime, status.st_size, path))
    for _used, size, path in sorted(kept, reverse=True):
        room -= size
        if room < 0:
            with contextlib.suppress(OSError):
                path.unlink()  # who reads it keeps it until done
    free = shutil.disk_usage(folder).free
    if free < layout.content_bytes + _RESERVE_BYTES:
        needed = (layout.content_bytes + _RESERVE_BYTES) / 1e6
        raise OSError(errno.ENOSPC, f"{needed:,.0f} MB are needed, {free / 1e6:,.0f} MB are free")
