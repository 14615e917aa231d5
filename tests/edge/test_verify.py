import json
import shutil

from edge import replay
from edge.preprocess import to_image
from edge.verify import main
from tests.edge.conftest import run
from tests.edge.test_classifier import without_files


def test_a_whole_file_passes(int8_model, capsys):
    assert main([str(int8_model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith("8 samples answered as when it was converted")
    assert len(lines) == 8 * 4 + 1
    assert not [line for line in lines if "DIFFERS" in line]


def test_json_says_the_same(int8_model, capsys):
    assert main([str(int8_model), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is True
    assert {check["stage"] for check in report["checks"]} == {*replay.STAGES}


def test_a_difference_is_exit_code_1_and_names_the_stage(int8_model, capsys, monkeypatch):
    monkeypatch.setattr(replay, "to_image", lambda frame, size: 255 - to_image(frame, size))  # photo and PNG alike
    assert main([str(int8_model)]) == 1
    said = capsys.readouterr().out
    assert "differ, in: scores" in said.splitlines()[-1]
    assert "DIFFERS" in said


def test_a_file_without_samples_is_one_line(int8_model, tmp_path, capsys):
    bare = without_files(int8_model, tmp_path / "bare.tflite")
    assert main([str(bare)]) == 1
    assert "Expected golden samples in" in capsys.readouterr().err.splitlines()[-1]


def test_it_runs_from_a_copied_folder(device):
    done = run(device, "edge/verify.py", "model_int8.tflite")
    assert done.returncode == 0, done.stderr
    assert "answered as when it was converted" in done.stdout


def test_latest_is_the_default(tmp_path, monkeypatch, int8_model, capsys):
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    shutil.copy(int8_model, tmp_path / "runs" / "latest" / "model_int8.tflite")
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert capsys.readouterr().out
