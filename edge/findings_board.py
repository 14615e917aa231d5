"""Looks at memory, clock, heat and power."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from edge.findings import Finding

_NEEDED_MIB = 200  # Python, OpenCV, a runtime and an int8 MobileNetV2 need 90
_HOT_C = 80  # where a Raspberry Pi begins to slow down
# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
_NOW = {0: "under-voltage", 1: "clock capped", 2: "slowed down", 3: "soft limit of temperature reached"}
_POWER = "use the power supply that is made for this board, and a short cable"
_HEAT = "give it a heat sink or a fan, or answer less often"


def examine_board(root: Path = Path("/"), vcgencmd: Callable[[], str] | None = None) -> list[Finding]:
    """Return what was found about the board.

    Args:
        root: Root folder of the system.
        vcgencmd: Returns what `vcgencmd get_throttled` prints; OSError where there is none.
    """
    model = _read(root / "proc/device-tree/model").rstrip("\0")
    findings = [Finding("board", "ok", model)] if model else []
    findings += [*_judge_memory(_read(root / "proc/meminfo")), *_judge_governor(root), *_judge_temperature(root)]
    try:
        findings += judge_throttled((vcgencmd or _ask_vcgencmd)())
    except (OSError, subprocess.SubprocessError):
        if "Raspberry Pi" in model:
            mend = "run: sudo apt install -y libraspberrypi-bin, or add the user to the group video"
            findings.append(Finding("power", "warning", "vcgencmd doesn't answer", mend))
    return findings


def judge_throttled(text: str) -> list[Finding]:
    """Judge what `vcgencmd get_throttled` prints, such as `throttled=0x50005`, bit by bit in words."""
    match = re.fullmatch(r"throttled=0x([0-9a-fA-F]+)", text.strip())
    if match is None:
        return [Finding("power", "warning", f"vcgencmd said {text.strip()[:60]!r}", "run: vcgencmd get_throttled")]
    bits = int(match[1], 16)
    findings = []
    for bit, words in _NOW.items():
        now, before = bits >> bit & 1, bits >> (bit + 16) & 1  # the upper half: since the start
        if now or before:
            when = "now" if now else "since the start, not now"
            findings.append(Finding("power", "warning", f"{words} {when}", _POWER if bit == 0 else _HEAT))
    return findings or [Finding("power", "ok", "neither under-voltage nor slowed down since the start")]


def _judge_memory(meminfo: str) -> list[Finding]:
    """Judge the memory that is left."""
    kib = {key: int(number) for key, number in re.findall(r"^(\w+):\s+(\d+) kB$", meminfo, re.MULTILINE)}
    if "MemTotal" not in kib or "MemAvailable" not in kib:
        return []
    total, left = kib["MemTotal"] // 1024, kib["MemAvailable"] // 1024
    found = f"{left:,} of {total:,} MiB left"
    if left < _NEEDED_MIB:
        mend = "close other programs, or boot without the desktop: sudo systemctl set-default multi-user"
        return [Finding("memory", "warning", found, mend)]
    return [Finding("memory", "ok", found)]


def _judge_governor(root: Path) -> list[Finding]:
    """Judge how the processor's clock is governed."""
    governor = _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor == "powersave":
        mend = "run: echo ondemand | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        return [Finding("governor", "warning", "powersave: the slowest clock, always", mend)]
    return [Finding("governor", "ok", governor)] if governor else []


def _judge_temperature(root: Path) -> list[Finding]:
    """Judge the hottest of the processor's temperatures."""
    texts = [_read(path) for path in (root / "sys/class/thermal").glob("thermal_zone*/temp")]
    degrees = [int(text) / 1000 for text in texts if re.fullmatch(r"-?\d{1,7}", text)]
    if not degrees:
        return []
    found = f"{max(degrees):.0f} °C"
    if max(degrees) >= _HOT_C:
        return [Finding("temperature", "warning", found, _HEAT)]
    return [Finding("temperature", "ok", found)]


def _ask_vcgencmd() -> str:
    """Return what the Pi's firmware says about power and heat."""
    line = ["vcgencmd", "get_throttled"]  # found on PATH: its place moved between releases
    return subprocess.run(line, capture_output=True, text=True, timeout=5, check=True).stdout


def _read(path: Path) -> str:
    """Return a small file's text; empty where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
