"""What a device has to have installed before a model runs there: the packages and their bytes, as they lie here."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Any

import edge

_OPENCVS = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")


def installed_footprint(runtime: str) -> dict[str, Any]:
    """Return what is installed for a runtime, with all that it asks for itself.

    Args:
        runtime: Its distribution, such as "ai-edge-litert".

    Returns:
        "packages" (distribution -> {"version", "bytes"}, the largest first; "bytes" is None where the package came
        without a list of its files, as a system's packages do) and "total_bytes", None where one of them is.
    """
    opencv = next((name for name in _OPENCVS if _distribution(name)), None)
    packages: dict[str, dict[str, Any]] = {
        name: {"version": found.version, "bytes": _size(found)}
        for name in sorted(_with_requirements([runtime, "numpy", *([opencv] if opencv else [])]))
        if (found := _distribution(name))
    }
    if opencv is None:
        packages["opencv"] = {"version": _opencv_version(), "bytes": None}
    packages["edge"] = {"version": edge.__version__, "bytes": _own_size()}
    packages = dict(sorted(packages.items(), key=lambda item: -(item[1]["bytes"] or 0)))
    sizes = [package["bytes"] for package in packages.values()]
    return {"packages": packages, "total_bytes": None if None in sizes else sum(sizes)}


def _with_requirements(names: list[str]) -> set[str]:
    """Return distributions with all that they ask for, as far as it is installed; extras are nobody's need."""
    found: set[str] = set()
    waiting = [*names]
    while waiting:
        name = _canonical(waiting.pop())
        distribution = _distribution(name)
        if name in found or distribution is None:
            continue
        found.add(name)
        for requirement in distribution.requires or []:
            wanted, _, marker = requirement.partition(";")
            if "extra" not in marker:
                # A marker for another Python or system rules out what isn't installed here anyway.
                waiting.append(re.split(r"[^\w.-]", wanted.strip(), maxsplit=1)[0])
    return found


def _distribution(name: str) -> metadata.Distribution | None:
    """Return an installed distribution; None for one that isn't."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _size(distribution: metadata.Distribution) -> int | None:
    """Return the bytes on disk of a distribution's files by its RECORD; None where it has none."""
    files = distribution.files
    if files is None:
        return None
    paths = {Path(str(distribution.locate_file(file))) for file in files}
    return sum(path.stat().st_size for path in paths if path.is_file())


def _own_size() -> int:
    """Return the bytes of the folder edge, which is what is copied to a device; without what Python caches in it."""
    files = Path(edge.__file__).parent.rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file() and path.suffix != ".pyc")


def _opencv_version() -> str:
    """Return OpenCV's version by its own word: a system's package has no distribution."""
    import cv2

    return str(cv2.__version__)


def _canonical(name: str) -> str:
    """Return a distribution's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()
