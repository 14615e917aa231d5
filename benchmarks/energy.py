"""The energy of an inference, on machines that measure their own: RAPL on x86, the power chip of a Raspberry Pi 5.

Both count the whole chip or board, other programs and idling included; `idle_w` says what it draws while nothing is
asked, so that a reader can subtract it. Neither knows what the power supply loses.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.condition import ask_vcgencmd
from benchmarks.machine import read_small

_SAMPLE_S = 0.1  # between two looks at a Pi's currents; asking takes some 10 ms of processor time
_IDLE_S = 1.0


class Meter(Protocol):
    """Counts the joules that a machine has taken.

    Attributes:
        source: What counts them, such as "RAPL package-0".
    """

    source: str

    def start(self) -> None:
        """Begin to count."""

    def stop(self) -> float:
        """Return the joules since `start`."""


def find_meter(root: Path = Path("/"), vcgencmd: Callable[[str], str] | None = None) -> Meter | None:
    """Return this machine's meter; None where it has none that this user may read.

    Args:
        root: Root folder of the system.
        vcgencmd: Returns what the Raspberry Pi's `vcgencmd` prints for a word; OSError where there is none.
    """
    for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:[0-9]")):
        if _read_count(zone / "energy_uj") is not None:  # root alone may, since it gives away what is computed
            return Rapl(zone)
    ask = vcgencmd or ask_vcgencmd
    try:
        return PowerChip(ask) if parse_watts(ask("pmic_read_adc")) else None
    except (OSError, subprocess.SubprocessError):
        return None


def measure_energy(meter: Meter, action: Callable[[], object], seconds: float) -> dict[str, Any]:
    """Run an action again and again for a time and return what a run took.

    Args:
        meter: Of `find_meter`.
        action: One inference.
        seconds: For how long at least; one run always.

    Returns:
        mj_per_run (millijoules), idle_w (watts while nothing was asked) and source.
    """
    meter.start()
    start = time.perf_counter()
    time.sleep(min(seconds, _IDLE_S))
    idle_w = meter.stop() / (time.perf_counter() - start)
    runs, start = 0, time.perf_counter()
    meter.start()
    while not runs or time.perf_counter() - start < seconds:
        action()
        runs += 1
    return {"mj_per_run": round(meter.stop() * 1e3 / runs, 4), "idle_w": round(idle_w, 3), "source": meter.source}


@dataclass
class Rapl:
    """The counter of a processor's package: microjoules, which begin anew after a largest number."""

    zone: Path

    def __post_init__(self) -> None:
        self.source = f"RAPL {read_small(self.zone / 'name') or self.zone.name}"
        self._largest = _read_count(self.zone / "max_energy_range_uj") or 1 << 32

    def start(self) -> None:
        """Begin to count."""
        self._before = _read_count(self.zone / "energy_uj") or 0

    def stop(self) -> float:
        """Return the joules since `start`."""
        after = _read_count(self.zone / "energy_uj") or 0
        return ((after - self._before) % (self._largest + 1)) / 1e6


class PowerChip:
    """The power chip of a Raspberry Pi 5, which tells currents and voltages: looked at again and again, added up."""

    source = "Raspberry Pi power chip"

    def __init__(self, ask: Callable[[str], str]) -> None:
        """Take what asks it."""
        self._ask = ask

    def start(self) -> None:
        """Begin to count, in a thread of its own."""
        self._stopped, self._watts = threading.Event(), list[float]()
        self._began = time.perf_counter()
        self._thread = threading.Thread(target=self._sample, name="power", daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the joules since `start`: mean power by time."""
        seconds = time.perf_counter() - self._began
        self._stopped.set()
        self._thread.join()
        return sum(self._watts) / len(self._watts) * seconds if self._watts else 0.0

    def _sample(self) -> None:
        """Note the power until told to stop, once at least."""
        while True:
            try:
                watts = parse_watts(self._ask("pmic_read_adc"))
            except (OSError, subprocess.SubprocessError):
                watts = None
            if watts is not None:
                self._watts.append(watts)
            if self._stopped.wait(_SAMPLE_S):
                return


def parse_watts(text: str) -> float | None:
    """Add up what `vcgencmd pmic_read_adc` prints, such as `VDD_CORE_A current(7)=1.2A` and `VDD_CORE_V volt(15)=0.8V`.

    Returns:
        Watts over all rails that tell both; None where none does.
    """
    found = re.findall(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=(\d+(?:\.\d+)?)[AV]\s*$", text, re.MULTILINE)
    values = {(rail, unit): float(number) for rail, unit, number in found}
    watts = [
        amperes * values[rail, "V"] for (rail, unit), amperes in values.items() if unit == "A" and (rail, "V") in values
    ]
    return sum(watts) if watts else None


def _read_count(path: Path) -> int | None:
    """Return a counter's number; None where it can't be read."""
    text = read_small(path) or ""
    return int(text) if text.isdecimal() else None
