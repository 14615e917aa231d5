"""Makes the virtual environments that other people's runtimes are tried in, kept in a cache folder.

Everything is installed by hash, from a lock of the project. An environment is made anew when its lock changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

MEDIAPIPE_LOCK = Path(__file__).parent / "mediapipe.lock"
ULTRALYTICS_LOCK = Path(__file__).parent / "ultralytics.lock"


class EnvironmentMissing(Exception):
    """An environment can't be made on this machine; the text says why."""


def install_packages(lock: Path, newest: tuple[int, int] | None, folder: Path) -> str:
    """Install a lock into a virtual environment of its own, where that isn't done yet.

    Args:
        lock: Pinned and hashed requirements.
        newest: The newest Python that the lock is built for; None for any.
        folder: Where the environment lies.

    Returns:
        The environment's Python.

    Raises:
        EnvironmentMissing: If there is no such Python, no uv, or the installation fails.
    """
    if not lock.is_file():
        raise EnvironmentMissing(f"{lock.name} is not here: it comes with the project's source, not with its wheel")
    python = find_python(newest)
    if python is None:
        raise EnvironmentMissing("needs Python 3.10 or 3.11, found none on PATH")
    made_of = fingerprint([lock]) + python
    if not is_made(folder, made_of):
        uv = [sys.executable, "-m", "uv"]
        run([*uv, "venv", "--quiet", "--clear", "--python", python, str(folder)], "uv makes no environment")
        install = [*uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "--require-hashes"]
        run([*install, "--requirement", str(lock)], f"uv can't install {lock.name}")
        mark_made(folder, made_of)
    return str(folder / "bin" / "python")


def find_python(newest: tuple[int, int] | None) -> str | None:
    """Return a Python no newer than `newest`: this one where it will do, else one on PATH."""
    if newest is None or sys.version_info[:2] <= newest:
        return sys.executable
    for name in ("python3.11", "python3.10"):
        path = shutil.which(name)
        # A shim of a version manager may be on PATH without a Python behind it.
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def fingerprint(files: Sequence[Path]) -> str:
    """Return a hash of what an environment is made from."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def is_made(folder: Path, made_of: str) -> bool:
    """Tell whether an environment was made to its end from just this."""
    mark = folder / ".made-of"
    return mark.is_file() and mark.read_text(encoding="utf-8") == made_of


def mark_made(folder: Path, made_of: str) -> None:
    """Note that an environment is whole."""
    (folder / ".made-of").write_text(made_of, encoding="utf-8")


def run(line: Sequence[str], failed: str) -> None:
    """Run a command that makes a part of an environment, far from our pyproject.toml, which uv would read.

    Raises:
        EnvironmentMissing: If it fails; the text is `failed` and the end of what the command said.
    """
    elsewhere = tempfile.gettempdir()
    done = subprocess.run(line, cwd=elsewhere, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(part.strip() for part in done.stderr.split("\n") if part.strip()) or "no reason given"
        raise EnvironmentMissing(f"{failed}: {reason[-300:]}")


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would lead another Python to our packages."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "UV_PYTHON_DOWNLOADS": "never"}
