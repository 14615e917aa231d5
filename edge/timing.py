"""Times several things fairly on a machine whose speed drifts: in turn, A B A B, after a warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Milliseconds = npt.NDArray[np.float64]


def time_alternating(
    actions: Sequence[Callable[[], object]], *, warmup_s: float = 0.5, min_runs: int = 50, min_s: float = 1.0
) -> list[Milliseconds]:
    """Time each action again and again, one run of each in turn.

    An action that has had its runs and ten times the measured time of the quickest sits out, so that a quick one
    beside a slow one doesn't take an hour to fill its second.

    Args:
        actions: What to time.
        warmup_s: Seconds that each action runs untimed first; LiteRT's benchmark_model takes 0.5 too.
        min_runs: Timed runs of each action at least; benchmark_model's 50.
        min_s: Seconds of timed runs for each action at least; benchmark_model's 1.

    Returns:
        For each action its run times in milliseconds, in the order they were taken.
    """
    for action in actions:
        until = time.perf_counter() + warmup_s
        while time.perf_counter() < until:
            action()
    times: list[list[float]] = [[] for _ in actions]
    totals = [0.0] * len(actions)
    while min(map(len, times)) < min_runs or min(totals) < min_s * 1e3:
        for number, action in enumerate(actions):
            if len(times[number]) >= min_runs and totals[number] > 10 * min(totals):
                continue
            start = time.perf_counter()
            action()
            elapsed = (time.perf_counter() - start) * 1e3
            times[number].append(elapsed)
            totals[number] += elapsed
    return [np.array(each) for each in times]
