"""The state that a machine is in while it is measured: heat, clock, throttling, load. See `machine` for what it is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import read_small, read_temperature


def read_condition(root: Path = Path("/"), vcgencmd: Callable[[str], str] | None = None) -> dict[str, Any]:
    """Read the machine's present state; a value that can't be read here is None.

    Args:
        root: Root folder of the system.
        vcgencmd: Returns what the Raspberry Pi's `vcgencmd` prints for a word; OSError where there is none.

    Returns:
        temperature_c; governor and frequency_mhz (of the core that runs fastest now); throttled, the firmware's bits
        as text, such as "0x50005" (`edge.doctor` says in words what they mean); load_average over the last minute.
    """
    try:
        said = (vcgencmd or ask_vcgencmd)("get_throttled")
    except (OSError, subprocess.SubprocessError):
        said = ""
    bits = re.fullmatch(r"throttled=(0x[0-9a-fA-F]{1,8})", said.strip())
    cpus = root / "sys/devices/system/cpu"
    clocks = [read_small(path) or "" for path in sorted(cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))]
    load = (read_small(root / "proc/loadavg") or "").split()
    return {
        "temperature_c": read_temperature(root / "sys/class/thermal"),
        "governor": read_small(cpus / "cpu0/cpufreq/scaling_governor"),
        "frequency_mhz": max((int(text) // 1000 for text in clocks if text.isdecimal()), default=None),
        "throttled": bits[1] if bits else None,
        "load_average": float(load[0]) if load and re.fullmatch(r"\d{1,6}\.\d+", load[0]) else None,
    }


def ask_vcgencmd(word: str) -> str:
    """Return what the Pi's firmware says.

    Raises:
        OSError: If there is no vcgencmd.
        subprocess.SubprocessError: If it fails or hangs.
    """
    line = ["vcgencmd", word]  # found on PATH: its place moved between releases
    return subprocess.run(line, capture_output=True, text=True, timeout=5, check=True).stdout
