"""What a consumer's program runs in: virtual environments and the browser's modules, kept in a cache folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.peers.environments import (
    MEDIAPIPE_LOCK,
    EnvironmentMissing,
    fingerprint,
    install_packages,
    is_made,
    mark_made,
    run,
)
from tests.tree import ROOT

CACHE = ROOT / ".venv-consumers"
_HERE = Path(__file__).parent
# Name of an environment: its lock, and the newest Python that the lock is built for. "development" is the one that
# runs us, "browser" the same with Chromium and npm's modules.
_LOCKS: dict[str, tuple[Path, tuple[int, int] | None]] = {
    "edge": (ROOT / "edge" / "requirements.lock", None),
    "edge-legacy": (ROOT / "edge" / "requirements-legacy.lock", (3, 11)),
    "mediapipe": (MEDIAPIPE_LOCK, None),
}
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_START_PLAYWRIGHT = "from playwright.sync_api import sync_playwright as start; start().start().stop()"


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
    return install_packages(lock, newest, cache / name), []


def _find_chromium() -> str:
    """Return the path of Chromium; Playwright, which steers it, starts too."""
    chromium = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if chromium is None:
        raise EnvironmentMissing("Chromium is not installed (Debian: apt install chromium)")
    run(
        [sys.executable, "-c", _START_PLAYWRIGHT], "Playwright's driver does not start (Debian: apt install libatomic1)"
    )
    return chromium


def _install_modules(folder: Path) -> Path:
    """Install the browser's modules by their lock; return node_modules. Their own install scripts don't run."""
    files = [_HERE / "package.json", _HERE / "package-lock.json"]
    modules = folder / "node_modules"
    made_of = fingerprint(files)
    if is_made(folder, made_of):
        return modules
    npm = shutil.which("npm")
    if npm is None:
        raise EnvironmentMissing("npm is not installed (Debian: apt install npm)")
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    line = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    run(line, "npm installs no modules")
    mark_made(folder, made_of)
    return modules
