import json

import pytest

from benchmarks.peers import __main__ as command
from benchmarks.peers import catalogue, racing
from benchmarks.peers.catalogue import BARE, OURS
from benchmarks.peers.environments import EnvironmentMissing

QUICK = ["--runs", "10", "--seconds", "1"]


def test_a_run_with_its_peers(digits_run, tmp_path, capsys, monkeypatch):
    def missing(lock, newest, folder):
        raise EnvironmentMissing("no room for it")

    monkeypatch.setattr(catalogue, "install_packages", missing)
    results, page = tmp_path / "results.json", tmp_path / "page.md"
    page.write_text("<!-- peers -->\n<!-- end of peers -->\n")
    others = ["ai-edge-litert by hand", "MediaPipe ImageClassifier", "onnxruntime by hand", "OpenCV's dnn"]
    flags = [
        "--run",
        str(digits_run),
        "--results",
        str(results),
        "--markdown",
        str(page),
        "--only",
        BARE,
        *others,
        *QUICK,
    ]
    assert command.main(flags) == 0
    rows = json.loads(results.read_text())["peers"]["rows"]
    for model in ("model_int8.tflite", "model_float32.tflite", "model_float32.onnx"):
        of_model = {row["runtime"]: row for row in rows if row["model"] == model}
        timed = {name: row for name, row in of_model.items() if "skipped" not in row}
        (ours,) = (row for name, row in timed.items() if name.startswith(OURS))
        assert ours["ratio"] == {"median": 1, "p10": 1, "p90": 1}
        if model.endswith(".tflite"):
            assert of_model["MediaPipe ImageClassifier"]["skipped"] == "no room for it"
            (bare,) = (row for name, row in timed.items() if name.startswith(BARE))
            assert bare["is_bound"]
            assert bare["same_label"] == 1
        assert len(timed) == 3
        for row in timed.values():
            assert row["runs"] >= 10
            assert row["frame_to_label_ms"]["p50"] > 0
            assert row["same_label"] > 0.5  # digits of 8x8 pixels, blown up: another resizing may turn one
    lines = page.read_text().splitlines()
    files = len({row["model"] for row in rows})
    assert sum(line.startswith("| TinySight ") for line in lines) == files
    assert sum(line.startswith("|--") for line in lines) == files
    said = capsys.readouterr().out
    assert "skipped: MediaPipe ImageClassifier (model_int8.tflite): no room for it" in said


def test_unknown_names_are_refused(digits_run, capsys):
    assert command.main(["--run", str(digits_run), "--only", "nobody"]) == 1
    assert "got 'nobody'" in capsys.readouterr().err


def test_a_ratio_is_of_laps_that_stand_side_by_side():
    def laps(*medians):
        return racing.Racer("x", [], laps=[[value - 0.5, value, value + 9] for value in medians])

    drifting = racing._ratio(laps(4.0, 8.0, 40.0, 1.0), laps(2.0, 4.0, 20.0))
    assert drifting == {"median": 2, "p10": 2, "p90": 2}


@pytest.mark.parametrize("peer", catalogue.PEERS, ids=lambda peer: f"{peer.name}{peer.suffix}")
def test_every_program_is_there(peer):
    assert (catalogue.PROGRAMS / peer.program).is_file()
