"""A file of the cache: written whole or not at all, checked when it is opened, deleted when room is short.

It is a .npy file, a row a photo, with a SHA-256 behind it, of the key that is in its name and of all before.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import math
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Fill = Callable[[Callable[[int, npt.NDArray[Any]], None]], None]  # gets what writes rows from one on

LIMIT_BYTES = 20 * 10**9  # above it, the files that were unused for longest go

_RESERVE_BYTES = 10**9  # left free on the disk: checkpoints come after the cache
_ABANDONED_SECONDS = 3600  # a half-written file that has not grown for so long has lost its writer
_CHUNK_BYTES = 1 << 20


class OpenFile:
    """A file that is open for reading for as long as anything refers to it.

    Attributes:
        path: Where it is.
        descriptor: The system's number of it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.descriptor = path, os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.descriptor)


@dataclass(frozen=True)
class Layout:
    """A cache's file as it has to be.

    Attributes:
        path: Where.
        shape: (photos, ...).
        dtype: Of the numbers, as .npy files name it.
        key: Hash of what the numbers are made from, and how.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str
    key: bytes

    @property
    def header(self) -> bytes:
        """What a .npy file of that shape starts with."""
        text = io.BytesIO()
        np.lib.format.write_array_header_1_0(text, {"descr": self.dtype, "fortran_order": False, "shape": self.shape})
        return text.getvalue()

    @property
    def row_bytes(self) -> int:
        """Length of a photo's row."""
        return math.prod(self.shape[1:]) * np.dtype(self.dtype).itemsize

    @property
    def content_bytes(self) -> int:
        """Length of header and rows, without the hash behind them."""
        return len(self.header) + self.shape[0] * self.row_bytes


def open_whole(layout: Layout) -> OpenFile | None:
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


def _digest(descriptor: int, layout: Layout) -> bytes:
    """Hash the name's hash and the content, so that a file under another's name is found out too."""
    digest = hashlib.sha256(layout.key)
    for place in range(0, layout.content_bytes, _CHUNK_BYTES):
        digest.update(os.pread(descriptor, min(_CHUNK_BYTES, layout.content_bytes - place), place))
    return digest.digest()


def make(layout: Layout, fill: Fill) -> None:
    """Write a cache's file under another name and give it its own when it is whole; leave nothing of it otherwise.

    Args:
        layout: What is written, and where.
        fill: Calls what it is given, in any order and from any thread, with the number of a row and the rows from there
            on, until all are written.

    Raises:
        OSError: If there is no room, or the folder can't be written to.
    """
    folder = layout.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    _make_room(folder, layout)
    descriptor, partial = tempfile.mkstemp(dir=folder, prefix=".partial-", suffix=".npy")
    try:
        os.posix_fallocate(descriptor, 0, layout.content_bytes)  # a full disk is found before an hour of decoding
        _write_all(descriptor, memoryview(layout.header), 0)

        def write(row: int, values: npt.NDArray[Any]) -> None:
            data = np.ascontiguousarray(values, layout.dtype).reshape(-1).view(np.uint8).data
            _write_all(descriptor, data, len(layout.header) + row * layout.row_bytes)

        fill(write)
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


def _make_room(folder: Path, layout: Layout) -> None:
    """Delete what writers left that were killed, and what was unused for longest; OSError where room is short still."""
    for partial in folder.glob(".partial-*.npy"):
        with contextlib.suppress(OSError):  # another process was quicker
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink()
    room = LIMIT_BYTES - layout.content_bytes
    kept = []
    for path in folder.glob("[!.]*-*.npy"):
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
