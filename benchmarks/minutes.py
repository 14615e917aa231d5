"""What a camera loop did, minute by minute: how long its answers took, what it left out, how hot the machine got."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.condition import read_condition
from benchmarks.percentiles import summarize

MINUTE_S = 60.0


class Minutes:
    """Collects answers and closes a minute when it is over.

    Attributes:
        closed: The minutes that are over, as the JSON holds them.
    """

    def __init__(
        self,
        closed: Callable[[dict[str, Any]], None] = lambda minute: None,
        *,
        minute_s: float = MINUTE_S,
        clock: Callable[[], float] = time.monotonic,
        condition: Callable[[], dict[str, Any]] = read_condition,
    ) -> None:
        """Begin the first minute.

        Args:
            closed: Is given each minute when it is over.
            minute_s: Length of a minute in seconds.
            clock: Returns seconds.
            condition: Returns the machine's state; asked at each minute's end.
        """
        self.closed: list[dict[str, Any]] = []
        self._tell, self._minute_s, self._clock, self._condition = closed, minute_s, clock, condition
        self._start = self._clock()
        self._answers: list[tuple[float, float]] = []  # of this minute: camera to label, classify
        self._all: list[tuple[float, float]] = []
        self._dropped = self._dropped_before = 0

    def add(self, camera_to_label_ms: float, classify_ms: float, dropped: int) -> None:
        """Add an answer to the minute that was not over when `roll` was last asked.

        Args:
            camera_to_label_ms: From the moment its frame was read.
            classify_ms: The model's part of it.
            dropped: Frames left out since the beginning.
        """
        self._answers.append((camera_to_label_ms, classify_ms))
        self._dropped = dropped

    def roll(self) -> bool:
        """Close the minutes that are over, and tell whether there were any; to be called where no answer comes, too."""
        before = len(self.closed)
        while self._clock() - self._start >= (len(self.closed) + 1) * self._minute_s:
            self._close(self._minute_s)
        return len(self.closed) > before

    def end(self) -> None:
        """Close the minute that has begun, if anything happened in it."""
        self.roll()
        seconds = self._clock() - self._start - len(self.closed) * self._minute_s
        if self._answers or not self.closed:
            self._close(seconds)

    def summary(self) -> dict[str, Any]:
        """Return what holds for all closed minutes together.

        `slowdown` is the last whole minute's median over the first one's, None with fewer than two: heat makes it grow.
        """
        seconds = sum(minute["seconds"] for minute in self.closed)
        whole = [minute for minute in self.closed if minute["answers"] and minute["seconds"] == self._minute_s]
        medians = [minute["camera_to_label_ms"]["p50"] for minute in whole]
        return {
            "seconds": round(seconds, 3),
            "answers": len(self._all),
            "dropped": sum(minute["dropped"] for minute in self.closed),
            "fps": _rate(len(self._all), seconds),
            **_summarize(self._all),
            "slowdown": round(medians[-1] / medians[0], 3) if len(medians) > 1 else None,
            "minutes": list(self.closed),
        }

    def _close(self, seconds: float) -> None:
        """Close a minute."""
        minute = {
            "minute": len(self.closed),
            "seconds": round(seconds, 3),
            "answers": len(self._answers),
            "dropped": self._dropped - self._dropped_before,
            "fps": _rate(len(self._answers), seconds),
            **_summarize(self._answers),
            **self._condition(),
        }
        self._all += self._answers
        self._answers, self._dropped_before = [], self._dropped
        self.closed.append(minute)
        self._tell(minute)


def _rate(count: int, seconds: float) -> float:
    """Return how many a second."""
    return round(count / seconds, 2) if seconds and math.isfinite(seconds) else 0.0


def _summarize(answers: list[tuple[float, float]]) -> dict[str, Any]:
    """Return percentiles of both times; None where there was no answer."""
    if not answers:
        return {"camera_to_label_ms": None, "classify_ms": None}
    whole, classify = np.array(answers).T
    return {"camera_to_label_ms": summarize(whole), "classify_ms": summarize(classify)}
