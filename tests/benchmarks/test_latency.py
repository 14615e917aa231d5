import hashlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.latency import main, summarize
from benchmarks.machine import usable_cores
from edge import runtimes
from tests.tree import ROOT

QUICK = ["--warmup", "0", "--runs", "4", "--seconds", "0"]
# Runs a module as a command while the packages named first can't be imported.
WITHOUT = """
import runpy, sys
for name in sys.argv[1].split():
    sys.modules[name] = None
sys.argv[:] = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def test_percentiles_are_numpys_linear_ones():
    assert summarize(np.array([4.0, 1.0, 3.0, 2.0, 5.0])) == {"min": 1.0, "p50": 3.0, "p90": 4.6, "p99": 4.96}
    assert summarize(np.array([0.25])) == {"min": 0.25, "p50": 0.25, "p90": 0.25, "p99": 0.25}


def test_every_file_of_a_run(digits_run, tmp_path, capsys):
    results = tmp_path / "latency.json"
    assert main(["--run", str(digits_run), "--threads", "2,1,2", "--json", str(results), *QUICK]) == 0
    written = json.loads(results.read_text())
    assert {"created", "machine", "limits", "rows"} <= written.keys()
    files = sorted(path.name for path in digits_run.glob("model_*"))
    for num_threads in (1, 2):
        assert sorted(row["model"] for row in written["rows"] if row["num_threads"] == num_threads) == files
    assert len(written["rows"]) == 2 * len(files)
    for row in written["rows"]:
        data = (digits_run / row["model"]).read_bytes()
        assert row["size_bytes"] == len(data)
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["scheme"] == ("int8" if "int8" in row["model"] else "float32")
        assert row["runtime"].startswith("onnxruntime " if row["model"].endswith(".onnx") else "ai-edge-litert ")
        assert row["pixels"] == "eval.npz"
        assert row["runs"] >= 4
        for measure in ("invoke_ms", "frame_to_label_ms"):
            times = row[measure]
            assert 0 < times["min"] <= times["p50"] <= times["p90"] <= times["p99"]
    said = capsys.readouterr()
    assert "2 threads" in said.out
    assert all(file in said.out for file in files)


def test_the_ratio_is_against_the_float32_file_of_the_same_format(digits_run, tmp_path, capsys):
    results = tmp_path / "latency.json"
    assert main(["--run", str(digits_run), "--threads", "1", "--json", str(results), *QUICK]) == 0
    rows = {row["model"]: row for row in json.loads(results.read_text())["rows"]}
    int8, float32 = rows["model_int8.tflite"], rows["model_float32.tflite"]
    assert int8["latency_ratio"] == pytest.approx(int8["invoke_ms"]["p50"] / float32["invoke_ms"]["p50"], abs=1e-3)
    assert rows["model_float32.onnx"]["latency_ratio"] == 1


def test_threads_are_one_and_all_unless_said(digits_run, tmp_path, capsys):
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    results = tmp_path / "latency.json"
    assert main([str(tmp_path / "model_int8.tflite"), "--json", str(results), *QUICK]) == 0
    rows = json.loads(results.read_text())["rows"]
    assert [row["num_threads"] for row in rows] == sorted({1, usable_cores()})
    assert [row["model"] for row in rows] == [str(tmp_path / "model_int8.tflite")] * len(rows)  # as it was typed
    assert rows[0]["latency_ratio"] is None  # no float32 file was timed beside it
    assert rows[0]["pixels"] == "synthetic"
    assert "synthetic pixels" in capsys.readouterr().out


def test_without_a_runtime_for_a_format_the_runs_other_files_are_timed(digits_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", _find_all_but("onnxruntime"))
    assert main(["--run", str(digits_run), "--json", str(tmp_path / "latency.json"), "--threads", "1,2", *QUICK]) == 0
    said = capsys.readouterr()
    assert said.err.count("left out model_float32.onnx: ") == 1
    assert "pip install" in said.err
    assert {row["model"] for row in json.loads((tmp_path / "latency.json").read_text())["rows"]} == {
        path.name for path in digits_run.glob("model_*.tflite")
    }


def test_a_named_file_without_its_runtime_is_an_error(digits_run, capsys, monkeypatch):
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", _find_all_but("onnxruntime"))
    assert main([str(digits_run / "model_float32.onnx"), str(digits_run / "model_int8.tflite"), *QUICK]) == 1
    _assert_one_line(capsys, "onnxruntime")


def test_a_run_of_broken_files_alone_is_an_error(tmp_path, capsys):
    (tmp_path / "model_float32.tflite").write_text("no model")
    (tmp_path / "model_int8.tflite").write_text("no model")
    assert main(["--run", str(tmp_path), *QUICK]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["left out model_float32.tflite", "error"]


def test_bad_input_is_one_line(digits_run, tmp_path, capsys):
    assert main(["--run", str(tmp_path / "none")]) == 1
    _assert_one_line(capsys, "train.run")
    assert main(["--run", str(tmp_path)]) == 1
    _assert_one_line(capsys, "convert.quantize")
    (tmp_path / "text.tflite").write_text("I am no model")
    assert main([str(tmp_path / "text.tflite")]) == 1
    _assert_one_line(capsys, "text.tflite")
    assert main([str(tmp_path / "missing.tflite")]) == 1
    _assert_one_line(capsys, "missing.tflite")
    assert main(["--run", str(digits_run), "--json", str(tmp_path / "none" / "latency.json")]) == 1
    _assert_one_line(capsys, "--json")
    assert main(["--run", str(digits_run), "--json", str(tmp_path)]) == 1
    _assert_one_line(capsys, "--json")


@pytest.mark.parametrize(
    "flags",
    [
        ["--threads", "0"],
        ["--threads", "1,"],
        ["--threads", "two"],
        ["--threads", "1000000"],
        ["--runs", "0"],
        ["--seconds", "-1"],
        ["--seconds", "nan"],
        ["--warmup", "inf"],
    ],
    ids=" ".join,
)
def test_wrong_flags_exit_2(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(flags)
    assert stopped.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_a_copy_on_a_device_needs_neither_rich_nor_a_second_runtime(digits_run, tmp_path):
    shutil.copytree(ROOT / "edge", tmp_path / "edge")
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks")
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    shutil.copy(digits_run / "eval.npz", tmp_path)
    missing = "rich onnxruntime tensorflow tf_keras flask sklearn"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, "benchmarks.latency", "model_int8.tflite", "--threads", "1", *QUICK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["model"], row["pixels"]) == ("model_int8.tflite", "eval.npz")
    assert "pip install" in done.stderr
    assert str(ROOT / "edge") not in done.stderr


def _find_all_but(absent):
    """Return a find_spec for which one package isn't installed."""
    find_spec = runtimes.importlib.util.find_spec
    return lambda name, package=None: None if name == absent else find_spec(name, package)


def _assert_one_line(capsys, part):
    """Check that a command printed one line on stderr, with `part` in it, and nothing else."""
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert part in said.err
