"""Times converted models as users will meet them: real pixels, warmed up, percentiles, one after the other in turn.

    python -m benchmarks.latency                        every converted file of runs/latest
    python -m benchmarks.latency MODEL... --threads 1,4 these files, with 1 and with 4 threads
    python -m benchmarks.latency --sustained 30         a camera's frames for half an hour, minute by minute

Runs on the device too, from a copy of edge/ and benchmarks/ with numpy, OpenCV and one runtime. Pixels come from the
eval.npz beside a model. `invoke` is an image in, scores out; `frame to label` is a decoded 640x480 camera frame in,
the best class out. See `benchmarks.sustained` for what `--sustained` writes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.results import add_output_flags, check_outputs, write_outputs
from edge.command import add_run_flag, command, parser, positive_int, thread_counts
from edge.errors import UserError

_RUNTIMES = ("ai-edge-litert", "tflite-runtime", "onnxruntime")  # edge.runtimes takes a second to import


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, write the figures as JSON where asked."""
    flags = _parse(argv)
    if flags.sustained is not None:
        from benchmarks.sustained import main_of

        return main_of(flags)
    if flags.source is not None or flags.plot is not None:
        raise UserError(f"Expected --sustained MINUTES with --{'source' if flags.source else 'plot'}; add it")
    check_outputs(flags)
    from benchmarks.condition import read_condition
    from benchmarks.latency_rows import Limits, list_entries, measure
    from benchmarks.machine import fingerprint, usable_cores
    from benchmarks.peak import time_call
    from edge.run_folder import model_files, resolve_run

    files = flags.models or model_files(resolve_run(flags.run))
    limits = Limits(flags.warmup, flags.runs, flags.seconds, flags.repeats)
    before = read_condition()
    entries = list_entries(files, flags.runtime or ())
    rows, peaks = measure(entries, flags.threads or sorted({1, usable_cores()}), limits, skip_broken=not flags.models)
    results = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": fingerprint(),
        "before": before,
        "after": read_condition(),
        "limits": asdict(limits),
        "peaks": peaks,
        "empty_call_ms": time_call(limits.min_runs),
        "rows": rows,
    }
    write_outputs(flags, "latency", results)
    _show(results)
    return 0


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
        "--threads", type=thread_counts, metavar="N,N", help="thread counts to measure (default: 1 and all cores)"
    )
    flags.add_argument(
        "--runtime",
        type=_runtimes,
        metavar="NAME,NAME",
        help=f"runtimes to measure, of {', '.join(_RUNTIMES)} (default: the first that takes a file and is installed)",
    )
    add_output_flags(flags)
    flags.add_argument("--warmup", type=_seconds, default=0.5, metavar="S", help="seconds of warm-up")
    flags.add_argument("--runs", type=positive_int, default=50, metavar="N", help="timed runs at least")
    flags.add_argument("--seconds", type=_seconds, default=1.0, metavar="S", help="timed seconds at least")
    flags.add_argument(
        "--repeats", type=positive_int, default=2, metavar="N", help="how often to do it all; tells noise from figures"
    )
    flags.add_argument(
        "--sustained", type=_minutes, metavar="MINUTES", help="classify a camera's frames for so long with one model"
    )
    flags.add_argument(
        "--source",
        metavar="SRC",
        help="with --sustained: camera, stream or video (default: test photos at 30 a second)",
    )
    flags.add_argument(
        "--plot", type=Path, metavar="FILE", help="with --sustained: the plot, a PNG (default: beside the JSON)"
    )
    return flags.parse_args(argv)


def _runtimes(text: str) -> list[str]:
    """Parse "ai-edge-litert,onnxruntime" as an argparse type; each once."""
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in _RUNTIMES:
            raise argparse.ArgumentTypeError(f"expected one or several of {', '.join(_RUNTIMES)}, got {name!r}")
    return names


def _seconds(text: str) -> float:
    """Parse a number of seconds, 0 or more, as an argparse type."""
    return _number(text, "seconds, 0 or more")


def _minutes(text: str) -> float:
    """Parse a number of minutes above 0, as an argparse type."""
    value = _number(text, "minutes above 0")
    if not value:
        raise argparse.ArgumentTypeError(f"expected minutes above 0, got {text!r}")
    return value


def _number(text: str, expected: str) -> float:
    """Parse a number of 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
