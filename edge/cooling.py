"""Lowers the rate of answers where the processor gets too hot, and says so.

A Raspberry Pi lowers its clock at 80 to 85 °C by itself, which makes every answer slow and every measurement wrong. To
answer less often instead keeps each answer quick, and a box without a fan below the limit.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

_ZONES = Path("/sys/class/thermal")
_LOOK_S = 5.0  # between two looks at the thermometer
_BACK_C = 5.0  # how far below the limit it has to be for a higher rate
_SLOWEST = 16  # the lowest rate is this part of the full one
_LONGEST_S = 10.0  # between two answers, however slow they were at the full rate


def read_temperature() -> float | None:
    """Return the temperature of the hottest thermometer in °C; None where there is none.

    What no processor has, such as the 0 of a sensor that sleeps, doesn't count.
    """
    found: list[float] = []
    for path in _ZONES.glob("thermal_zone*/temp"):
        with contextlib.suppress(OSError, ValueError):  # a zone may be there and not answer
            found.append(int(path.read_text(encoding="ascii")) / 1000)
    return max((value for value in found if 0 < value < 150), default=None)


class Cooling:
    """Keeps an eye on the temperature, and the rate at what it allows."""

    def __init__(
        self,
        limit_c: float,
        report: Callable[[str], None],
        read: Callable[[], float | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at the full rate.

        Args:
            limit_c: Above this many °C the rate is halved, again and again.
            report: Is told in a line when the rate changes.
            read: Returns the temperature in °C; `read_temperature` where it is left out.
            clock: Returns seconds.
        """
        self._limit_c, self._report, self._read, self._clock = limit_c, report, read or read_temperature, clock
        self._slowness = 1  # the rate is the full one divided by this
        self._period_s: float | None = None  # between two answers at the full rate
        self._last: float | None = None
        self._next_look = 0.0

    def pause_s(self) -> float:
        """Return how long to wait before the next answer; to be asked after each answer."""
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + _LOOK_S
            self._look()
        if self._last is None or self._slowness == 1:
            if self._last is not None:
                period = now - self._last
                # Smoothed over ten answers or so: a camera that was away for a minute is no slow camera.
                self._period_s = (
                    period
                    if self._period_s is None
                    else self._period_s + 0.1 * (min(period, 4 * self._period_s) - self._period_s)
                )
            self._last = now
            return 0.0
        pause = max(0.0, min(self._wanted_s(), _LONGEST_S) - (now - self._last))
        self._last = now + pause
        return pause

    def _wanted_s(self) -> float:
        """Return the seconds between two answers that the temperature allows."""
        return self._slowness * (self._period_s or 0.0)

    def _look(self) -> None:
        """Set the rate by the temperature."""
        celsius = self._read()
        if celsius is None:
            return
        if celsius > self._limit_c and self._slowness < _SLOWEST and self._period_s:
            self._slowness *= 2
            self._report(
                f"{celsius:.0f} °C, above {self._limit_c:g}: answering at 1/{self._slowness} of the rate until it is "
                "cooler"
            )
        elif celsius < self._limit_c - _BACK_C and self._slowness > 1:
            self._slowness //= 2
            rate = "the full rate" if self._slowness == 1 else f"1/{self._slowness} of the rate"
            self._report(f"{celsius:.0f} °C: back to {rate}")
