import subprocess
import sys

import cv2
import pytest

from edge.errors import UserError
from tests.tree import ROOT
from train import memory
from train.memory import main, make_photos, peak_of_training


def test_the_photos_are_all_different_and_of_two_classes(tmp_path):
    make_photos(tmp_path / "photos", 11, (24, 32))
    paths = sorted((tmp_path / "photos").rglob("*.jpg"))
    assert [path.parent.name for path in paths] == ["blue"] * 5 + ["red"] * 6
    assert len({path.read_bytes() for path in paths}) == 11
    for path in paths:
        photo = cv2.imread(str(path))
        assert photo.shape == (24, 32, 3)
        blue, _green, red = photo.mean(axis=(0, 1))
        assert (red > blue) == (path.parent.name == "red")


def test_ten_times_as_many_photos_are_trained_on(monkeypatch, capsys):
    counts = []

    def peak(folder, flags):
        counts.append(len(list((folder / "photos").rglob("*.jpg"))))
        assert flags == ["--model", "cnn", "--image-size", "16x8", "--weights", "none", "--epochs", "1"]
        return 1_000_000_000 + counts[-1] * 1_000_000

    monkeypatch.setattr(memory, "peak_of_training", peak)
    assert main(["--photos", "4", "--image-size", "16x8"]) == 0
    assert counts == [4, 40]
    said = capsys.readouterr().out
    assert f"ratio {1.040 / 1.004:.3f}" in said


def test_a_training_that_fails_is_told_by_its_last_line(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=r"train\.run failed: error: Expected"):
        peak_of_training(tmp_path, [])


def test_a_process_has_some_memory(tmp_path):
    # Asked from a small process: what a child counts begins at its parent's memory, and this one may hold TensorFlow.
    script = (
        "import sys; from pathlib import Path; from train.memory import peak_of_training; "
        "print(peak_of_training(Path(sys.argv[1]), ['--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 10_000_000 < int(done.stdout) < 1_000_000_000
