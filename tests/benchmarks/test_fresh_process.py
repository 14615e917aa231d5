import json
import sys

import numpy as np
import pytest

from benchmarks import fresh_process
from benchmarks.fresh_process import main, measure_fresh, read_peak_memory
from edge import UserError
from tests.benchmarks.board import write


def test_a_new_process_holds_what_it_needs_and_not_what_its_parent_holds(digits_run):
    ballast = np.ones(300_000_000 // 8)  # vfork hands this on in getrusage's ru_maxrss
    measured = measure_fresh(digits_run / "model_int8.tflite", "ai-edge-litert", 1)
    assert 20e6 < measured["peak_rss_bytes"] < 250e6 < ballast.nbytes
    assert min(measured[key] for key in ("import_ms", "load_ms", "first_inference_ms")) > 0


def test_the_command_prints_json(digits_run, capsys):
    assert main([str(digits_run / "model_float32.onnx"), "--runtime", "onnxruntime"]) == 0
    assert {"import_ms", "load_ms", "first_inference_ms", "peak_rss_bytes"} == json.loads(
        capsys.readouterr().out
    ).keys()


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "text.tflite").write_text("I am no model")
    with pytest.raises(UserError, match=r"text\.tflite.*exited 1: error: "):
        measure_fresh(tmp_path / "text.tflite", "ai-edge-litert", 1)


def test_a_process_that_says_something_else(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh_process.sys, "executable", "/bin/echo")
    with pytest.raises(UserError, match="new process"):
        measure_fresh(tmp_path / "model.tflite", "ai-edge-litert", 1)


def test_the_most_memory_that_linux_tells(tmp_path):
    status = write(tmp_path / "status", "Name:\tpython3\nVmPeak:\t  900000 kB\nVmHWM:\t   43210 kB\nVmRSS:\t 99 kB")
    assert read_peak_memory(status) == 43210 * 1024
    assert read_peak_memory(write(tmp_path / "status", "Name:\tpython3\nVmHWM:")) is None
    assert read_peak_memory(tmp_path / "none") is None
    if sys.platform == "linux":
        assert read_peak_memory() > 1e6
