"""Times converted models as users will meet them: real pixels, warmed up, percentiles, one after the other in turn.

    python -m benchmarks.latency                        every converted file of runs/latest
    python -m benchmarks.latency MODEL... --threads 1,4 these files, with 1 and with 4 threads

Runs on the device too, from a copy of edge/ and benchmarks/ with numpy, OpenCV and one runtime. Pixels come from the
eval.npz beside a model. `invoke` is an image in, scores out; `frame to label` is a decoded 640x480 camera frame in,
the best class out.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import add_run_flag, command, parser, positive_int, thread_count
from edge.errors import UserError

if TYPE_CHECKING:
    from benchmarks.pixels import Pixels
    from edge.classifier import Classifier
    from edge.timing import Milliseconds


@dataclass(frozen=True)
class Limits:
    """How long to measure; the defaults are those of LiteRT's own benchmark_model.

    Attributes:
        warmup_s: Seconds that each measure runs untimed first.
        min_runs: Timed runs of each measure at least.
        min_s: Timed seconds of each measure at least.
    """

    warmup_s: float = 0.5
    min_runs: int = 50
    min_s: float = 1.0


@dataclass(frozen=True)
class _Model:
    """A loaded model and what it is measured on."""

    path: Path
    name: str
    classifier: Classifier
    pixels: Pixels


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, write the figures as JSON where asked."""
    flags = _parse(argv)
    if flags.json and (flags.json.is_dir() or not os.access(flags.json.parent, os.W_OK)):  # now, not after a minute
        raise UserError(f"Expected a file in a folder that can be written to for --json, got {flags.json}")
    from benchmarks.machine import fingerprint, usable_cores
    from edge.run_folder import model_files, resolve_run, write_json

    named = {path: str(path) for path in flags.models}
    names = named or {path: path.name for path in model_files(resolve_run(flags.run))}
    limits = Limits(flags.warmup, flags.runs, flags.seconds)
    rows = measure(names, flags.threads or sorted({1, usable_cores()}), limits, skip_broken=not named)
    results = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": fingerprint(),
        "limits": asdict(limits),
        "rows": rows,
    }
    if flags.json:
        try:
            write_json(flags.json, results)
        except OSError as error:
            raise UserError(f"Could not write {flags.json}: {error.strerror}; name another --json FILE") from error
    _show(results)
    return 0


def measure(
    names: dict[Path, str], thread_counts: Sequence[int], limits: Limits, *, skip_broken: bool
) -> list[dict[str, Any]]:
    """Time models, those of equal thread count in turn.

    Args:
        names: Model files and how the rows shall call them.
        thread_counts: Threads of the runtime, each measured by itself.
        limits: How long.
        skip_broken: Whether a file that can't be loaded is named on stderr and left out.

    Returns:
        Rows as `--json` writes them.

    Raises:
        UserError: If a file can't be loaded, or none where broken ones are skipped.
    """
    rows: list[dict[str, Any]] = []
    names = dict(names)
    for num_threads in thread_counts:
        models = []
        for path, name in list(names.items()):
            try:
                models.append(_load(path, name, num_threads))
            except UserError as error:
                if not skip_broken or len(names) == 1:
                    raise
                print(f"left out {name}: {error}", file=sys.stderr)
                del names[path]
        rows += _time(models, num_threads, limits)
    return rows


def summarize(times: Milliseconds) -> dict[str, float]:
    """Return min, p50, p90 and p99 of run times in milliseconds, to a tenth of a microsecond."""
    import numpy as np

    quantiles = np.percentile(times, [0, 50, 90, 99])
    return {key: round(float(value), 4) for key, value in zip(("min", "p50", "p90", "p99"), quantiles, strict=True)}


def _load(path: Path, name: str, num_threads: int) -> _Model:
    """Load a model and the pixels beside it."""
    from benchmarks.pixels import pixels_beside
    from edge.classifier import Classifier

    return _Model(path, name, Classifier(path, num_threads), pixels_beside(path))


