"""Asks a model in a process of its own: what a figure needs that must not see what this process did before.

Peak memory is such a figure. Linux hands `ru_maxrss` down to a child that is started from a big process (319 MB was
read in a child that used 9, its parent held 300), so the kernel's mark of the child's own pages is read, `VmHWM`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from edge.errors import UserError

_LONGEST_S = 300
_CODE = "import sys; from benchmarks.fresh_process import answer_once; answer_once(sys.argv[1])"


def peak_rss_bytes(model: Path, num_threads: int, runtime: str | None) -> int:
    """Return the most memory that a fresh process held while it loaded a model and answered one camera frame.

    All of it counts: Python, NumPy, OpenCV and the runtime (110 MB, say) beside the model.

    Args:
        model: The model file.
        num_threads: Threads of the runtime.
        runtime: One of `edge.runtimes.RUNTIMES`; None for the first that takes the file and is installed.

    Raises:
        UserError: If the model can't be loaded or asked.
    """
    asked = json.dumps({"model": str(model.absolute()), "num_threads": num_threads, "runtime": runtime})
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CODE, asked],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{model} gave no answer in {_LONGEST_S} s in a process of its own; ask fewer files") from error
    said = (done.stderr.strip() or "it was killed, so likely for want of memory").splitlines()[-1]
    if done.returncode == 1 and said.startswith("error: "):
        raise UserError(said.removeprefix("error: "))
    if done.returncode != 0 or not done.stdout.strip().isdecimal():
        raise UserError(f"{model} could not be asked in a process of its own (exit {done.returncode}): {said}")
    return int(done.stdout)


def answer_once(asked: str) -> None:
    """Load a model, answer one frame, print the peak of this process's memory in bytes; exit 1 for a `UserError`.

    Args:
        asked: "model", "num_threads" and "runtime" as JSON.
    """
    import numpy as np

    from edge.classifier import Classifier
    from edge.extras import explained

    given = json.loads(asked)
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    try:
        with explained():
            Classifier(given["model"], given["num_threads"], runtime=given["runtime"]).classify(frame)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    print(own_peak_rss_bytes())


def own_peak_rss_bytes() -> int:
    """Return the most memory that this process held so far, in bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak) * 1024
    except (OSError, ValueError):  # no Linux
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
