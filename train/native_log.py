"""Keeps what TensorFlow's C++ prints on stderr off the screen: into a file, where it can be looked up."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def to_file(path: Path) -> Iterator[None]:
    """Send what native code writes to file descriptor 2 into a file; Python's `sys.stderr` still reaches the screen.

    TensorFlow 2.21 logs before it reads TF_CPP_MIN_LOG_LEVEL, and its converter prints without asking.

    Args:
        path: The log, begun anew.
    """
    screen = os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    python_stderr = sys.stderr
    try:
        python_stderr.flush()
        os.dup2(log, 2)
        if _writes_to_descriptor_2(python_stderr):
            sys.stderr = open(screen, "w", buffering=1, closefd=False, encoding="utf-8")  # noqa: SIM115
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = python_stderr
        os.dup2(screen, 2)
        os.close(screen)
        os.close(log)


def _writes_to_descriptor_2(stream: object) -> bool:
    """Tell a real stderr from one that a test or a notebook put in its place."""
    try:
        return stream.fileno() == 2  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
