"""Times models in turn, again and again, and makes a row of each: the measuring behind benchmarks.latency."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.energy import find_meter, measure_energy
from benchmarks.fresh_process import measure_fresh
from benchmarks.peak import summarize_yardsticks, time_yardsticks
from benchmarks.percentiles import NOISE
from benchmarks.timed_model import MEASURES, Entry, Figures, TimedModel, load, make_row
from edge.errors import UserError
from edge.runtimes import LITERT, ONNXRUNTIME, TFLITE_RUNTIME
from edge.timing import time_alternating


@dataclass(frozen=True)
class Limits:
    """How long to measure; the defaults are those of LiteRT's own benchmark_model.

    Attributes:
        warmup_s: Seconds that each measure runs untimed first.
        min_runs: Timed runs of each measure at least.
        min_s: Timed seconds of each measure at least.
        repeats: How often all of it is done; what the repeats disagree about is noise.
    """

    warmup_s: float = 0.5
    min_runs: int = 50
    min_s: float = 1.0
    repeats: int = 2


def list_entries(files: Sequence[Path], runtimes: Sequence[str]) -> list[Entry]:
    """Return what is to be timed: each file in each of the runtimes that take its format.

    Args:
        files: Model files.
        runtimes: Names of `edge.runtimes.RUNTIMES`; none for the first that takes a file and is installed.
    """
    entries = []
    for path in files:
        fitting = [runtime for runtime in runtimes if _takes(runtime, path)]
        # Without one that fits the first is tried all the same: its refusal is the message.
        chosen: Sequence[str | None] = fitting or runtimes[:1] or (None,)
        entries += [Entry(path, runtime) for runtime in chosen]
    return entries


def measure(
    entries: Sequence[Entry], thread_counts: Sequence[int], limits: Limits, *, skip_broken: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Time models, those of equal thread count in turn.

    Args:
        entries: What to time.
        thread_counts: Threads of the runtime, each measured by itself.
        limits: How long, and how often.
        skip_broken: Whether a file that can't be loaded is named on stderr and left out.

    Returns:
        Rows as `--json` writes them, and what the yardsticks say of each runtime and thread count.

    Raises:
        UserError: If a file can't be loaded, or none where broken ones are skipped.
    """
    entries = list(entries)
    figures: dict[tuple[int, Entry], Figures] = {}
    marks: dict[tuple[int, str], list[Any]] = {}
    for repeat in range(limits.repeats):
        for num_threads in thread_counts:
            models = _load_all(entries, num_threads, skip_broken=skip_broken)
            runtimes = dict.fromkeys(model.runtime for model in models)
            _announce(models, len(runtimes), num_threads, limits, repeat)
            for runtime in runtimes:
                times = time_yardsticks(
                    runtime,
                    num_threads,
                    warmup_s=limits.warmup_s,
                    min_runs=limits.min_runs,
                    min_s=limits.min_s,
                )
                marks.setdefault((num_threads, runtime), []).append(times)
            _time(models, num_threads, limits, figures)
    peaks = {key: summarize_yardsticks(key[1], key[0], times) for key, times in marks.items()}
    rows: list[dict[str, Any]] = []
    for num_threads in thread_counts:
        theirs = {runtime: peak for (count, runtime), peak in peaks.items() if count == num_threads}
        own = {
            entry: make_row(each, num_threads, theirs)
            for (count, entry), each in figures.items()
            if count == num_threads
        }
        _compare(own)
        rows += own.values()
    return rows, list(peaks.values())


def _takes(runtime: str, path: Path) -> bool:
    """Tell whether a runtime takes a file's format, by its first bytes as `edge.runtimes.load` does."""
    try:
        with path.open("rb") as file:
            is_tflite = file.read(8)[4:] == b"TFL3"
    except OSError:
        return True  # `load` says what is wrong
    return runtime in ((LITERT, TFLITE_RUNTIME) if is_tflite else (ONNXRUNTIME,))


def _load_all(entries: list[Entry], num_threads: int, *, skip_broken: bool) -> list[TimedModel]:
    """Load models; those that are broken are taken off the list where that is allowed."""
    models = []
    for entry in list(entries):
        try:
            models.append(load(entry, num_threads))
        except UserError as error:
            if not skip_broken or len(entries) == 1:
                raise
            print(f"left out {entry.path.name}: {error}", file=sys.stderr)
            entries.remove(entry)
    return models


def _announce(models: Sequence[TimedModel], runtimes: int, num_threads: int, limits: Limits, repeat: int) -> None:
    """Say what comes, and how long it takes at least."""
    at_least_s = (len(MEASURES) * len(models) + 3 * runtimes) * (limits.warmup_s + limits.min_s)
    print(
        f"files to time: {len(models)}, threads: {num_threads}, repeat {repeat + 1} of {limits.repeats} "
        f"(at least {at_least_s:.0f} s)",
        file=sys.stderr,
    )


def _time(
    models: Sequence[TimedModel], num_threads: int, limits: Limits, figures: dict[tuple[int, Entry], Figures]
) -> None:
    """Time loaded models in turn, once, and add what was measured to their figures."""
    times = time_alternating(
        [action for model in models for action in model.actions()],
        warmup_s=limits.warmup_s,
        min_runs=limits.min_runs,
        min_s=limits.min_s,
    )
    staged = [model.staged() for model in models]
    # Everything is warm by now, and a run holds all stages: the least number of runs is enough.
    time_alternating([act for act, _ in staged], warmup_s=0, min_runs=limits.min_runs, min_s=0)
    meter = find_meter()
    for number, model in enumerate(models):
        own = figures.setdefault((num_threads, model.entry), Figures(model, {each: [] for each in MEASURES}, [], []))
        own.model = model
        for place, name in enumerate(MEASURES):
            own.times[name].append(times[len(MEASURES) * number + place])
        own.stages.append(np.array(staged[number][1]))
        own.fresh.append(measure_fresh(model.entry.path, model.runtime, num_threads))
        if meter is not None:
            own.energy = measure_energy(meter, model.actions()[1], limits.min_s)


def _compare(rows: dict[Entry, dict[str, Any]]) -> None:
    """Set each row's latency_ratio and slower_than_float32: against the float32 file of folder, format and runtime."""
    float32 = {_kin(entry, row): row["invoke_ms"] for entry, row in rows.items() if row["scheme"] == "float32"}
    for entry, row in rows.items():
        times = float32.get(_kin(entry, row), {})
        reference, least = times.get("p50"), times.get("min")
        row["latency_ratio"] = round(row["invoke_ms"]["p50"] / reference, 3) if reference else None
        # By the quickest runs too: a neighbour on the machine makes no file slow.
        quickest = row["invoke_ms"]["min"] / least if least else 0.0
        row["slower_than_float32"] = min(row["latency_ratio"], quickest) > 1 + NOISE if reference else None


def _kin(entry: Entry, row: dict[str, Any]) -> tuple[Path, str, str]:
    """Return what a file shares with the float32 file that it is compared with."""
    return entry.path.resolve().parent, entry.path.suffix, row["runtime"]
