"""Fills the arm64 system: the locks' own wheels, fetched by this machine's pip, installed by the system's."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edge.errors import UserError
from tests.pi.boards import Board
from tests.pi.machine import remove_tree
from tests.pi.system import Suite, System, last_words
from tests.tree import ROOT, build_wheel

EDGE_LOCK, LOCK = ROOT / "edge" / "requirements.lock", ROOT / "requirements.lock"
# What .onnx files and the tests of edge/ need beyond edge/requirements.lock; with all that these need.
_TESTED_WITH = ("hypothesis", "jinja2", "onnx", "onnxruntime", "paho-mqtt", "pillow", "pytest", "scipy")
_OLDEST_GLIBC = 17  # of manylinux2014
_BLOCK = 4096  # bytes that a file takes in whole numbers of, on a card's file system


def install(system: System, board: Board, suite: Suite) -> None:
    """Make the environments `device` (base and extra edge) and `tests` (with onnxruntime, pytest and the like).

    Raises:
        UserError: If a wheel is missing for arm64 or doesn't install.
    """
    target = target_environment(suite)
    edge = EDGE_LOCK.read_text(encoding="utf-8")
    more = pick(LOCK.read_text(encoding="utf-8"), needed_by(_TESTED_WITH, target))
    for name, locks in (("device", [edge]), ("tests", [edge, more])):
        _install_locked(system, board, suite, name, locks)
    ours = system.root / "srv" / "ours"
    remove_tree(ours)
    ours.mkdir()
    wheel = build_wheel(ours)
    for name in ("device", "tests"):
        pip = [f"/srv/{name}/bin/python", "-m", "pip"]
        system.call(board, [*pip, "uninstall", "--quiet", "--yes", "tinysight"])
        system.call(
            board, [*pip, "install", "--quiet", "--no-index", f"tinysight[edge] @ file:///srv/ours/{wheel.name}"]
        )


def _install_locked(system: System, board: Board, suite: Suite, name: str, locks: list[str]) -> None:
    """Make one environment by hash, unless it's there."""
    folder, stamp = system.root / "srv" / name, system.root / "srv" / f"{name}.sha256"
    wanted = hashlib.sha256("\0".join(locks).encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    stamp.unlink(missing_ok=True)
    remove_tree(folder)
    print(f"installing the environment `{name}` for arm64, once a lock", file=sys.stderr)
    flags = []
    for number, lock in enumerate(locks):
        fetched = system.root / "srv" / f"{name}-{number}.fetched"
        fetched.write_text(pick(lock, None, target_environment(suite)), encoding="utf-8")
        _download(fetched, suite, system.root / "srv" / "wheels")
        (system.root / "srv" / f"{name}-{number}.lock").write_text(lock, encoding="utf-8")
        flags += ["-r", f"/srv/{name}-{number}.lock"]
    system.call(board, ["python3", "-m", "venv", f"/srv/{name}"])
    offline = ["--quiet", "--no-index", "--find-links", "/srv/wheels", "--require-hashes"]
    system.call(board, [f"/srv/{name}/bin/python", "-m", "pip", "install", *offline, *flags])
    stamp.write_text(wanted, encoding="ascii")


def target_environment(suite: Suite) -> dict[str, str]:
    """Return what a requirement's marker is asked about, as the Python of a suite on arm64 would answer."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{suite.python}.0",
        "os_name": "posix",
        "platform_machine": "aarch64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{suite.python}.0",
        "python_version": suite.python,
        "sys_platform": "linux",
    }


def pick(lock: str, names: Iterable[str] | None, target: Mapping[str, str] | None = None) -> str:
    """Return some entries of a lock.

    Args:
        lock: Its text.
        names: The packages; None for all.
        target: Where to install. Entries for other places are left out, and the markers of the rest, which pip would
            ask about the Python that it runs in; None to leave markers as they are.

    Raises:
        UserError: If the lock lacks one of the packages.
    """
    chosen, found = None if names is None else {canonicalize_name(name) for name in names}, set()
    entries = []
    for entry in re.split(r"\n(?=\w)", lock.strip()):
        line, _, hashes = entry.partition("\\")
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        found.add(name)
        if chosen is not None and name not in chosen:
            continue
        if target is None:
            entries.append(entry)
        elif requirement.marker is None or requirement.marker.evaluate({**target}):
            entries.append(f"{requirement.name}{requirement.specifier} \\{hashes}")
    missing = set() if chosen is None else chosen - found
    if missing:
        raise UserError(f"Expected {', '.join(sorted(missing))} in {LOCK.name}; make it anew: make lock")
    return "".join(f"{entry}\n" for entry in entries)


def needed_by(names: Iterable[str], target: Mapping[str, str]) -> set[str]:
    """Return packages and all that they need on a target, by the word of those that are installed here."""
    needed: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        try:
            requirements = [Requirement(text) for text in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue  # needed on other machines than this one
        for requirement in requirements:
            if requirement.marker is None or requirement.marker.evaluate({**target, "extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return needed


def download_line(lock: Path, suite: Suite, folder: Path) -> list[str]:
    """Return the command that fetches a lock's wheels for arm64; where from is left to pip's own settings."""
    tag = f"cp{suite.python.replace('.', '')}"
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(suite.glibc, _OLDEST_GLIBC - 1, -1)]
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    line += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", suite.python]
    for abi in (tag, "abi3", "none"):
        line += ["--abi", abi]
    for platform in (*platforms, "manylinux2014_aarch64"):
        line += ["--platform", platform]
    return [*line, "--dest", str(folder), "--requirement", str(lock)]


def _download(lock: Path, suite: Suite, folder: Path) -> None:
    """Fetch a lock's wheels; UserError where pip can't."""
    line = download_line(lock, suite, folder)
    done = subprocess.run(line, env={**os.environ}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"Could not fetch the wheels for arm64: {last_words(done.stderr)}")


def card_bytes(folder: Path) -> int:
    """Return what a folder's files take on a card, each rounded up to whole blocks of 4,096 bytes."""
    files = (path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(-(-size // _BLOCK) * _BLOCK for size in files)
