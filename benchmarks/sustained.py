"""Classifies a camera's frames for minutes or hours, as a device left alone does: benchmarks.latency --sustained.

A figure of a minute says little about a box without a fan. Frames come at a camera's pace, through edge's own reader
that keeps the newest; written whole after every minute, so that an interrupted run keeps what it has. Camera to label
is from the moment a frame was read to its best class, the wait for the model included; classify is the model's part.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.condition import read_condition
from benchmarks.machine import fingerprint
from benchmarks.minutes import MINUTE_S, Minutes
from benchmarks.paced_photos import PacedPhotos
from benchmarks.results import check_outputs, write_outputs
from benchmarks.timed_model import Entry, TimedModel, load, read_scheme
from edge.camera import NewestFrame
from edge.errors import UserError
from edge.run_folder import model_files, resolve_run
from edge.sources import parse_source
from edge.stop_request import StopRequest

INTERRUPTED = 130


def main_of(flags: argparse.Namespace) -> int:
    """Run `benchmarks.latency --sustained`.

    Args:
        flags: Of benchmarks.latency; where neither --json nor --results is given, the JSON goes beside the model.

    Raises:
        UserError: If more than one thing is asked for, the model or the source can't be opened, or nothing be written.
    """
    entry, threads = _choose(flags), flags.threads or [1]
    if len(threads) > 1:
        raise UserError(f"Expected one thread count with --sustained, got {len(threads)}: one model runs all the time")
    if flags.json is None and flags.results is None:
        flags.json = entry.path.parent / "sustained.json"
    plot = flags.plot or (flags.json.with_suffix(".png") if flags.json else None)
    check_outputs(flags)
    if plot and (plot.is_dir() or not os.access(plot.parent, os.W_OK)):
        raise UserError(f"Expected a file in a folder that can be written to for --plot, got {plot}")
    model = load(entry, threads[0])
    header = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": fingerprint(),
        "before": read_condition(),
    }
    row = _describe(model, threads[0], flags.sustained)

    def keep(measured: dict[str, Any]) -> None:
        row.update(measured)
        write_outputs(flags, "sustained", {**header, "after": read_condition(), "rows": [row]})

    keep(sustain(model, flags.source, flags.sustained * MINUTE_S, keep))
    if plot:
        _draw(row, plot)
    places = ", ".join(str(place) for place in (flags.json, flags.results, plot) if place)
    print(_sum_up(row, places))
    if row["ended"] == "interrupted":
        print(f"interrupted after {row['seconds'] / MINUTE_S:.1f} of {flags.sustained:g} minutes", file=sys.stderr)
        return INTERRUPTED
    return 0


def sustain(
    model: TimedModel,
    source: str | None,
    seconds: float,
    keep: Callable[[dict[str, Any]], None],
    *,
    minute_s: float = MINUTE_S,
) -> dict[str, Any]:
    """Classify a source's newest frames until the time is over, the source ends, or SIGINT or SIGTERM comes.

    Args:
        model: The loaded model.
        source: As `--source`; None for the model's own photos at a camera's pace.
        seconds: For how long.
        keep: Is given after every minute what is returned in the end, so far.
        minute_s: Length of a minute in seconds.

    Returns:
        source, its name; ended, by "time", "source" or "interrupted", None so far; and what `Minutes.summary` says.

    Raises:
        UserError: If the source doesn't open.
    """
    paced = PacedPhotos(model.pixels.jpegs()) if source is None else None
    parsed = parse_source(source) if source is not None else PacedPhotos([]).source
    if parsed.kind == "photos":
        raise UserError(f"Expected a camera, a stream or a video as --source, {parsed.name} is photos; leave it out")
    stop, minutes = StopRequest(), Minutes(_tell, minute_s=minute_s)
    with stop.listening():
        newest = NewestFrame(parsed, report=_note, open_capture=paced.open if paced else None)
        try:
            newest.await_opened(stop.came)
            minutes = Minutes(_tell, minute_s=minute_s)  # opening may take long
            until = time.monotonic() + seconds

            def is_over() -> bool:
                if minutes.roll():
                    keep({"source": parsed.name, "ended": None, **minutes.summary()})
                return stop.came() or time.monotonic() >= until

            for shot in newest.shots(is_over):
                start = time.perf_counter()
                model.classifier.classify(shot.frame)
                classify_ms = (time.perf_counter() - start) * 1e3
                minutes.add((time.time() - shot.taken) * 1e3, classify_ms, shot.dropped)
            over = time.monotonic() >= until
        finally:
            newest.close()
    minutes.end()
    ended = "interrupted" if stop.came() else "time" if over else "source"
    return {"source": parsed.name, "ended": ended, **minutes.summary()}


def _choose(flags: argparse.Namespace) -> Entry:
    """Return the one model that is to run."""
    runtimes = flags.runtime or []
    if len(flags.models) > 1 or len(runtimes) > 1:
        raise UserError("Expected one model and one runtime with --sustained, got several; name one")
    runtime = runtimes[0] if runtimes else None
    if flags.models:
        return Entry(flags.models[0], runtime)
    files = model_files(resolve_run(flags.run))
    path = next((path for path in files if path.name == "model_int8.tflite"), files[0])
    return Entry(path, runtime)


def _describe(model: TimedModel, num_threads: int, minutes: float) -> dict[str, Any]:
    """Return what the row says about what is measured."""
    return {
        "run": model.entry.run,
        "model": model.entry.path.name,
        "scheme": read_scheme(model.classifier),
        "runtime": model.classifier.runtime,
        "num_threads": num_threads,
        "sha256": hashlib.sha256(model.entry.path.read_bytes()).hexdigest(),
        "asked_minutes": minutes,
    }


def _draw(row: dict[str, Any], plot: Path) -> None:
    """Draw the plot, or say what is missing for it."""
    try:
        from benchmarks.sustained_plot import draw
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        from edge.extras import install_line

        _note(f"No plot: it needs matplotlib: {install_line('matplotlib', 'bench')}")
    else:
        draw(row, plot)


def _tell(minute: dict[str, Any]) -> None:
    """Report a minute."""
    heat = "" if minute["temperature_c"] is None else f", {minute['temperature_c']:.0f} °C"
    _note(f"minute {minute['minute'] + 1}: {_figures(minute)}{heat}")


def _sum_up(row: dict[str, Any], places: str) -> str:
    """Return what is said at the end."""
    slowdown = "" if row["slowdown"] is None else f"; last minute over first: {row['slowdown']:.2f}"
    return f"{row['model']}, {row['source']}, {row['seconds']:.0f} s: {_figures(row)}{slowdown}\nwritten: {places}"


def _figures(measured: dict[str, Any]) -> str:
    """Return the figures of a minute or of all."""
    times = measured["camera_to_label_ms"]
    if times is None:
        return f"no answer, {measured['dropped']} dropped"
    return (
        f"{measured['fps']:.1f} fps, camera to label {times['p50']:.2f} ms (p90 {times['p90']:.2f}, "
        f"p99 {times['p99']:.2f}), {measured['dropped']} dropped"
    )


def _note(line: str) -> None:
    """Tell the user, beside the results."""
    print(line, file=sys.stderr, flush=True)