def _time(models: Sequence[_Model], num_threads: int, limits: Limits) -> list[dict[str, Any]]:
    """Time loaded models in turn and return their rows."""
    from edge.timing import time_alternating

    at_least_s = 2 * len(models) * (limits.warmup_s + limits.min_s)
    print(f"files to time: {len(models)}, threads: {num_threads} (at least {at_least_s:.0f} s)", file=sys.stderr)
    times = time_alternating(
        [action for model in models for action in _actions(model)],
        warmup_s=limits.warmup_s,
        min_runs=limits.min_runs,
        min_s=limits.min_s,
    )
    rows = [
        _row(model, num_threads, invoke, frame_to_label)
        for model, invoke, frame_to_label in zip(models, times[::2], times[1::2], strict=True)
    ]
    float32 = {  # the float32 file of each folder and format
        (model.path.parent, model.path.suffix): row["invoke_ms"]["p50"]
        for model, row in zip(models, rows, strict=True)
        if row["scheme"] == "float32"
    }
    for model, row in zip(models, rows, strict=True):
        reference = float32.get((model.path.parent, model.path.suffix))
        row["latency_ratio"] = round(row["invoke_ms"]["p50"] / reference, 3) if reference else None
    return rows


def _actions(model: _Model) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what is timed of a model: invoke, and the whole way from frame to label."""
    from edge.preprocess import to_image

    classifier, frames = model.classifier, itertools.cycle(model.pixels.frames)
    images = itertools.cycle([to_image(frame, classifier.image_size) for frame in model.pixels.frames])
    return lambda: classifier.scores(next(images)), lambda: classifier.classify(next(frames))


def _row(model: _Model, num_threads: int, invoke: Milliseconds, frame_to_label: Milliseconds) -> dict[str, Any]:
    """Return a model's row."""
    data = model.path.read_bytes()
    scheme = model.classifier.metadata.get("scheme")
    return {
        "model": model.name,
        # A stranger's file may say anything here, and what it says reaches the terminal.
        "scheme": scheme if isinstance(scheme, str) and re.fullmatch(r"\w{1,32}", scheme, re.ASCII) else "unknown",
        "runtime": model.classifier.runtime,
        "num_threads": num_threads,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "pixels": model.pixels.origin,
        "runs": len(invoke),
        "invoke_ms": summarize(invoke),
        "frame_to_label_ms": summarize(frame_to_label),
    }


def _show(results: dict[str, Any]) -> None:
    """Print the results: a table or, without rich, JSON."""
    try:
        from benchmarks.latency_table import print_table
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "rich":
            raise
        from edge.extras import install_line

        print(f"The figures as JSON; for a table install rich: {install_line('rich')}", file=sys.stderr)
        json.dump(results, sys.stdout, indent=2)
        print()
    else:
        print_table(results)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the flags."""
    flags = parser("python -m benchmarks.latency", "Time converted models on this machine.")
    flags.add_argument(
        "models", nargs="*", type=Path, metavar="MODEL", help=".tflite or .onnx file (default: every one of the run)"
    )
    add_run_flag(flags)
    flags.add_argument(
        "--threads", type=_thread_counts, metavar="N,N", help="thread counts to measure (default: 1 and all cores)"
    )
    flags.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    flags.add_argument("--warmup", type=_seconds, default=Limits.warmup_s, metavar="S", help="seconds of warm-up")
    flags.add_argument("--runs", type=positive_int, default=Limits.min_runs, metavar="N", help="timed runs at least")
    flags.add_argument("--seconds", type=_seconds, default=Limits.min_s, metavar="S", help="timed seconds at least")
    return flags.parse_args(argv)


def _thread_counts(text: str) -> list[int]:
    """Parse "1,4" as an argparse type; sorted, each once."""
    return sorted({thread_count(part) for part in text.split(",")})


def _seconds(text: str) -> float:
    """Parse a number of seconds, 0 or more, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
