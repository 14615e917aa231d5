"""Times the way from the start of a process to its first answer, as a device goes it after a power cut.

    python -m benchmarks.cold_start model_int8.tflite
    python -m benchmarks.cold_start model_int8.tflite --runs 50 --json cold_start.json

Each run is a fresh `camera_classify.py` on one photo, timed until its first line of JSON is there. In turn with it goes
a fresh Python that only imports what no answer comes without: NumPy, OpenCV and the runtime. The files are in the
system's cache and Python's bytecode is compiled: an untimed run of each sees to both. Runs on the device too, from a
copy of edge/ and benchmarks/.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import edge
from benchmarks.results import add_output_flags, check_outputs, write_outputs
from edge.command import command, parser, positive_int
from edge.errors import MissingPackage, UserError
from edge.extras import install_line

_RUNTIMES = {".tflite": ("ai_edge_litert", "tflite_runtime"), ".onnx": ("onnxruntime",)}
_PHOTO = "import cv2, numpy, sys; cv2.imwrite(sys.argv[1], numpy.linspace(0, 255, 921600).reshape(480, 640, 3))"
_MIB = 1 << 20


@dataclass
class Starts:
    """What fresh processes of one kind took.

    Attributes:
        name: What they do.
        line: How they are started.
        wall_s: From the start to the first line, for each.
        peak_rss_bytes: The most memory that each held.
    """

    name: str
    line: list[str]
    wall_s: list[float] = field(default_factory=list)
    peak_rss_bytes: list[int] = field(default_factory=list)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the figures, write them as JSON where asked."""
    flags = _parse(argv)
    check_outputs(flags)
    with tempfile.TemporaryDirectory(prefix="tinysight-") as folder:
        # Bytecode of our own, whatever the environment says about writing it.
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        photo = flags.photo or _make_photo(Path(folder, "photo.jpg"), environment)
        both = answers, imports = make_starts(flags.model, photo)
        for number in range(1 + flags.runs):
            for starts in both:
                wall_s, peak_rss_bytes = time_start(starts.line, environment)
                if number:  # the first is for the caches
                    starts.wall_s.append(wall_s)
                    starts.peak_rss_bytes.append(peak_rss_bytes)
    rows = [summarize(starts) for starts in both]
    ratio = rows[0]["wall_s"]["p50"] / rows[1]["wall_s"]["p50"]
    for row in rows:
        wall = ", ".join(f"{key} {value:.3f}" for key, value in row["wall_s"].items())
        print(f"{row['case']:<14} {wall} s, at most {row['peak_rss_bytes'] / _MIB:.1f} MiB")
    print(f"{answers.name} over {imports.name}: {ratio:.2f}, medians of {flags.runs} each in turn")
    from benchmarks.machine import fingerprint  # brings OpenCV: not before the last process was started

    model = {"run": flags.model.resolve().parent.name, "model": flags.model.name, "num_threads": 1, "runs": flags.runs}
    rows = [{**model, **row} for row in rows]
    rows[0]["ratio"] = round(ratio, 3)
    write_outputs(flags, "cold_start", {"machine": fingerprint(), "rows": rows})
    return 0


def make_starts(model: Path, photo: Path) -> tuple[Starts, Starts]:
    """Return the two kinds of processes for a model file: one that answers, one that only imports.

    Raises:
        UserError: If it is neither .tflite nor .onnx, or no runtime for it is installed.
    """
    modules = _RUNTIMES.get(model.suffix.lower())
    if modules is None or not model.is_file():
        raise UserError(f"Expected a .tflite or .onnx model, got {model}; name another")
    runtime = next((module for module in modules if importlib.util.find_spec(module) is not None), None)
    if runtime is None:
        raise MissingPackage(f"{model} needs a runtime. Install it: {install_line(modules[0])}")
    wanted = runtime if runtime == "onnxruntime" else f"{runtime}.interpreter"
    script = Path(edge.__file__).with_name("camera_classify.py")
    answer = [str(script), "--model", str(model), "--source", str(photo), "--max-frames", "1", "--jsonl", "-"]
    return (
        Starts("first answer", [sys.executable, *answer]),
        Starts("imports alone", [sys.executable, "-c", f"import numpy, cv2, {wanted}; print(flush=True)"]),
    )


def time_start(line: Sequence[str], environment: dict[str, str]) -> tuple[float, int]:
    """Start a process.

    Returns:
        Seconds to its first line on stdout, and the bytes of memory that it held at most until its end. The latter are
        never fewer than ours, as a process begins as a copy of the one that starts it: so nothing large is imported
        here before.

    Raises:
        UserError: If it fails; the line is its own.
    """
    with tempfile.TemporaryFile() as noted:
        start = time.perf_counter()
        with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=noted) as child:
            first = child.stdout.readline() if child.stdout else b""
            wall_s = time.perf_counter() - start
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        noted.seek(0)
        said = noted.read().decode(errors="replace").strip().splitlines()
    if child.returncode or not first:
        raise UserError(
            (said or [f"{line[0]} ended with {child.returncode} and no answer"])[-1].removeprefix("error: ")
        )
    return wall_s, usage.ru_maxrss * 1024


def summarize(starts: Starts) -> dict[str, Any]:
    """Return what is told about the processes of one kind."""
    import numpy as np

    quantiles = np.percentile(starts.wall_s, [0, 50, 90])
    wall_s = {key: round(float(value), 4) for key, value in zip(("min", "p50", "p90"), quantiles, strict=True)}
    return {"case": starts.name, "wall_s": wall_s, "peak_rss_bytes": max(starts.peak_rss_bytes)}


def _make_photo(path: Path, environment: dict[str, str]) -> Path:
    """Write a photo of 640x480, by a process of its own."""
    subprocess.run([sys.executable, "-c", _PHOTO, str(path)], env=environment, check=True)
    return path


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the flags."""
    flags = parser("python -m benchmarks.cold_start", "Time the way from the start of a process to its first answer.")
    flags.add_argument(
        "model",
        nargs="?",
        type=Path,
        default=Path("runs/latest/model_int8.tflite"),
        metavar="MODEL",
        help=".tflite or .onnx",
    )
    flags.add_argument("--photo", type=Path, metavar="FILE", help="what to answer (default: one made for it, 640x480)")
    flags.add_argument("--runs", type=positive_int, default=20, metavar="N", help="timed processes of each kind")
    add_output_flags(flags)
    return flags.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
