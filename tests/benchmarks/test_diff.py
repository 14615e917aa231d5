import copy
import json

import pytest

from benchmarks.diff import main
from tests.benchmarks.fake_run import LATENCY, MACHINE


@pytest.fixture
def old(tmp_path):
    return write(tmp_path / "old.json", LATENCY)


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def slowed(factor):
    latency = copy.deepcopy(LATENCY)
    latency["rows"][1]["invoke_ms"]["p50"] *= factor
    return latency


def test_the_same_exits_0(old, capsys):
    assert main([str(old), str(old)]) == 0
    assert capsys.readouterr().out == "0 worse, 0 better, 6 as before\n"


@pytest.mark.parametrize(
    ("factor", "flags", "code", "last"),
    [
        (1.2, [], 1, "1 worse, 0 better, 5 as before"),
        (0.5, [], 0, "0 worse, 1 better, 5 as before"),
        (1.2, ["--tolerance", "25%"], 0, "0 worse, 0 better, 6 as before"),
        (1.2, ["--ratios"], 1, "1 worse, 0 better, 1 as before"),
    ],
)
def test_what_got_worse_exits_1(old, tmp_path, factor, flags, code, last, capsys):
    new = write(tmp_path / "new.json", slowed(factor))
    assert main([str(old), str(new), *flags]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == last
    assert ("Worse:" in lines) == bool(code)


def test_results_files_by_their_sections(tmp_path, capsys):
    size = {"machine": MACHINE, "rows": [{"model": "m", "size_bytes": 100}]}
    old = write(tmp_path / "old.json", {"machine": MACHINE, "latency": LATENCY, "size": size})
    new = write(tmp_path / "new.json", {"machine": MACHINE, "latency": slowed(2.0)})
    assert main([str(old), str(new)]) == 1
    assert "Missing:\n  size: all of it" in capsys.readouterr().out
    assert main([str(old), str(write(tmp_path / "alone.json", LATENCY))]) == 0  # a section alone


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        {"rows": []},
        {"rows": [{"model": "m"}]},
        {"rows": 3},
        {"machine": {}, "secret": {"rows": []}},
        {"rows": [{"gzip_bytes": 1}]},
        {"rows": [{"invoke_ms": {"p50": 1.0}, "model": "another"}]},
        {"rows": [{**LATENCY["rows"][0], "invoke_ms": {"p50": "\n2"}}]},
    ],
    ids=str,
)
def test_other_files_are_refused_in_a_line(old, tmp_path, content, capsys):
    new = write(tmp_path / "new.json", content)
    assert main([str(old), str(new)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1


def test_a_missing_file_is_refused(old, tmp_path, capsys):
    assert main([str(old), str(tmp_path / "none.json")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("text", ["x", "-1%", "1001%", "5%%", "nan"])
def test_a_tolerance_that_is_none(text):
    with pytest.raises(SystemExit) as stopped:
        main(["a", "b", "--tolerance", text])
    assert stopped.value.code == 2


def test_what_a_sustained_run_wrote(tmp_path, capsys):
    old, new = (
        write(tmp_path / name, {"machine": MACHINE, "rows": [{"model": "m", "camera_to_label_ms": {"p50": ms}}]})
        for name, ms in (("old.json", 10.0), ("new.json", 20.0))
    )
    assert main([str(old), str(new)]) == 1
    assert "sustained: m: camera_to_label_ms p50 10 -> 20 ms" in capsys.readouterr().out
