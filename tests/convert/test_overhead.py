import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from convert import overhead
from convert.bare import Outcome


@pytest.fixture
def in_this_process(monkeypatch):
    """Let turns be taken here: a process of its own costs each of them TensorFlow's start."""
    monkeypatch.setattr(overhead, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))


def test_both_convert_and_the_table_tells_how_long(in_this_process, digits_run, tmp_path, capsys):
    flags = ["--scheme", "float32", "--rounds", "1", "--calibration-size", "10", "--json", str(tmp_path / "out.json")]
    assert overhead.main(["--run", str(digits_run), *flags]) == 0
    results = json.loads((tmp_path / "out.json").read_text())
    (bare,), (ours,) = (results[way]["seconds"] for way in ("bare", "tinysight"))
    assert results["ratio"] == [pytest.approx(ours / bare, rel=0.1)]
    assert capsys.readouterr().out.splitlines()[-1].startswith("ratio ")


def test_they_take_turns(monkeypatch, in_this_process, tmp_path):
    turns = []

    def take_turn(turn):
        turns.append(turn.way)
        return Outcome(float(len(turns)), 1_000_000)

    monkeypatch.setattr("convert.bare.take_turn", take_turn)
    results = overhead.measure(tmp_path, "int8", 10, 2)
    assert turns == ["bare", "tinysight"] * 2
    assert results["ratio"] == [2.0, 1.333]


def test_no_run(tmp_path, capsys):
    assert overhead.main(["--run", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith("error: Expected a run's folder at ")
