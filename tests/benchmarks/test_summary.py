import json

import pytest

from benchmarks.summary import FileSummary, main, put_between_marks, summarize
from edge import UserError

CONVERSION = {
    "files": {
        "model_float32.tflite": {
            "size_bytes": 400_000,
            "sha256": "f" * 64,
            "test": {"n": 394, "accuracy": 0.79, "agreement": 1.0},
        },
        "model_int8.tflite": {
            "size_bytes": 104_000,
            "sha256": "8" * 64,
            "test": {"n": 394, "accuracy": 0.787, "agreement": 0.985},
        },
        "model_float32.onnx": {
            "size_bytes": 399_000,
            "sha256": "0" * 64,
            "test": {"n": 394, "accuracy": 0.79, "agreement": 1.0},
        },
    }
}


def _row(model, digit, num_threads, invoke, frame_to_label):
    return {
        "model": model,
        "sha256": digit * 64,
        "num_threads": num_threads,
        "invoke_ms": {"p50": invoke},
        "frame_to_label_ms": {"p50": frame_to_label},
    }


LATENCY = {
    "rows": [
        _row("model_float32.tflite", "f", 1, 2.0, 2.2),
        _row("runs/demo/model_int8.tflite", "8", 1, 0.5, 0.7),  # timed by its path
        _row("model_float32.tflite", "f", 4, 1.0, 1.2),
    ]
}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"k" * 1_200_000)
    _write(tmp_path / "config.json", {"model": "cnn"})
    _write(tmp_path / "metrics.json", {"test": {"n": 394, "accuracy": 0.7921}})
    _write(tmp_path / "conversion.json", CONVERSION)
    _write(tmp_path / "latency.json", LATENCY)
    return tmp_path


def _write(path, content):
    path.write_text(json.dumps(content))


def test_lines(run):
    assert summarize(run, run / "latency.json") == (
        394,
        [
            FileSummary("cnn", "model.keras", 1_200_000, 0.7921, None, None, None),
            FileSummary("cnn", "model_float32.tflite", 400_000, 0.79, 1.0, 2.0, 2.2),
            FileSummary("cnn", "model_int8.tflite", 104_000, 0.787, 0.985, 0.5, 0.7),
            FileSummary("cnn", "model_float32.onnx", 399_000, 0.79, 1.0, None, None),
        ],
    )


def test_the_table(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--run", str(run)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["On", "394", "test", "photos"] in lines
    assert ["model.keras", "1.20", "MB", "79.2%"] in lines
    assert ["model_int8.tflite", "0.10", "MB", "78.7%", "98.5%", "0.500", "ms", "0.700", "ms"] in lines
    assert ["model_float32.onnx", "0.40", "MB", "79.0%", "100.0%"] in lines


def test_two_runs_stand_in_one_table(run, tmp_path_factory, capsys, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    for path in run.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    _write(other / "config.json", {"model": "efficientnet_lite0"})
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["--run", str(run), str(other)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:3] == ["model", "file", "size"]
    assert ["cnn", "model.keras", "1.20", "MB", "79.2%"] in lines
    assert ["efficientnet_lite0", "model.keras", "1.20", "MB", "79.2%"] in lines


def test_one_latency_file_is_about_one_run(run, capsys):
    assert main(["--run", str(run), str(run), "--latency", str(run / "latency.json")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_latency_file_of_another_name(run, capsys):
    (run / "latency.json").rename(run / "pi.json")
    assert main(["--run", str(run), "--latency", str(run / "pi.json")]) == 0
    assert "0.500 ms" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "made_by"),
    [
        ("metrics.json", "python -m train.run"),
        ("model.keras", "python -m train.run"),
        ("conversion.json", "python -m convert.quantize --int8 --run {run}"),
    ],
)
def test_a_missing_file_is_answered_with_the_command_that_writes_it(run, file, made_by, capsys):
    (run / file).unlink()
    assert main(["--run", str(run)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.endswith(made_by.format(run=run) + "\n")
    assert said.err.count("\n") == 1


def test_a_missing_run(tmp_path, capsys):
    assert main(["--run", str(tmp_path / "none")]) == 1
    assert "train.run" in capsys.readouterr().err


def test_figures_of_an_older_model_are_refused(run):
    _write(run / "latency.json", {"rows": [_row("model_int8.tflite", "7", 1, 0.5, 0.7)]})
    with pytest.raises(UserError, match=r"timed another model_int8\.tflite .*benchmarks\.latency"):
        summarize(run, run / "latency.json")


@pytest.mark.parametrize("file", ["metrics.json", "conversion.json", "latency.json"])
@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"test": 1, "files": 1, "rows": 1},
        {"test": {"n": "x", "accuracy": 1}, "files": {"a": {}}, "rows": [{}]},
        {"test": {"n": 1, "accuracy": None}, "files": {"a": 1}, "rows": [{"num_threads": "x"}]},
        {
            "test": {"n": 1},
            "files": {"a": {"sha256": "", "size_bytes": 1, "test": []}},
            "rows": [{"num_threads": 1, "model": "model_int8.tflite", "sha256": "8" * 64}],
        },
    ],
    ids=str,
)
def test_a_file_that_says_something_else_is_refused(run, file, content):
    _write(run / file, content)
    with pytest.raises(UserError, match=r"python -m (train|convert|benchmarks)\."):
        summarize(run, run / "latency.json")


def test_the_table_is_put_into_a_markdown_file(run, tmp_path, capsys):
    page = tmp_path / "PAGE.md"
    page.write_text("# Title\n\n<!-- summary -->\nan old table\n<!-- end of summary -->\n\nThe rest.\n")
    assert main(["--run", str(run), "--markdown", str(page)]) == 0
    head, rest = page.read_text().split("<!-- summary -->\n")
    table, tail = rest.split("\n<!-- end of summary -->")
    assert (head, tail) == ("# Title\n\n", "\n\nThe rest.\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    assert rows[0] == ["file", "size", "accuracy", "agreement", "invoke", "frame to label"]
    assert set("".join(rows[1])) <= set("-:")
    assert rows[3] == ["model_float32.tflite", "0.40 MB", "79.0%", "100.0%", "2.000 ms", "2.200 ms"]
    assert "394 test photos" in table


@pytest.mark.parametrize("content", ["none", "<!-- summary -->", "<!-- end of summary --><!-- summary -->"])
def test_a_file_without_marks_stays_as_it_is(tmp_path, content):
    page = tmp_path / "PAGE.md"
    page.write_text(content)
    with pytest.raises(UserError, match="once each"):
        put_between_marks(page, "new")
    assert page.read_text() == content


def test_without_latency_the_table_says_how_to_measure_it(run, capsys):
    (run / "latency.json").unlink()
    assert main(["--run", str(run)]) == 0
    out, err = capsys.readouterr()
    assert "79.0%" in out
    assert " ms" not in out
    assert err == (
        f"no latency measured yet; measure: python -m benchmarks.latency --run {run} --json {run}/latency.json\n"
    )


def test_a_named_latency_file_must_be_there(run, capsys):
    assert main(["--run", str(run), "--latency", str(run / "none.json")]) == 1
    assert "could not read it" in capsys.readouterr().err
