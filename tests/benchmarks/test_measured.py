import pytest

from benchmarks.measured import describe_machine, find_measured, measure_command
from edge import UserError
from tests.benchmarks.fake_run import FLOAT, HASHES, INT8, LATENCY, MACHINE, ONNX, timed, write, write_run


def results(**sections):
    return {"machine": MACHINE, **{name: {"machine": MACHINE, "rows": rows} for name, rows in sections.items()}}


def test_rows_beside_the_models(tmp_path):
    found = find_measured(write_run(tmp_path), HASHES, None)
    assert [row["num_threads"] for row in found.of("latency", FLOAT)] == [1, 4]
    assert found.of("latency", INT8) == LATENCY["rows"][1:2]
    assert found.of("latency", ONNX) == found.of("size", FLOAT) == []
    assert found.of("latency", FLOAT, "ai-edge-litert 9.9") == found.of("latency", FLOAT)
    assert found.of("latency", FLOAT, "tflite-runtime 2.14.0") == []
    assert found.machine == "Cortex-A76, 4 cores"


def test_a_section_of_a_results_file_goes_before_the_runs_own(tmp_path):
    run = write_run(tmp_path / "solar")
    rows = [timed(FLOAT, 9.0, 9.0, run="solar"), timed(FLOAT, 8.0, 8.0, run="other"), timed(INT8, 7.0, 7.0)]
    found = find_measured(run, HASHES, results(latency=rows))
    assert [row["invoke_ms"]["p50"] for row in found.of("latency", FLOAT)] == [9.0]
    assert [row["invoke_ms"]["p50"] for row in found.of("latency", INT8)] == [7.0]  # by its hash alone
    assert find_measured(run, HASHES, results(size=[])).of("latency", INT8) == LATENCY["rows"][1:2]


def test_another_runs_file_of_the_same_name_says_nothing_about_this_one(tmp_path, capsys):
    row = {**timed(FLOAT, 9.0, 9.0), "sha256": "1" * 64}
    assert find_measured(write_run(tmp_path), HASHES, results(latency=[row])).of("latency", FLOAT) == []
    assert capsys.readouterr().err == ""


def test_figures_of_an_older_model_are_left_out_and_named(tmp_path, capsys):
    run = write_run(tmp_path)
    write(run / "latency.json", {"rows": [{**timed(FLOAT, 2.0, 2.2), "sha256": "1" * 64}]})
    found = find_measured(run, HASHES, None)
    assert found.of("latency", FLOAT) == []
    assert found.machine is None
    said = capsys.readouterr().err
    assert said.startswith(f"left out: the latency of another {FLOAT} than the one in {run}; measure again: python -m ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("content", [{}, {"rows": 1}, {"rows": [1]}, {"rows": [{}]}, {"rows": [{"model": 1}]}], ids=str)
def test_a_file_that_says_something_else_is_refused(tmp_path, content):
    run = write_run(tmp_path)
    write(run / "size.json", content)
    with pytest.raises(UserError, match=r"python -m benchmarks\.size --run"):
        find_measured(run, HASHES, None)


def test_names_of_machines_and_commands(tmp_path):
    assert describe_machine({}) == "an unnamed processor, ? cores"
    assert describe_machine({"machine": {"cpu_model": "X", "cores": 1}}) == "X, 1 core"
    assert measure_command(tmp_path, "robustness").startswith("python -m benchmarks.accuracy --robustness --run ")
