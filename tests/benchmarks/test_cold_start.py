import json
import shutil
import subprocess
import sys

import pytest

from benchmarks.cold_start import Starts, main, make_starts, summarize, time_start
from edge.errors import UserError
from tests.tree import ROOT


def start(*arguments):
    line = [sys.executable, "-m", "benchmarks.cold_start", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_start_is_measured_beside_the_bare_imports(digits_run, tmp_path):
    model, results = digits_run / "model_int8.tflite", tmp_path / "cold_start.json"
    done = start(model, "--runs", "1", "--json", results)  # a process of its own: a child's memory begins at ours
    assert done.returncode == 0, done.stderr
    answer, imports, ratio = done.stdout.splitlines()
    assert answer.startswith("first answer")
    assert imports.startswith("imports alone")
    written = json.loads(results.read_text())
    assert {"created", "machine", "rows"} == written.keys()
    (first, bare) = written["rows"]
    assert [first["case"], bare["case"]] == ["first answer", "imports alone"]
    assert (first["run"], first["model"], first["runs"]) == (digits_run.name, model.name, 1)
    assert 0 < bare["wall_s"]["min"] <= bare["wall_s"]["p50"] <= bare["wall_s"]["p90"]
    assert first["peak_rss_bytes"] > bare["peak_rss_bytes"] > 20 << 20  # what NumPy and OpenCV need at least
    assert first["ratio"] == pytest.approx(first["wall_s"]["p50"] / bare["wall_s"]["p50"], abs=0.01)
    assert f"{first['ratio']:.2f}" in ratio


def test_time_stands_still_at_the_first_line_and_memory_is_that_of_the_whole_life():
    child = "import time; print(1, flush=True); time.sleep(0.5); b'x' * (200 << 20)"
    code = (
        "import json, sys, time; from benchmarks.cold_start import time_start; start = time.perf_counter(); "
        "found = time_start([sys.executable, '-S', '-c', sys.argv[1]], {}); "
        "print(json.dumps([*found, time.perf_counter() - start]))"
    )
    done = subprocess.run([sys.executable, "-c", code, child], cwd=ROOT, capture_output=True, text=True, check=True)
    wall_s, peak_rss_bytes, whole_s = json.loads(done.stdout)
    assert wall_s < whole_s - 0.5
    assert 200 << 20 < peak_rss_bytes < 300 << 20


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit('error: what is wrong')", "^what is wrong$"),
        ("pass", "ended with 0 and no answer"),
        ("print(1); raise SystemExit(3)", "ended with 3 and no answer"),
    ],
)
def test_a_process_that_fails_is_one_line(code, message):
    with pytest.raises(UserError, match=message):
        time_start([sys.executable, "-S", "-c", code], {})


def test_percentiles_are_of_the_runs():
    starts = Starts("x", [], [4.0, 1.0, 3.0, 2.0, 5.0], [7, 9, 8])
    assert summarize(starts) == {"case": "x", "wall_s": {"min": 1.0, "p50": 3.0, "p90": 4.6}, "peak_rss_bytes": 9}


def test_the_bare_imports_are_those_of_the_files_runtime(digits_run, tmp_path):
    for name, runtime in (("model_int8.tflite", "ai_edge_litert.interpreter"), ("model_int8.onnx", "onnxruntime")):
        shutil.copy(digits_run / "model_int8.tflite", tmp_path / name)
        _, imports = make_starts(tmp_path / name, tmp_path / "photo.jpg")
        assert f"import numpy, cv2, {runtime};" in imports.line[-1]


def test_what_can_not_be_measured_is_one_line(tmp_path, capsys):
    (tmp_path / "model.txt").touch()
    for model in (tmp_path / "model.txt", tmp_path / "none.tflite"):
        assert main([str(model)]) == 1
        assert "Expected a .tflite or .onnx model, got " in capsys.readouterr().err
    assert main(["--json", str(tmp_path)]) == 1
    assert "for --json" in capsys.readouterr().err
    (tmp_path / "broken.tflite").write_bytes(b"no model")
    assert main([str(tmp_path / "broken.tflite"), "--runs", "1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "broken.tflite is neither" in line
