"""What a model costs a process that has just begun: imports, load, first inference, the most memory it ever held.

    python -m benchmarks.fresh_process MODEL

A process that has loaded one model already is a poor judge of that, so `measure_fresh` starts a new one each time. The
memory is Linux's VmHWM: getrusage's ru_maxrss counts what the *parent* held where it started the child by vfork, as
Python does (measured: 221 MB for a child of 9).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.command import add_num_threads_flag, command, parser
from edge.errors import UserError

_LONGEST_S = 300
_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "onnxruntime": "onnxruntime",
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Load a model, ask it once, print what that took as JSON."""
    flags = parser("python -m benchmarks.fresh_process", "Measure a model's load and first inference in this process.")
    flags.add_argument("model", type=Path, metavar="MODEL", help=".tflite or .onnx file")
    flags.add_argument("--runtime", choices=sorted(_MODULES), default="ai-edge-litert", help="what runs it")
    add_num_threads_flag(flags)
    given = flags.parse_args(argv)
    print(json.dumps(measure_here(given.model, given.runtime, given.num_threads)))
    return 0


def measure_here(path: Path, runtime: str, num_threads: int) -> dict[str, Any]:
    """Measure in this process, which should be a new one.

    Args:
        path: The model file.
        runtime: One of `edge.runtimes.RUNTIMES`.
        num_threads: Threads of the runtime.

    Returns:
        import_ms (NumPy, OpenCV, the runtime), load_ms (file to a runtime that is ready), first_inference_ms (resizing
        and ranking included), peak_rss_bytes; None where this system doesn't tell the memory.

    Raises:
        UserError: If the file can't be loaded.
    """
    start = time.perf_counter()
    from edge import runtimes
    from edge.pixel_input import describe_input
    from edge.preprocess import to_image

    with contextlib.suppress(ImportError):  # `load` says better what is missing
        importlib.import_module(_MODULES[runtime])
    imported = time.perf_counter()
    loaded = runtimes.load(path, num_threads, runtime)
    pixels = describe_input(path, loaded.input_shape, loaded.input_dtype, loaded.input_range)
    loaded.prepare(pixels)
    ready = time.perf_counter()
    import numpy as np

    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    drawn = time.perf_counter()
    scores = loaded.invoke(to_image(frame, pixels.image_size))
    scores.argmax()
    answered = time.perf_counter()
    return {
        "import_ms": round((imported - start) * 1e3, 2),
        "load_ms": round((ready - imported) * 1e3, 3),
        "first_inference_ms": round((answered - drawn) * 1e3, 3),
        "peak_rss_bytes": read_peak_memory(),
    }


def measure_fresh(path: Path, runtime: str, num_threads: int) -> dict[str, Any]:
    """Return what `measure_here` gives in a new process.

    Raises:
        UserError: If that process fails.
    """
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    line = [sys.executable, "-m", "benchmarks.fresh_process", "--runtime", runtime, "--num-threads", str(num_threads)]
    try:
        done = subprocess.run(
            [*line, "--", str(path.resolve())],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=True,
        )
        measured: dict[str, Any] = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"Expected {path} to load in a new process, it exited {error.returncode}: {said}") from error
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise UserError(f"Expected {path} to load and answer in a new process, got {error}") from error
    return measured


def read_peak_memory(status: Path = Path("/proc/self/status")) -> int | None:
    """Return the most bytes of memory that this process ever held; None where the system doesn't tell.

    Args:
        status: The process's /proc/PID/status.
    """
    try:
        lines = status.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("VmHWM:")]
    return int(found[0][1]) * 1024 if found and found[0][1:2] and found[0][1].isdecimal() else None


if __name__ == "__main__":
    sys.exit(main())
