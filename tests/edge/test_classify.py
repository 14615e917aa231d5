import csv
import json
import shutil

import pytest

from edge import Classifier
from edge.classify import main
from edge.preprocess import read_frame
from tests.edge.conftest import run


@pytest.fixture
def photos(digits_photos, tmp_path):
    folder = tmp_path / "photos"
    for name in ("three", "seven"):
        (folder / name).mkdir(parents=True)
        for photo in sorted((digits_photos / name).iterdir())[:5]:
            shutil.copy(photo, folder / name)
    return folder


def test_csv_has_a_row_a_photo_in_order_whatever_the_workers(int8_model, photos, tmp_path, capsys):
    classifier = Classifier(int8_model)
    files = [*sorted((photos / "seven").iterdir()), *sorted((photos / "three").iterdir())]
    for workers in (1, 4):
        path = tmp_path / f"{workers}.csv"
        assert main([str(photos), "--model", str(int8_model), "--csv", str(path), "--workers", str(workers)]) == 0
        rows = [*csv.DictReader(path.read_text().splitlines())]
        assert [row["path"] for row in rows] == [*map(str, files)]
        assert [row["label"] for row in rows] == [classifier.classify(read_frame(file))[0].label for file in files]
        for row in rows:
            unknown = float(row["confidence"]) < classifier.metadata["threshold"]
            assert row["decision"] == ("" if unknown else row["label"])
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "4.csv").read_bytes()
    assert "10 photos answered, 0 could not be read" in capsys.readouterr().err


def test_jsonl_has_the_cameras_keys(int8_model, photos, capsys):
    assert main([str(photos), "--model", str(int8_model), "--jsonl", "-", "--top-k", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 10
    for line in lines:
        assert list(line) == ["path", "label", "index", "confidence", "decision", "top"]
        assert line["top"][0]["label"] == line["label"]


def test_top_k_widens_the_csv(int8_model, photos, capsys):
    assert main([str(photos), "--model", str(int8_model), "--csv", "-", "--top-k", "2"]) == 0
    head, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert head == ["path", "label", "confidence", "decision", "label_2", "confidence_2"]
    assert all(float(row[2]) >= float(row[5]) for row in rows)


def test_broken_photos_are_listed_and_the_rest_answered(int8_model, photos, capsys):
    broken = photos / "three" / "zz.jpg"
    broken.write_bytes(b"no photo")
    assert main([str(photos), "--model", str(int8_model), "--threshold", "1"]) == 0
    said = capsys.readouterr()
    assert said.err.count(f"skipped: {broken}") == 1
    assert len(said.out.splitlines()) == 10
    assert all("unknown (" in line for line in said.out.splitlines())


def test_an_interrupted_run_leaves_whole_rows(int8_model, photos, tmp_path, monkeypatch, capsys):
    def interrupt(path):
        if path.parent.name == "three":
            raise KeyboardInterrupt
        return read_frame(path)

    monkeypatch.setattr("edge.batch.read_frame", interrupt)
    path = tmp_path / "answers.csv"
    assert main([str(photos), "--model", str(int8_model), "--csv", str(path), "--workers", "2"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
    rows = [*csv.DictReader(path.read_text().splitlines())]
    assert [row["path"] for row in rows] == [*map(str, sorted((photos / "seven").iterdir()))]
    assert all(row["label"] for row in rows)


def test_nothing_that_can_be_read_is_code_1(int8_model, tmp_path, capsys):
    (tmp_path / "x.jpg").write_bytes(b"no photo")
    assert main([str(tmp_path), "--model", str(int8_model)]) == 1
    assert "none of the 1 could be read" in capsys.readouterr().err
    (tmp_path / "x.jpg").unlink()
    assert main([str(tmp_path), "--model", str(int8_model)]) == 1
    assert "Expected photos in" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), "--model", str(int8_model)]) == 1
    (tmp_path / "x.jpg").touch()
    assert main([str(tmp_path), "--model", str(int8_model), "--csv", str(tmp_path)]) == 1
    assert "Is a directory; name another file" in capsys.readouterr().err


def test_csv_and_jsonl_are_one_or_the_other():
    with pytest.raises(SystemExit) as stopped:
        main(["--csv", "a", "--jsonl", "b"])
    assert stopped.value.code == 2


def test_it_runs_from_a_copied_folder(device, photos):
    done = run(device, "edge/classify.py", photos, "--model", "model_int8.tflite")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 10


def test_a_model_that_does_not_load_leaves_earlier_answers_alone(photos, tmp_path, capsys):
    path = tmp_path / "answers.csv"
    path.write_text("earlier")
    assert main([str(photos), "--model", str(tmp_path / "none.tflite"), "--csv", str(path)]) == 1
    assert path.read_text() == "earlier"
