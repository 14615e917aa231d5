"""What is said about run times: their percentiles, and whether repeated measures agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.timing import Milliseconds

NOISE = 0.05  # two measures of one file may differ by so much on a quiet machine
_DIGITS = 4  # a tenth of a microsecond


def summarize(times: Milliseconds) -> dict[str, float]:
    """Return min, p50, p90, p99, mean and std (of the runs, n - 1) of run times in milliseconds."""
    import numpy as np

    quantiles = np.percentile(times, [0, 50, 90, 99])
    values = dict(zip(("min", "p50", "p90", "p99"), quantiles, strict=True))
    values |= {"mean": times.mean(), "std": times.std(ddof=1) if len(times) > 1 else 0.0}
    return {key: round(float(value), _DIGITS) for key, value in values.items()}


def disagree(medians: Sequence[float]) -> bool:
    """Tell whether medians of one thing differ by more than NOISE of the least."""
    return max(medians) > (1 + NOISE) * min(medians)
