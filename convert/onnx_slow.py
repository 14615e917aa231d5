"""Which operations make an int8 .onnx slower than its float32 file, by onnxruntime's own profile."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_RUNS = 30
_TOLD = 3  # operations that a warning names at most
_LEAST = 0.1  # of all time lost: less isn't worth a word


def explain(float32_onnx: bytes, quantized: bytes) -> str:
    """Return in one line which operations take longer in int8 than in float32; empty where none does.

    Args:
        float32_onnx: The float32 .onnx.
        quantized: The int8 .onnx of the same model.
    """
    return describe(time_operations(float32_onnx), time_operations(quantized))


def time_operations(content: bytes) -> Counter[str]:
    """Return the milliseconds that the operations of each type take in a run on one thread, fused as they are run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory(prefix="profiling-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(content, options)
        (given,) = session.get_inputs()
        shape = [size if isinstance(size, int) else 1 for size in given.shape]
        pixels = np.zeros(shape, np.uint8 if given.type == "tensor(uint8)" else np.float32)
        for _ in range(_RUNS):
            session.run(None, {given.name: pixels})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times.setdefault(f"{event['args']['op_name']} {event['name']}", []).append(event["dur"] / 1000)
    per_type: Counter[str] = Counter()
    for name, each in times.items():
        per_type[name.partition(" ")[0]] += float(np.median(each))
    return per_type


def describe(float32: Mapping[str, float], int8: Mapping[str, float]) -> str:
    """Return the types of operations that lose most, the worst first.

    Args:
        float32: Milliseconds by type, from `time_operations`.
        int8: The same of the quantized file.
    """
    before: Counter[str] = Counter()
    for name, spent in float32.items():
        before[_plain(name)] += spent
    after: Counter[str] = Counter()
    for name, spent in int8.items():
        after[_plain(name)] += spent
    lost = {name: spent - before[name] for name, spent in after.items() if spent > before[name]}
    told = []
    for name, each in sorted(lost.items(), key=lambda item: -item[1])[:_TOLD]:
        if each < _LEAST * sum(lost.values()):
            break
        told.append(f"{name} loses {each:.2f} ms")
    return "; ".join(told)


def _plain(name: str) -> str:
    """Return an operation's name as a float graph has it: "Conv" of "QLinearConv" and of "FusedConv"."""
    plain = name.removeprefix("Nhwc").removeprefix("QLinear").removeprefix("Fused").removeprefix("Q")
    return {"uantizeLinear": "QuantizeLinear", "Gemm": "MatMul", "MatMulInteger": "MatMul"}.get(plain, plain)
