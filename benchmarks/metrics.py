"""Which figures of a row are judged when two results are held against each other, and when one is worse.

Every rule is fair both ways: what is worse from old to new is better from new to old.

- A share of photos (accuracy) is worse when it lies below the other's 95 % interval, or the other above its own.
- A share without an interval (macro F1) is worse by more than the tolerance, in points: 5 % are 5 points.
- A time or an amount of bytes is worse by more than the tolerance, of itself; by three times as much in a noisy row.
- A file against its float32 file, paired photo by photo (McNemar), is worse when it loses beyond chance (p < 0.05) and
  before there was no sign of it (p >= 0.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.intervals import wilson_interval

Row = Mapping[str, Any]
_NOISY = 3  # times the tolerance
_LOST, _UNDECIDED = 0.05, 0.2  # p-values


@dataclass(frozen=True)
class Metric:
    """A figure of a row.

    Attributes:
        path: Its keys, such as ("invoke_ms", "p50").
        unit: What it is in, for the reader.
        is_more_better: Whether more of it is better.
        interval: Key of its 95 % interval; empty where it has none.
        of_photos: Whether it is a share of n photos, so that an interval can be had.
        is_of_machine: Whether it says more about the machine than about the file.
    """

    path: tuple[str, ...]
    unit: str = ""
    is_more_better: bool = False
    interval: str = ""
    of_photos: bool = False
    is_of_machine: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return " ".join(self.path)


@dataclass(frozen=True)
class Judged:
    """A figure that changed.

    Attributes:
        change: -1 for worse, 1 for better, 0 for neither.
        rule: By which rule, in words.
    """

    change: int
    rule: str


METRICS = (
    Metric(("accuracy",), "of 1", True, "accuracy_interval", of_photos=True),
    Metric(("macro_f1",), "of 1", True),
    Metric(("ece",), "of 1"),
    Metric(("agreement",), "of 1", True, "agreement_interval", of_photos=True),
    Metric(("clean_accuracy",), "of 1", True, "clean_accuracy_interval", of_photos=True),
    Metric(("corrupted_accuracy",), "of 1", True, of_photos=True),
    Metric(("gap_points",), "points", True, "gap_interval"),
    Metric(("size_bytes",), "bytes"),
    Metric(("gzip_bytes",), "bytes"),
    Metric(("footprint_bytes",), "bytes"),
    Metric(("peak_rss_bytes",), "bytes", is_of_machine=True),
    Metric(("invoke_ms", "p50"), "ms", is_of_machine=True),
    Metric(("frame_to_label_ms", "p50"), "ms", is_of_machine=True),
    Metric(("camera_to_label_ms", "p50"), "ms", is_of_machine=True),
    Metric(("uploads_per_s",), "a second", True, is_of_machine=True),
    Metric(("fps",), "a second", True, is_of_machine=True),
)


def read_value(row: Row, metric: Metric) -> float | None:
    """Return a row's figure; None where it has none, or a list of them.

    Raises:
        ValueError: If it is something else than a finite number.
    """
    value: Any = row
    for key in metric.path:
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, list):
        return None
    return _finite(value, metric.name)


def judge(metric: Metric, old: tuple[float, Row], new: tuple[float, Row], tolerance: float) -> Judged:
    """Judge a figure.

    Args:
        metric: Which.
        old: Its value, and the row that it is of.
        new: The same, of what is judged.
        tolerance: Share by which times and bytes may differ.

    Raises:
        ValueError: If an interval isn't two finite numbers.
    """
    sign = 1 if metric.is_more_better else -1
    intervals = [_interval(metric, *each) for each in (old, new)]
    if intervals[0] and intervals[1]:
        up = new[0] > intervals[0][1] or old[0] < intervals[1][0]
        down = new[0] < intervals[0][0] or old[0] > intervals[1][1]
        return Judged(sign * (up - down), "beyond its 95 % interval")
    if metric.unit in ("of 1", "points"):
        most = tolerance * (100 if metric.unit == "points" else 1)
        change = (new[0] - old[0] > most) - (old[0] - new[0] > most)
        return Judged(sign * change, f"by more than {100 * tolerance:g} points")
    noisy = any(row.get("noisy") is True for _, row in (old, new))
    most = 1 + tolerance * (_NOISY if noisy else 1)
    change = (new[0] > most * old[0]) - (old[0] > most * new[0])
    why = ": noisy" if noisy else ""
    return Judged(sign * change, f"by more than {100 * (most - 1):.3g} %{why}")


def judge_pairs(old: Row, new: Row) -> Judged | None:
    """Judge a file against its float32 file photo by photo, then and now; None where a row lacks McNemar's test.

    Raises:
        ValueError: If the test isn't of numbers.
    """
    losses = [_loses(row.get("mcnemar")) for row in (old, new)]
    if None in losses:
        return None
    before, now = (loss or 0.0 for loss in losses)
    worse, better = (before == 0 and now == 1), (before == 1 and now == 0)
    return Judged(better - worse, "McNemar's test, paired: p < 0.05 against p >= 0.2")


def _loses(test: Any) -> float | None:
    """Return 1 for a loss beyond chance, 0 for no sign of one, 0.5 between; None without a test."""
    if not isinstance(test, Mapping):
        return None
    keys = ("only_float32_right", "only_this_right", "p_value")
    lost, won, p = (_finite(test.get(key), f"mcnemar {key}") for key in keys)
    if lost <= won or p >= _UNDECIDED:
        return 0.0
    return 1.0 if p < _LOST else 0.5


def _interval(metric: Metric, value: float, row: Row) -> tuple[float, float] | None:
    """Return the interval of a figure, as it was written or by the number of photos."""
    written = row.get(metric.interval) if metric.interval else None
    if written is not None:
        if not isinstance(written, list) or len(written) != 2:
            raise ValueError(f"{metric.interval} {written!r:.40}")
        return _finite(written[0], metric.interval), _finite(written[1], metric.interval)
    n = row.get("n")
    if metric.of_photos and isinstance(n, int) and n > 0 and 0 <= value <= 1:
        return wilson_interval(value, n)
    return None


def _finite(value: Any, name: str) -> float:
    """Return a finite number; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} {value!r:.40}")
    return float(value)
