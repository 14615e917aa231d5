"""Makes what a consumer's program runs in: virtual environments and the browser's modules, kept in a cache folder.

Everything is installed by hash, from a lock of the project. An environment is made anew when its lock changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.check_extras import find_python
from tests.tree import ROOT

CACHE = ROOT / ".venv-consumers"
_HERE = Path(__file__).parent
# Name of an environment: its lock, and the newest Python that the lock is built for. "development" is the one that
# runs us, "browser" the same with Chromium and npm's modules.
_LOCKS: dict[str, tuple[Path, tuple[int, int] | None]] = {
    "edge": (ROOT / "edge" / "requirements.lock", None),
    "edge-legacy": (ROOT / "edge" / "requirements-legacy.lock", (3, 11)),
    "mediapipe": (_HERE / "mediapipe.lock", None),
}
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_START_PLAYWRIGHT = "from playwright.sync_api import sync_playwright as start; start().start().stop()"


class EnvironmentMissing(Exception):
    """An environment can't be made on this machine; the text says why."""


def prepare(name: str, cache: Path = CACHE) -> tuple[str, list[str]]:
    """Make an environment where it isn't there yet.

    Args:
        name: "development", "browser" or a name of `_LOCKS`.
        cache: Folder to keep them in.

    Returns:
        The Python that runs the program, and what the program gets behind its own arguments.

    Raises:
        EnvironmentMissing: If a tool is missing or an installation fails.
    """
    if name == "development":
        return sys.executable, []
    if name == "browser":
        chromium = _find_chromium()
        return sys.executable, [str(_install_modules(cache / "npm")), chromium]
    lock, newest = _LOCKS[name]
    return _install_packages(lock, newest, cache / name), []


def _find_chromium() -> str:
    """Return the path of Chromium; Playwright, which steers it, starts too."""
    chromium = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if chromium is None:
        raise EnvironmentMissing("Chromium is not installed (Debian: apt install chromium)")
    _run(
        [sys.executable, "-c", _START_PLAYWRIGHT], "Playwright's driver does not start (Debian: apt install libatomic1)"
    )
    return chromium


def _install_modules(folder: Path) -> Path:
    """Install the browser's modules by their lock; return node_modules. Their own install scripts don't run."""
    files = [_HERE / "package.json", _HERE / "package-lock.json"]
    modules = folder / "node_modules"
    made_of = _fingerprint(files)
    if _is_made(folder, made_of):
        return modules
    npm = shutil.which("npm")
    if npm is None:
        raise EnvironmentMissing("npm is not installed (Debian: apt install npm)")
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    line = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    _run(line, "npm installs no modules")
    _mark_made(folder, made_of)
    return modules


def _install_packages(lock: Path, newest: tuple[int, int] | None, folder: Path) -> str:
    """Install a lock into a virtual environment of its own; return its Python."""
    python = find_python(newest)
    if python is None:
        raise EnvironmentMissing("needs Python 3.10 or 3.11, found none on PATH")
    made_of = _fingerprint([lock]) + python
    if not _is_made(folder, made_of):
        uv = [sys.executable, "-m", "uv"]
        _run([*uv, "venv", "--quiet", "--clear", "--python", python, str(folder)], "uv makes no environment")
        install = [*uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "--require-hashes"]
        _run([*install, "--requirement", str(lock)], f"uv can't install {lock.name}")
        _mark_made(folder, made_of)
    return str(folder / "bin" / "python")


def _fingerprint(files: list[Path]) -> str:
    """Return a hash of what an environment is made from."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _is_made(folder: Path, made_of: str) -> bool:
    """Tell whether an environment was made to its end from just this."""
    mark = folder / ".made-of"
    return mark.is_file() and mark.read_text(encoding="utf-8") == made_of


def _mark_made(folder: Path, made_of: str) -> None:
    """Note that an environment is whole."""
    (folder / ".made-of").write_text(made_of, encoding="utf-8")


def _run(line: list[str], failed: str) -> None:
    """Run a command that makes a part of an environment, far from our pyproject.toml, which uv would read."""
    elsewhere = tempfile.gettempdir()
    done = subprocess.run(line, cwd=elsewhere, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(part.strip() for part in done.stderr.split("\n") if part.strip()) or "no reason given"
        raise EnvironmentMissing(f"{failed}: {reason[-300:]}")


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would lead another Python to our packages."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "UV_PYTHON_DOWNLOADS": "never"}
