"""What this machine can do at most in a runtime, and what asking costs: what a model's figures stand beside."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import yardsticks, yardsticks_onnx
from benchmarks.percentiles import summarize
from edge.classifier import Classifier
from edge.runtimes import ONNXRUNTIME
from edge.timing import Milliseconds, time_alternating

_IMAGES = 4
_Times = dict[str, Milliseconds]


def time_yardsticks(runtime: str, num_threads: int, *, warmup_s: float, min_runs: int, min_s: float) -> _Times | None:
    """Time the yardsticks in a runtime, in turn; see `edge.timing.time_alternating` for the limits.

    Returns:
        Milliseconds by "int8", "float32", "empty"; None where the package that makes them isn't installed.
    """
    try:
        files = _make(runtime)
    except ImportError:
        return None
    with tempfile.TemporaryDirectory(prefix="yardsticks-") as folder:
        actions = [_action(Path(folder, name), content, runtime, num_threads) for name, content in files.items()]
    times = time_alternating(actions, warmup_s=warmup_s, min_runs=min_runs, min_s=min_s)
    return dict(zip(("int8", "float32", "empty"), times, strict=True))


def summarize_yardsticks(runtime: str, num_threads: int, repeats: list[_Times | None]) -> dict[str, Any]:
    """Return what the yardsticks say.

    Args:
        runtime: The runtime's name.
        num_threads: Its threads.
        repeats: What `time_yardsticks` gave, each time.

    Returns:
        runtime, num_threads, int8_gmacs and float32_gmacs (billions of multiply-accumulates a second in the quickest
        run), empty_model_ms (what asking costs, Python included); None where nothing could be measured.
    """
    times = [each for each in repeats if each is not None]
    said: dict[str, Any] = {"runtime": runtime, "num_threads": num_threads}
    if not times:
        return {**said, "int8_gmacs": None, "float32_gmacs": None, "empty_model_ms": None}
    for kind in ("int8", "float32"):
        quickest_ms = min(float(each[kind].min()) for each in times)
        said[f"{kind}_gmacs"] = round(yardsticks.MACS / quickest_ms / 1e6, 1)
    return {**said, "empty_model_ms": summarize(np.concatenate([each["empty"] for each in times]))}


def time_call(min_runs: int) -> dict[str, float]:
    """Return what timing a call of nothing gives, milliseconds: the harness's own share in every figure."""
    (times,) = time_alternating([lambda: None], warmup_s=0, min_runs=max(min_runs, 1000), min_s=0)
    return summarize(times)


def _make(runtime: str) -> dict[str, bytes]:
    """Return the yardsticks of a runtime: busy in int8, busy in float32, empty."""
    if runtime == ONNXRUNTIME:
        busy, empty, suffix = yardsticks_onnx.busy_onnx, yardsticks_onnx.empty_onnx(), ".onnx"
    else:
        busy, empty, suffix = yardsticks.busy_tflite, yardsticks.empty_tflite(), ".tflite"
    return {f"int8{suffix}": busy(True), f"float32{suffix}": busy(False), f"empty{suffix}": empty}


def _action(path: Path, content: bytes, runtime: str, num_threads: int) -> Callable[[], object]:
    """Return what asks a yardstick, as `TimedModel.actions` asks a model."""
    path.write_bytes(content)
    classifier = Classifier(path, num_threads, runtime=runtime)
    shape = (*classifier.image_size, 3)
    images = itertools.cycle([np.random.default_rng(seed).integers(0, 256, shape, np.uint8) for seed in range(_IMAGES)])
    return lambda: classifier.scores(next(images))
