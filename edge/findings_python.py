"""Looks at Python and its packages, without importing any that could be broken."""

from __future__ import annotations

import importlib.util
import platform
import struct
import sys
import sysconfig
from importlib import metadata

from edge.extras import install_line
from edge.findings import Finding

_OPENCVS = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
_JPEG_FAULT = ("4.10", "4.11")  # a broken JPEG was filled with the picture before it: opencv#26488
_OLDEST, _NEWEST = (3, 10), (3, 13)


def examine_python() -> list[Finding]:
    """Return what was found about Python, NumPy, the runtimes and OpenCV."""
    installed = {name: _version(name) for name in ("numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime")}
    opencvs = {name: version for name in _OPENCVS if (version := _version(name))}
    return [
        judge_python(sys.version_info[:2], struct.calcsize("P") * 8),
        judge_numpy(installed["numpy"]),
        *judge_runtimes(installed, sys.version_info[:2]),
        *judge_opencv(opencvs, _version("numpy"), has_cv2=importlib.util.find_spec("cv2") is not None),
    ]


def judge_python(version: tuple[int, int], bits: int) -> Finding:
    """Judge Python's version and the width of its pointers."""
    tag = f"cp{version[0]}{version[1]}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    found = f"Python {version[0]}.{version[1]}, {bits}-bit, {platform.machine()}, wheels {tag}"
    if bits < 64:
        # A 64-bit kernel under a 32-bit system is the Pi's trap.
        return Finding("python", "error", found, "no runtime has 32-bit wheels; install the 64-bit Raspberry Pi OS")
    if not _OLDEST <= version <= _NEWEST:
        return Finding("python", "error", found, "Python 3.10 to 3.13 is needed; make a venv with one of them")
    return Finding("python", "ok", found)


def judge_numpy(version: str) -> Finding:
    """Judge NumPy."""
    if not version:
        return Finding("numpy", "error", "not installed", f"run: {sys.executable} -m pip install numpy")
    return Finding("numpy", "ok", f"NumPy {version}")


def judge_runtimes(installed: dict[str, str], python: tuple[int, int]) -> list[Finding]:
    """Judge the runtimes and whether they go with NumPy.

    Args:
        installed: Versions by distribution; empty where it isn't installed.
        python: Python's version.
    """
    findings = []
    litert, legacy, onnx = (installed.get(name, "") for name in ("ai-edge-litert", "tflite-runtime", "onnxruntime"))
    numpy_2 = installed.get("numpy", "").partition(".")[0] not in ("", "0", "1")
    advice = f"run: {install_line('ai_edge_litert')}"
    if litert:
        findings.append(Finding("runtime", "ok", f"ai-edge-litert {litert} runs .tflite files"))
    if legacy and numpy_2:
        state = "warning" if litert else "error"
        found = f"tflite-runtime {legacy} dies under NumPy {installed['numpy']}"
        mend = f"run: {sys.executable} -m pip uninstall -y tflite-runtime" if litert else advice
        findings.append(Finding("runtime", state, found, mend))  # type: ignore[arg-type]
    elif legacy:
        findings.append(Finding("runtime", "ok", f"tflite-runtime {legacy} runs .tflite files"))
    if not (litert or legacy):
        found = f"no runtime for .tflite files on Python {python[0]}.{python[1]}"
        findings.append(Finding("runtime", "warning" if onnx else "error", found, advice))
    if onnx:
        findings.append(Finding("runtime", "ok", f"onnxruntime {onnx} runs .onnx files"))
    return findings


def judge_opencv(opencvs: dict[str, str], numpy: str, *, has_cv2: bool) -> list[Finding]:
    """Judge OpenCV's builds and whether one goes with NumPy.

    Args:
        opencvs: Versions by distribution, of those that are installed.
        numpy: NumPy's version; empty without it.
        has_cv2: Whether there is a cv2 at all, as from Debian's package.
    """
    advice = f"run: {install_line('cv2')}"
    if not opencvs:
        if has_cv2:
            return [Finding("opencv", "ok", "a cv2 that pip doesn't know, such as Debian's python3-opencv")]
        return [Finding("opencv", "error", "not installed", advice)]
    if len(opencvs) > 1:
        names = " ".join(opencvs)
        mend = f"run: {sys.executable} -m pip uninstall -y {names}, then {advice.removeprefix('run: ')}"
        return [Finding("opencv", "error", f"{' and '.join(opencvs)} overwrite one another", mend)]
    ((name, version),) = opencvs.items()
    windows = "without windows (no --show)" if name.endswith("headless") else "with windows"
    found = f"{name} {version}, {windows}"
    if version.startswith(tuple(f"{fault}." for fault in _JPEG_FAULT)):
        return [Finding("opencv", "warning", f"{found}; it fills a broken JPEG with the picture before", advice)]
    major, minor = (int(part) for part in version.split(".")[:2])
    if numpy and (major, minor) < (4, 10) and int(numpy.partition(".")[0]) >= 2:
        return [Finding("opencv", "error", f"{found} is built for NumPy 1, here is {numpy}", advice)]
    if (major, minor) < (4, 12) and numpy and int(numpy.partition(".")[0]) >= 2:
        return [Finding("opencv", "warning", f"{found}; older than 4.12, which mends CVE-2025-53644", advice)]
    return [Finding("opencv", "ok", found)]


def _version(distribution: str) -> str:
    """Return an installed distribution's version; empty where it isn't installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
