"""Checkpoints that a kill, a power cut, a full disk or a damaged file can't take away.

Each is a file of its own, named after its number and the SHA-256 of its content, written under another name, synced,
renamed, its folder synced. The two newest stay: where the newest is damaged, the one before it serves.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Arrays = list[npt.NDArray[Any]]

_GENERATIONS = 2
_NAME = re.compile(r"(\d{8})-([0-9a-f]{64})\.npz")
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Checkpoint:
    """What training goes on from.

    Attributes:
        state: Anything that JSON takes; numbers come back to the bit.
        arrays: Lists of arrays by name.
    """

    state: Mapping[str, Any]
    arrays: Mapping[str, Sequence[npt.NDArray[Any]]]

    def to_bytes(self, run_hash: str = "") -> bytes:
        """Return it as an .npz file's bytes, marked as one of the run of that hash."""
        file = io.BytesIO()
        self.write_to(file, run_hash)
        return file.getvalue()

    def write_to(self, file: IO[bytes], run_hash: str) -> None:
        """Write it as an .npz file, marked as one of the run of that hash."""
        named = {f"{name}/{i}": array for name, arrays in self.arrays.items() for i, array in enumerate(arrays)}
        counts = {name: len(arrays) for name, arrays in self.arrays.items()}
        head = json.dumps({"run": run_hash, "state": self.state, "arrays": counts}).encode()
        np.savez(file, head=np.frombuffer(head, np.uint8), **named)

    @classmethod
    def from_bytes(cls, data: bytes, run_hash: str = "") -> Checkpoint:
        """Return what `to_bytes` was asked of.

        Raises:
            ValueError: If it is of another run.
        """
        return cls.read_from(io.BytesIO(data), run_hash)

    @classmethod
    def read_from(cls, file: IO[bytes] | Path, run_hash: str) -> Checkpoint:
        """Read what `write_to` wrote; see `from_bytes`."""
        with np.load(file, allow_pickle=False) as content:
            head = json.loads(content["head"].tobytes())
            if head["run"] != run_hash:
                raise ValueError("it is of other settings or other photos")
            arrays = {name: [content[f"{name}/{i}"] for i in range(count)] for name, count in head["arrays"].items()}
        return cls(head["state"], arrays)


class Checkpoints:
    """The checkpoints of one training.

    Attributes:
        folder: Where they lie; made by the first `write`.
        every: Seconds after which the next one is due.
    """

    def __init__(self, folder: Path, run_hash: str, every: float = 60.0) -> None:
        """Name the folder, and `run_hash`: what a checkpoint's run must be equal in for it to be taken up."""
        self.folder, self.every = folder, every
        self._run_hash = run_hash
        self._written = time.monotonic()

    def due(self) -> bool:
        """Tell whether the last one is so old that the next should be written."""
        return time.monotonic() - self._written >= self.every

    def read(self) -> tuple[Checkpoint | None, list[str]]:
        """Read the newest whole checkpoint of this run; clear away what a kill left half written.

        Returns:
            The checkpoint or None, and a line for each newer one that won't do.
        """
        for partial in self.folder.glob(f"{_PARTIAL}*"):
            partial.unlink()
        notes = []
        for path in reversed(self._files()):
            try:
                return _read(path, self._run_hash), notes
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                notes.append(f"the checkpoint {path.name[:8]} can't be used ({error}); looking for the one before it")
        return None, notes

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove all but the two newest.

        Raises:
            OSError: If it can't be written; those before it stay, nothing half written does.
        """
        self._written = time.monotonic()
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True)
            _sync_folder(self.folder.parent)
        files = self._files()
        number = int(files[-1].name[:8]) + 1 if files else 1
        with _partial_file(self.folder) as path:
            digest = _write(path, checkpoint, self._run_hash)
            path.rename(self.folder / f"{number:08}-{digest}.npz")
        _sync_folder(self.folder)
        for old in self._files()[:-_GENERATIONS]:
            old.unlink()

    def _files(self) -> list[Path]:
        """Return the checkpoints' files, oldest first."""
        return sorted(path for path in self.folder.glob("*.npz") if _NAME.fullmatch(path.name))


@contextlib.contextmanager
def _partial_file(folder: Path) -> Iterator[Path]:
    """Give an empty file under a passing name; it is removed where the block fails."""
    descriptor, name = tempfile.mkstemp(prefix=_PARTIAL, dir=folder)
    os.close(descriptor)
    path = Path(name)
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(path: Path, checkpoint: Checkpoint, run_hash: str) -> str:
    """Write a checkpoint's bytes, down to the disk; return their SHA-256."""
    with path.open("r+b") as file:
        checkpoint.write_to(file, run_hash)
        file.flush()
        os.fsync(file.fileno())
    return _sha256(path)


def _read(path: Path, run_hash: str) -> Checkpoint:
    """Read a checkpoint whose bytes have the hash that its name says."""
    if not path.name.endswith(f"-{_sha256(path)}.npz"):
        raise ValueError("its content is damaged")
    return Checkpoint.read_from(path, run_hash)


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Bring a folder's names down to the disk: a rename alone may be forgotten when the power goes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
