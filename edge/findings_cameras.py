"""Looks for cameras, and for why one isn't seen."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from edge.devices import CODECS, RECEIVERS
from edge.findings import Finding


def examine_cameras(root: Path = Path("/")) -> list[Finding]:
    """Return what was found about cameras below a root folder of the system."""
    findings, ribbon = [], False
    for folder in sorted((root / "sys/class/video4linux").glob("video*"), key=lambda path: (len(path.name), path.name)):
        name = _read(folder / "name")
        if name.startswith(CODECS):
            continue
        if name.startswith(RECEIVERS):
            ribbon = True
            continue
        if _read(folder / "index") not in ("", "0"):
            continue  # a camera's second device gives no pictures but data about them
        device = root / "dev" / folder.name
        if not device.exists():
            mend = "pass it on, as with docker run --device"
            findings.append(Finding("camera", "warning", f"{name}: /dev/{folder.name} is missing", mend))
        elif not os.access(device, os.R_OK | os.W_OK):
            mend = "run: sudo usermod -aG video $USER, then log in again"
            findings.append(Finding("camera", "error", f"{name}: no permission for /dev/{folder.name}", mend))
        else:
            findings.append(Finding("camera", "ok", f"{name}: --source {folder.name.removeprefix('video')}"))
    findings += _examine_ribbon() if ribbon else []
    if not findings:
        mend = "plug a USB camera in, or check a CSI camera's ribbon cable: rpicam-hello --list-cameras"
        findings.append(Finding("camera", "warning", "none seen", mend))
    return findings


def _examine_ribbon() -> list[Finding]:
    """Return what is to be said of a CSI camera's receiver, which is there with and without a camera."""
    if importlib.util.find_spec("picamera2") is not None:
        return [Finding("camera", "ok", "CSI port through picamera2: --source picamera2")]
    mend = "run: sudo apt install -y python3-picamera2, and make the venv with --system-site-packages"
    if shutil.which("rpicam-hello") is None and shutil.which("libcamera-hello") is None:
        mend = "run: sudo apt install -y rpicam-apps python3-picamera2, and make the venv with --system-site-packages"
    return [Finding("camera", "warning", "a CSI port, which OpenCV can't read; libcamera's picamera2 is missing", mend)]


def _read(path: Path) -> str:
    """Return a small file's text; empty where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
