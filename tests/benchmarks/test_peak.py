import sys

import numpy as np
import pytest

from benchmarks.peak import summarize_yardsticks, time_call, time_yardsticks


@pytest.mark.parametrize("runtime", ["ai-edge-litert", "onnxruntime"])
def test_a_runtimes_yardsticks(runtime):
    times = time_yardsticks(runtime, 1, warmup_s=0, min_runs=3, min_s=0)
    assert {key: len(each) for key, each in times.items()} == {"int8": 3, "float32": 3, "empty": 3}
    assert min(each.min() for each in times.values()) > 0


@pytest.mark.parametrize(
    ("runtime", "missing"),
    [
        ("ai-edge-litert", "ai_edge_litert.schema_py_generated"),
        ("ai-edge-litert", "flatbuffers"),
        ("onnxruntime", "onnx"),
    ],
)
def test_without_the_package_that_makes_them_there_is_none(runtime, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    assert time_yardsticks(runtime, 1, warmup_s=0, min_runs=1, min_s=0) is None


def test_the_quickest_run_of_all_repeats_is_the_peak():
    quick = {"int8": np.array([2.0, 1.0]), "float32": np.array([4.0]), "empty": np.array([0.01])}
    slow = {"int8": np.array([9.0]), "float32": np.array([2.0]), "empty": np.array([0.03])}
    found = summarize_yardsticks("ai-edge-litert", 2, [quick, None, slow])
    # 134,479,872 multiply-accumulates in 1 ms are 134.5 billion a second
    assert (found["int8_gmacs"], found["float32_gmacs"]) == (134.5, 67.2)
    assert (found["runtime"], found["num_threads"], found["empty_model_ms"]["p50"]) == ("ai-edge-litert", 2, 0.02)


def test_where_nothing_could_be_measured_nothing_is_said():
    found = summarize_yardsticks("tflite-runtime", 1, [None, None])
    assert {found[key] for key in ("int8_gmacs", "float32_gmacs", "empty_model_ms")} == {None}


def test_a_call_of_nothing():
    assert time_call(1)["min"] >= 0
