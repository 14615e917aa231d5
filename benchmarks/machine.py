"""The fingerprint of a machine: what has to be known beside a latency before it means anything."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import edge

# What speeds up networks, by the kernel's names; asimddp is Arm's dot product, asimdhp its half precision.
_TELLING_FLAGS = frozenset(
    {"sse4_1", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"}
    | {"amx_tile", "amx_int8", "amx_bf16"}
    | {"neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"}
)
# Arm's kernels give a part number (implementer 0x41) instead of a name: Arm's "Main ID Register" tables.
_ARM_PARTS = {
    "0xb76": "ARM1176",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
}
# Kinds of thermal zones that stand for the processor: Raspberry Pi, Intel, Jetson, Rockchip.
_CPU_ZONES = ("cpu", "soc", "x86_pkg")
_DISTRIBUTIONS = ("numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime")


def fingerprint() -> dict[str, Any]:
    """Describe this machine; a value that can't be read here is None. Nothing that names its owner (no serial number).

    Returns:
        cpu_model, cpu_flags (those that matter to networks), cores (that this process may use), board, architecture,
        memory_bytes, governor, temperature_c (now), os, kernel, python, versions (distribution -> version).
    """
    cpuinfo = read_small(Path("/proc/cpuinfo")) or ""
    return {
        "cpu_model": parse_cpu_model(cpuinfo) or platform.processor() or None,
        "cpu_flags": parse_cpu_flags(cpuinfo),
        "cores": usable_cores(),
        "board": parse_board(cpuinfo),
        "architecture": platform.machine(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "governor": read_small(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "temperature_c": read_temperature(Path("/sys/class/thermal")),
        "os": _os_name(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": _versions(),
    }


def usable_cores() -> int:
    """Count the cores that this process may run on, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_cpu_model(cpuinfo: str) -> str | None:
    """Return the processor's name from the text of /proc/cpuinfo; None where the text has none.

    A processor of several kinds of Arm cores gives all their names, such as "Cortex-A55 + Cortex-A76".
    """
    names = _values(cpuinfo, "model name")
    if names:
        return names[0]
    parts = dict.fromkeys(_values(cpuinfo, "CPU part"))  # a set that keeps the order
    return " + ".join(_ARM_PARTS.get(part, f"Arm part {part}") for part in parts) or None


def parse_cpu_flags(cpuinfo: str) -> list[str]:
    """Return the instruction sets that matter to networks, sorted, from the text of /proc/cpuinfo (x86 or Arm)."""
    lines = _values(cpuinfo, "flags") or _values(cpuinfo, "Features")
    return sorted(_TELLING_FLAGS.intersection(lines[0].split())) if lines else []


def parse_board(cpuinfo: str) -> str | None:
    """Return the board's name, such as "Raspberry Pi 5 Model B Rev 1.0", from the text of /proc/cpuinfo."""
    return next(iter(_values(cpuinfo, "Model")), None)


def read_temperature(thermal: Path) -> float | None:
    """Return the processor's temperature in degrees Celsius, the hottest of its zones; None where none is readable.

    Args:
        thermal: The folder /sys/class/thermal.
    """
    degrees = []
    for zone in sorted(thermal.glob("thermal_zone*")):
        kind, text = read_small(zone / "type") or "", read_small(zone / "temp") or ""
        if kind.lower().startswith(_CPU_ZONES) and text.lstrip("-").isdecimal():
            degrees.append(int(text) / 1000)
    return max(degrees, default=None)


def _values(cpuinfo: str, key: str) -> list[str]:
    """Return every value of a key in /proc/cpuinfo, in order; x86's "model" is not Arm's "Model"."""
    pairs = (line.partition(":") for line in cpuinfo.splitlines())
    return [value.strip() for name, _, value in pairs if name.strip() == key and value.strip()]


def read_small(path: Path) -> str | None:
    """Return a small system file's text; None where it is absent or unreadable (sensors may fail while read)."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _os_name() -> str:
    """Return the system's name, such as "Debian GNU/Linux 12 (bookworm)"."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _versions() -> dict[str, str]:
    """Return the versions of what takes part in an answer."""
    import cv2

    # OpenCV by its own word: on a device it may come from the system's packages, without a distribution.
    versions = {"tinysight": edge.__version__, "opencv": cv2.__version__}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
