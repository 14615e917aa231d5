import sys

import pytest

from benchmarks import native_check
from benchmarks.native_check import main, parse_timings
from edge import UserError

# As benchmark_model of TensorFlow 2.x ends.
SAID = """\
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=160 first=9000 curr=3100 min=3050 max=9000 avg=3200.5 std=400

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=331 first=3015 curr=2994 min=2960 max=3412 avg=3021.5 std=40 p5=2970 median=3010 p95=3100

INFO: Inference timings in us: Init: 12345, First inference: 9000, Warmup (avg): 3200.5, Inference (avg): 3021.5
"""


@pytest.fixture
def quick(monkeypatch):
    """Keep to a few runs."""
    monkeypatch.setattr(native_check, "_WARMUP_S", 0)
    monkeypatch.setattr(native_check, "_MIN_RUNS", 4)
    monkeypatch.setattr(native_check, "_MIN_S", 0)


def _program(tmp_path, body):
    """Write a program that plays benchmark_model."""
    path = tmp_path / "benchmark_model"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_the_timed_runs_count_and_not_the_warm_up():
    assert parse_timings(SAID) == (2.96, 3.0215)
    assert parse_timings("count=50 first=1 curr=1 min=1.5 max=2 avg=1.2e+06 std=0") == (0.0015, 1200.0)


def test_what_tells_no_times_is_refused():
    with pytest.raises(UserError, match="--binary"):
        parse_timings("usage: benchmark_model")


def test_the_native_program_is_asked_with_its_own_rules(digits_run, tmp_path, quick, capsys):
    binary = _program(
        tmp_path, f"open({str(tmp_path / 'asked')!r}, 'w').write(' '.join(sys.argv[1:]))\nprint({SAID!r})"
    )
    model = digits_run / "model_int8.tflite"
    assert main([str(model), "--binary", binary, "--rounds", "1", "--num-threads", "2"]) == 0
    assert (tmp_path / "asked").read_text() == f"--graph={model} --num_threads=2"
    assert "by benchmark_model 2.960 ms" in capsys.readouterr().out


def test_without_it_litert_s_python_tool_is_asked(digits_run, quick, capsys, monkeypatch):
    monkeypatch.setattr(native_check.shutil, "which", lambda name: None)
    assert main(["--run", str(digits_run), "--rounds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list(digits_run.glob("*.tflite")))
    assert all("by litert-benchmark" in line for line in lines)


@pytest.mark.parametrize("body", ["sys.exit('no such model')", "print('hello')"])
def test_a_program_that_fails_or_is_another_is_one_line(body, digits_run, tmp_path, quick, capsys):
    binary = _program(tmp_path, body)
    assert main([str(digits_run / "model_int8.tflite"), "--binary", binary, "--rounds", "1"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_bad_input_is_one_line(digits_run, tmp_path, capsys):
    assert main([str(digits_run / "model_int8.tflite"), "--binary", str(tmp_path / "none")]) == 1
    assert "--binary" in capsys.readouterr().err
    assert main([str(digits_run / "model_float32.onnx")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
