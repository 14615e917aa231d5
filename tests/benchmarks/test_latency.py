import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from benchmarks import latency_rows
from benchmarks.latency import main
from benchmarks.machine import usable_cores
from edge import runtimes
from tests.tree import ROOT

QUICK = ["--warmup", "0", "--runs", "4", "--seconds", "0", "--repeats", "1"]
FRESH = {"import_ms": 300.0, "load_ms": 5.0, "first_inference_ms": 2.0, "peak_rss_bytes": 70_000_000}
# Runs a module as a command while the packages named first can't be imported.
WITHOUT = """
import runpy, sys
for name in sys.argv[1].split():
    sys.modules[name] = None
sys.argv[:] = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(autouse=True)
def no_new_processes(monkeypatch):
    """Leave out what takes a second a file; test_fresh_process has it."""
    monkeypatch.setattr(latency_rows, "measure_fresh", lambda path, runtime, num_threads: FRESH)


def test_every_file_of_a_run(digits_run, tmp_path, capsys):
    results = tmp_path / "latency.json"
    assert main(["--run", str(digits_run), "--threads", "2,1,2", "--json", str(results), *QUICK]) == 0
    written = json.loads(results.read_text())
    assert {"created", "machine", "before", "after", "limits", "peaks", "empty_call_ms", "rows"} <= written.keys()
    assert [(peak["runtime"], peak["num_threads"]) for peak in written["peaks"]] == [
        (runtime, count) for count in (1, 2) for runtime in ("ai-edge-litert", "onnxruntime")
    ]
    assert all(min(peak["int8_gmacs"], peak["float32_gmacs"]) > 0 for peak in written["peaks"])
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
        assert (row["run"], row["pixels"]) == ("digits", "eval.npz")
        assert row["runs"] >= 4
        assert row["macs"] == 10_585_344  # by hand in test_macs
        assert row["gmacs"] == pytest.approx(10.585344 / row["invoke_ms"]["p50"], rel=0.01)
        assert row["peak_share"] > 0
        assert {key: row[key] for key in FRESH} == FRESH
        assert row["noisy"] is None  # one measure can disagree with nobody
        assert row["repeat_p50_ms"]["invoke"] == [row["invoke_ms"]["p50"]]
        assert list(row["stages_ms"]) == ["decode", "resize", "invoke", "post"]
        assert all(stage["min"] > 0 for stage in row["stages_ms"].values())
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


def test_repeats_are_put_together(digits_run, tmp_path, capsys):
    results = tmp_path / "latency.json"
    flags = [*QUICK[:-1], "3", "--threads", "1", "--json", str(results)]
    assert main([str(digits_run / "model_int8.tflite"), *flags]) == 0
    (row,) = json.loads(results.read_text())["rows"]
    medians = row["repeat_p50_ms"]["invoke"]
    assert len(medians) == 3
    assert min(medians) <= row["invoke_ms"]["p50"] <= max(medians)
    assert row["runs"] >= 12


def test_a_file_in_each_runtime_that_takes_it(digits_run, tmp_path, capsys):
    results = tmp_path / "latency.json"
    flags = ["--runtime", "onnxruntime,ai-edge-litert", "--threads", "1", "--results", str(results), *QUICK]
    assert main(["--run", str(digits_run), *flags]) == 0
    rows = json.loads(results.read_text())["latency"]["rows"]
    assert {(row["model"].partition(".")[2], row["runtime"].partition(" ")[0]) for row in rows} == {
        ("tflite", "ai-edge-litert"),
        ("onnx", "onnxruntime"),
    }
    assert main([str(digits_run / "model_int8.tflite"), "--runtime", "onnxruntime", *QUICK]) == 1
    assert "onnxruntime can't run" in capsys.readouterr().err


def test_threads_are_one_and_all_unless_said(digits_run, tmp_path, capsys):
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    results = tmp_path / "latency.json"
    assert main([str(tmp_path / "model_int8.tflite"), "--json", str(results), *QUICK]) == 0
    rows = json.loads(results.read_text())["rows"]
    assert [row["num_threads"] for row in rows] == sorted({1, usable_cores()})
    assert [row["model"] for row in rows] == ["model_int8.tflite"] * len(rows)
    assert [row["run"] for row in rows] == [tmp_path.name] * len(rows)
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
    assert main(["--run", str(digits_run), "--source", "0"]) == 1
    _assert_one_line(capsys, "--sustained")


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
        ["--repeats", "0"],
        ["--runtime", "tensorflow"],
        ["--sustained", "0"],
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
    missing = "rich matplotlib psutil onnx onnxruntime tensorflow tf_keras flask sklearn"
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
    assert row["peak_rss_bytes"] > 20e6  # of a new process, which found the copy too
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
