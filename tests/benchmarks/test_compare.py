import csv
import json

import pytest

from benchmarks.compare import main
from tests.benchmarks.fake_run import FLOAT, INT8, LATENCY, MACHINE, ONNX, timed, write, write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "demo")


def words(text):
    return [line.replace("\N{EN DASH}", "-").split() for line in text.splitlines()]


def test_the_table_and_the_choice(run, capsys):
    assert main([str(run)]) == 0
    said = capsys.readouterr()
    lines = words(said.out)
    assert ["394", "test", "photos", "of", "solar,", "2", "classes"] in lines
    assert ["model.keras", "-", "1.20", "79.2%", "75.0", "to", "83.0", *"----", "-"] in lines
    assert [
        INT8,
        "1",
        "0.10",
        "78.7%",
        "74.4",
        "to",
        "82.5",
        "98.5%",
        "0.500",
        "0.700",
        "1.400",
        "4.00x",
        "faster",
    ] in lines
    assert [ONNX, "-", "0.40", "79.0%", "74.7", "to", "82.7", "100.0%", *"---", "-"] in lines
    assert f"Best: {FLOAT} of demo (ai-edge-litert 2.3.0, 4 threads): 79.0% right, 1.200 ms from frame" in said.out
    assert "Times are medians on Cortex-A76, 4 cores." in said.out
    assert said.err == ""


def test_only_times_with_one_thread(run, capsys):
    assert main([str(run), "--threads", "1"]) == 0
    lines = words(capsys.readouterr().out)
    assert [FLOAT, "0.40", "79.0%", "74.7", "to", "82.7", "100.0%", "2.000", "2.200", "4.400", "-"] in lines


def test_runs_of_equal_files_are_told_apart_by_their_folders(run, tmp_path, capsys):
    other = write_run(tmp_path / "head", "efficientnet_lite0")
    assert main([str(run), str(other), str(run)]) == 0  # the same twice is once
    lines = words(capsys.readouterr().out)
    assert lines[1][:3] == ["run", "model", "file"]
    assert sum(line[:3] == ["demo", "cnn", "model.keras"] for line in lines) == 1
    assert sum(line[:3] == ["head", "efficientnet_lite0", "model.keras"] for line in lines) == 1


