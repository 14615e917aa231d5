"""Holds our invoke times against LiteRT's own tools, which go by the same rules: are they the runtime's, or Python's?

    python -m benchmarks.native_check --run runs/latest
    python -m benchmarks.native_check MODEL... --binary ./benchmark_model

The native benchmark_model is used where it is named or on the PATH. Without it the tool that ai-edge-litert installs
(litert-benchmark: another interface of the runtime, timed by Python) is run for as many runs as the same rules give.
Both sides take turns, and each one's quickest round counts, since a neighbour on the machine only ever adds.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.command import add_num_threads_flag, add_run_flag, command, parser, positive_int
from edge.errors import UserError

_WARMUP_S, _MIN_RUNS, _MIN_S = 0.5, 50, 1.0  # benchmark_model's defaults, and benchmarks.latency's
_LONGEST_S = 600
# As benchmark_model ends: "count=331 first=3015 curr=2994 min=2960 max=3412 avg=3021.5 std=40 ...", in microseconds.
_TIMINGS = re.compile(r"count=\d+ .*?\bmin=([\d.]+(?:e[+-]?\d+)?) .*?\bavg=([\d.]+(?:e[+-]?\d+)?)")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Time each model by both, print the ratios."""
    flags = parser("python -m benchmarks.native_check", "Compare our invoke times with those of LiteRT's own tools.")
    flags.add_argument(
        "models", nargs="*", type=Path, metavar="MODEL", help=".tflite file (default: every one of the run)"
    )
    add_run_flag(flags)
    add_num_threads_flag(flags)
    flags.add_argument("--binary", metavar="FILE", help="LiteRT's benchmark_model (default: the one on the PATH)")
    flags.add_argument("--rounds", type=positive_int, default=5, metavar="N", help="how often both are run, in turn")
    given = flags.parse_args(argv)
    binary = shutil.which(given.binary or "benchmark_model")
    if given.binary and binary is None:
        raise UserError(f"Expected a program at --binary {given.binary}, there is none that can be run; name another")
    from edge.run_folder import model_files, resolve_run

    models = given.models or [path for path in model_files(resolve_run(given.run)) if path.suffix == ".tflite"]
    for path in models:
        compared = compare(path, given.num_threads, binary, given.rounds)
        print(
            f"{path}: quickest run {compared['ours_min_ms']:.3f} ms, by {compared['tool']} "
            f"{compared['theirs_min_ms']:.3f} ms: {compared['min_ratio']:.3f}; mean of the best round "
            f"{compared['ours_mean_ms']:.3f} and {compared['theirs_mean_ms']:.3f} ms: {compared['mean_ratio']:.3f}",
            flush=True,
        )
    return 0


def compare(path: Path, num_threads: int, binary: str | None, rounds: int) -> dict[str, Any]:
    """Time a model by both in turn.

    Args:
        path: A .tflite.
        num_threads: Threads of the runtime.
        binary: The program benchmark_model; None for the Python tool of ai-edge-litert.
        rounds: How often each is run.

    Returns:
        tool, ours_min_ms, theirs_min_ms, min_ratio (ours over theirs) and the same for the mean of the best round.

    Raises:
        UserError: If the file can't be loaded, or the tool fails.
    """
    from benchmarks.timed_model import Entry, load
    from edge.timing import time_alternating

    invoke, _ = load(Entry(path, "ai-edge-litert"), num_threads).actions()
    ours, theirs = [], []
    for _ in range(rounds):
        (times,) = time_alternating([invoke], warmup_s=_WARMUP_S, min_runs=_MIN_RUNS, min_s=_MIN_S)
        mean = float(times.mean())
        ours.append((float(times.min()), mean))
        theirs.append(_ask_binary(binary, path, num_threads) if binary else _ask_python(path, num_threads, mean))
    result: dict[str, Any] = {"tool": Path(binary).name if binary else "litert-benchmark"}
    for place, name in enumerate(("min", "mean")):
        our, their = (min(each[place] for each in side) for side in (ours, theirs))
        result |= {f"ours_{name}_ms": our, f"theirs_{name}_ms": their, f"{name}_ratio": our / their}
    return result


def parse_timings(text: str) -> tuple[float, float]:
    """Return min and mean in milliseconds of the timed runs that benchmark_model tells of, after those of its warm-up.

    Raises:
        UserError: If it tells of none.
    """
    found = _TIMINGS.findall(text)
    if not found:
        raise UserError(f"Expected benchmark_model's timings, got {text.strip()[-80:]!r}; name another --binary")
    least, mean = found[-1]
    return float(least) / 1e3, float(mean) / 1e3


def _ask_binary(binary: str, path: Path, num_threads: int) -> tuple[float, float]:
    """Run benchmark_model, with its own rules."""
    return parse_timings(_run([binary, f"--graph={path}", f"--num_threads={num_threads}"]))


def _ask_python(path: Path, num_threads: int, mean_ms: float) -> tuple[float, float]:
    """Run the tool of ai-edge-litert, which knows numbers of runs alone."""
    warmups, runs = (max(1, math.ceil(seconds * 1e3 / mean_ms)) for seconds in (_WARMUP_S, _MIN_S))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        _run(
            [
                *(sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model", f"--model={path}"),
                *(f"--num_threads={num_threads}", f"--warmup_runs={warmups}", f"--num_runs={max(_MIN_RUNS, runs)}"),
                f"--result_json={report}",
            ]
        )
        try:
            latency = json.loads(report.read_text(encoding="utf-8"))["latency"]
            return float(latency["min_ms"]), float(latency["avg_ms"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"Expected a report of litert-benchmark about {path}, got {error}") from error


def _run(line: list[str]) -> str:
    """Run a tool and return what it says."""
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=_LONGEST_S, check=True, errors="replace")
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise UserError(f"Expected {Path(line[0]).name} to time the model, it failed: {' '.join(said)}") from error
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
