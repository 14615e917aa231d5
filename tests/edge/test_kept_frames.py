from datetime import datetime, timezone

import cv2
import numpy as np
import pytest

from edge.answers import Answer
from edge.camera import Shot
from edge.classifier import Prediction
from edge.errors import UserError
from edge.kept_frames import FrameFolder

START = datetime(2026, 1, 2, 3, 4, 5, 678000, timezone.utc).timestamp()
MIB = 1 << 20


def answer(second=0, label="cat", size=(48, 64)):
    frame = np.full((*size, 3), 90, np.uint8)
    return Answer(Shot(frame, second, START + second), Prediction(label, 1, 0.41234), 1.0)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_name_tells_time_label_and_confidence(tmp_path):
    folder = FrameFolder(tmp_path / "new" / "folder", 10, MIB)
    folder.save(answer())
    folder.save(answer())
    folder.save(answer(1, "../Käse/\x1b"))
    assert names(tmp_path / "new" / "folder") == [
        "20260102T030405.678Z_cat_0.412.jpg",
        "20260102T030405.678Z_cat_0.412_1.jpg",
        "20260102T030406.678Z_K-se_0.412.jpg",
    ]
    assert cv2.imread(str(tmp_path / "new" / "folder" / "20260102T030405.678Z_cat_0.412.jpg")).shape == (48, 64, 3)


def test_the_oldest_go_but_no_file_of_the_users(tmp_path):
    (tmp_path / "mine.jpg").touch()
    for start in (0, 3):  # the second run counts what the first one left
        folder = FrameFolder(tmp_path, 4, MIB)
        for second in range(start, start + 3):
            folder.save(answer(second))
    assert [name[13:15] for name in names(tmp_path) if name != "mine.jpg"] == ["07", "08", "09", "10"]
    assert (tmp_path / "mine.jpg").exists()


def test_all_bytes_together_are_bounded(tmp_path):
    FrameFolder(tmp_path / "one", 10, MIB).save(answer())
    size = next((tmp_path / "one").iterdir()).stat().st_size
    folder = FrameFolder(tmp_path / "many", 100, 3 * size)
    for second in range(7):
        folder.save(answer(second))
        assert sum(path.stat().st_size for path in (tmp_path / "many").iterdir()) <= 3 * size
    assert len(names(tmp_path / "many")) == 3
    with pytest.raises(OSError, match="more than all may"):
        FrameFolder(tmp_path / "tiny", 100, 10).save(answer())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"Expected to keep frames in .*; name another folder"):
        FrameFolder(tmp_path / "file", 1, 1)


def test_a_folder_that_vanishes_is_an_error_and_no_more(tmp_path):
    folder = FrameFolder(tmp_path / "gone", 3, MIB)
    (tmp_path / "gone").rmdir()
    with pytest.raises(OSError, match="No such file"):
        folder.save(answer())
    (tmp_path / "gone").mkdir()
    folder.save(answer())
    assert len(names(tmp_path / "gone")) == 1


def test_what_a_power_cut_left_goes_at_the_next_start(tmp_path):
    for name in ("20260102T030405.678Z_cat_0.412.part", "mine.part"):
        (tmp_path / name).touch()
    FrameFolder(tmp_path, 3, MIB)
    assert names(tmp_path) == ["mine.part"]


def test_a_frame_that_cannot_go_still_counts(tmp_path, monkeypatch):
    folder = FrameFolder(tmp_path, 2, MIB)
    for second in range(2):
        folder.save(answer(second))
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.unlink", raising_read_only)
        for second in range(2, 4):
            with pytest.raises(OSError, match="Read-only"):
                folder.save(answer(second))
    folder.save(answer(4))
    assert [name[13:15] for name in names(tmp_path)] == ["06", "09"]


def raising_read_only(path, missing_ok=False):
    raise OSError(30, "Read-only file system")