def test_runs_of_equal_names_are_refused(run, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    assert main([str(run), str(write_run(tmp_path / "there" / "demo"))]) == 1
    said = capsys.readouterr().err
    assert "different names" in said
    assert said.count("\n") == 1


def test_two_data_sets_are_two_tables(run, tmp_path, capsys):
    other = write_run(tmp_path / "trash", data="trash", labels="abc")
    assert main([str(run), str(other), "--max-size-mb", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "394 test photos of solar, 2 classes" in said
    assert "394 test photos of trash, 3 classes" in said
    assert said.count("Best: ") == 2
    assert said.count("Not model_float32.onnx") == 2


def test_times_of_two_machines_are_refused(run, tmp_path, capsys):
    other = write_run(tmp_path / "pi")
    write(other / "latency.json", {**LATENCY, "machine": {"cpu_model": "Z80", "cores": 1}})
    assert main([str(run), str(other)]) == 1
    said = capsys.readouterr().err
    assert f"Cortex-A76, 4 cores ({run}) and Z80, 1 core ({other})" in said
    assert said.count("\n") == 1


def test_a_results_file(run, tmp_path, capsys):
    results = tmp_path / "results.json"
    section = {"machine": MACHINE, "rows": [timed(INT8, 0.1, 0.2, run="demo")]}
    write(results, {"machine": MACHINE, "latency": section})
    assert main([str(run), "--results", str(results), "--max-latency-ms", "1"]) == 0
    said = capsys.readouterr().out
    assert f"Best: {INT8} of demo (ai-edge-litert 2.3.0, 1 thread): 78.7% right, 0.200 ms" in said
    assert f"Not {FLOAT} of demo: nobody measured its latency." in said


def test_nothing_fits_exits_1_behind_the_table_and_names_the_closest(run, tmp_path, capsys):
    output = tmp_path / "out"
    assert main([str(run), "--max-latency-ms", "0.5", "--output", str(output)]) == 1
    said = capsys.readouterr()
    assert INT8 in said.out
    assert said.err.splitlines()[-1] == (
        "error: Expected a file that keeps to 0.5 ms on solar, 2 classes, found none; "
        f"the closest is {INT8} of demo (ai-edge-litert 2.3.0, 1 thread): 0.700 ms, limit 0.5"
    )
    assert "No file keeps to 0.5 ms" in (output / "compare.html").read_text()


def test_what_is_written(run, tmp_path, capsys):
    output = tmp_path / "a" / "b"
    assert main([str(run), "--output", str(output), "--max-size-mb", "0.2"]) == 0
    assert sorted(path.name for path in output.iterdir()) == [f"compare.{end}" for end in ("csv", "html", "json", "md")]
    content = json.loads((output / "compare.json").read_text())
    assert content["machine"] == "Cortex-A76, 4 cores"
    assert content["limits"] == {"max_latency_ms": None, "max_size_mb": 0.2, "min_accuracy": None}
    (picked,) = (row for row in content["rows"] if row["picked"])
    assert (picked["model"], picked["run"], picked["frame_to_label_ms"]) == (INT8, "demo", 0.7)
    assert [row["refused"] for row in content["rows"]] == [
        [],
        *[["0.40 MB, limit 0.2"]] * 2,
        [],
        ["0.40 MB, limit 0.2"],
    ]
    with (output / "compare.csv").open(newline="") as file:
        assert [row["model"] for row in csv.DictReader(file)] == [row["model"] for row in content["rows"]]
    markdown = (output / "compare.md").read_text()
    assert f"- Best: {INT8} of demo" in markdown
    assert "wrote " in capsys.readouterr().err


def test_the_table_is_put_into_a_markdown_file(run, tmp_path):
    page = tmp_path / "PAGE.md"
    page.write_text("# Title\n\n<!-- compare -->\nan old table\n<!-- end of compare -->\n\nThe rest.\n")
    assert main([str(run), "--threads", "1", "--markdown", str(page)]) == 0
    head, rest = page.read_text().split("<!-- compare -->\n")
    table, tail = rest.split("\n<!-- end of compare -->")
    assert (head, tail) == ("# Title\n\n", "\n\nThe rest.\n")
    assert table.endswith("Medians of one thread on Cortex-A76, 4 cores; 394 test photos of solar, 2 classes.")


def test_without_latency_the_table_says_how_to_measure_it(run, capsys):
    (run / "latency.json").unlink()
    assert main([str(run)]) == 0
    out, err = capsys.readouterr()
    assert "79.0%" in out
    assert "Times are" not in out
    assert err == (
        f"no latency measured yet; measure: python -m benchmarks.latency --run {run} --json {run}/latency.json\n"
    )


@pytest.mark.parametrize(
    "flags",
    [
        ["--max-latency-ms", "0"],
        ["--max-size-mb", "x"],
        ["--min-accuracy", "85"],
        ["--threads", "0"],
        ["--threads", ""],
    ],
    ids=str,
)
def test_flags_that_say_nothing_are_refused(flags):
    with pytest.raises(SystemExit) as stopped:
        main(flags)
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    "flags", [["--results", "none.json"], ["--markdown", "none.md"], ["--output", "metrics.json"]], ids=str
)
def test_files_that_can_not_be_used_are_a_line(run, flags, capsys, monkeypatch):
    monkeypatch.chdir(run)
    assert main([str(run), *flags]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


def test_a_missing_run(tmp_path, capsys):
    assert main([str(tmp_path / "none")]) == 1
    assert "train.run" in capsys.readouterr().err
