"""Answers as lines on stdout or in a file, which may rotate so that it never fills a disk."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.answers import Answer
from edge.errors import UserError


@contextlib.contextmanager
def open_lines(jsonl: Path | None, max_bytes: int | None = None, keep: int = 3) -> Iterator[Callable[[Answer], None]]:
    """Give what writes an answer to where the user wants it, each line at once.

    Args:
        jsonl: File to append JSON lines to, "-" for JSON on stdout, None for lines to read on stdout.
        max_bytes: Size at which the file becomes FILE.1 and a new one is begun; None for a file without end.
        keep: How many such older files stay, at least 1.

    Raises:
        UserError: If the file can't be opened; later, what is written raises OSError.
    """
    if jsonl is None:
        yield lambda answer: print(answer.to_text(), flush=True)
    elif str(jsonl) == "-":
        yield lambda answer: print(answer.to_json(), flush=True)
    else:
        is_new = not jsonl.exists()
        try:
            file = LineFile(jsonl, max_bytes, keep)
        except OSError as error:
            reason = "nobody reads it" if error.errno == errno.ENXIO else error.strerror
            raise UserError(f"Expected to write answers to {jsonl}: {reason}; name another --jsonl") from error
        try:
            yield lambda answer: file.write(answer.to_json().encode() + b"\n")
        except UserError:
            if is_new and file.is_untouched:  # a start that failed leaves nothing behind
                jsonl.unlink(missing_ok=True)
            raise
        finally:
            file.close()


class LineFile:
    """A file that lines are appended to, whole or not at all."""

    def __init__(self, path: Path, max_bytes: int | None, keep: int) -> None:
        """Open it; OSError where that fails."""
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._descriptor: int | None = None
        self._open()
        self.is_untouched = self._size == 0

    def write(self, line: bytes) -> None:
        """Append a line; OSError where that fails, and then nothing of it stays."""
        if self._descriptor is None:
            self._open()
        if self._max_bytes is not None and self._is_regular and self._size and self._size + len(line) > self._max_bytes:
            self._rotate()
        self._append(line)
        self.is_untouched = False

    def close(self) -> None:
        """Close the file; a failure to do so loses nothing that was written."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _append(self, line: bytes) -> None:
        """Write a line at once, without a buffer: nothing is left to fail later."""
        if self._descriptor is None:
            raise OSError("the file is closed")
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):  # a disk that filled up within the line; the second write says so
                os.write(self._descriptor, line[written:])
        except BlockingIOError:  # a pipe whose reader is slow; closing it would be the end to the reader
            raise
        except OSError:
            with contextlib.suppress(OSError):  # /dev/full and pipes can't be cut
                os.ftruncate(self._descriptor, self._size)
            self.close()  # opened anew for the next line, as the disk may have been unmounted
            raise
        self._size += len(line)

    def _open(self) -> None:
        """Open the file for appending."""
        # Without waiting: a named pipe whose reader left or sleeps would stop the loop. Files know no difference.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(self._path, flags, 0o666)
        status = os.fstat(self._descriptor)
        self._size, self._is_regular = status.st_size, stat.S_ISREG(status.st_mode)  # a device is never renamed

    def _rotate(self) -> None:
        """Make FILE.1 of FILE, FILE.2 of FILE.1, and let the last go."""
        self.close()
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._older(number).replace(self._older(number + 1))
        self._path.replace(self._older(1))
        self._open()

    def _older(self, number: int) -> Path:
        """Return the path of an older file."""
        return self._path.with_name(f"{self._path.name}.{number}")
