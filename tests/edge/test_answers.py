import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.answers import Answer, Tally, open_sink
from edge.camera import Shot
from edge.classifier import Prediction
from edge.errors import UserError

FRAME = np.zeros((2, 2, 3), np.uint8)
TAKEN = datetime(2026, 1, 2, 3, 4, 5, 678000, timezone.utc)


def answer(number=7, dropped=3, label="cat", path=None, latency_ms=1.23456):
    return Answer(Shot(FRAME, number, TAKEN.timestamp(), dropped, path), Prediction(label, 1, 0.12345678), latency_ms)


def test_json_has_the_keys_that_programs_rely_on():
    assert json.loads(answer().to_json()) == {
        "frame": 7,
        "time": "2026-01-02T03:04:05.678+00:00",
        "label": "cat",
        "index": 1,
        "confidence": 0.123457,
        "latency_ms": 1.235,
        "dropped": 3,
    }
    time = datetime.fromisoformat(json.loads(answer().to_json())["time"])
    assert abs(time - TAKEN) < timedelta(milliseconds=1)


@pytest.mark.parametrize("label", ["Käse\n", "\x1b[2J", "\ud800", '"', "\u2028"])
def test_json_is_one_line_of_ascii_whatever_the_label(label):
    line = answer(label=label).to_json()
    assert json.loads(line)["label"] == label
    assert line.isascii()
    assert line.isprintable()


def test_text_is_one_line_without_escape_sequences():
    assert answer().to_text() == "     7  cat  12.3%  1.2 ms  dropped 3"
    assert answer(label="Käse\n\x1b[2J").to_text() == "     7  Käse??[2J  12.3%  1.2 ms  dropped 3"
    assert answer(path=Path("a/b.png")).to_text() == "     7  cat  12.3%  1.2 ms  a/b.png"


def test_a_tally_counts_and_keeps_the_latest_latencies():
    tally = Tally()
    assert str(tally) == "0 frames answered, 0 dropped"
    for number in range(2000):
        tally.add(answer(number, dropped=number, latency_ms=number), started=1.0)
    tally.skipped = 2
    assert str(tally).startswith("2,000 frames answered, 1,999 dropped, 2 broken photos skipped, ")
    assert str(tally).endswith("fps, median latency 1499.50 ms")  # of 1000 to 1999


def test_the_pace_is_of_all_frames_since_the_first(monkeypatch):
    monkeypatch.setattr("edge.answers.time.perf_counter", lambda: 110.0)
    tally = Tally()
    for number in range(50):
        tally.add(answer(number), started=100.0 + number / 5)
    assert ", 5.0 fps, " in str(tally)  # 50 in 10 seconds


def test_answers_are_appended_line_by_line(tmp_path):
    path = tmp_path / "answers.jsonl"
    for number in (1, 2):
        with open_sink(path) as write:
            write(answer(number))
            assert len(path.read_text().splitlines()) == number  # before the file is closed
    assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize(("jsonl", "start"), [(None, "     7  cat"), (Path("-"), '{"frame": 7')])
def test_answers_go_to_stdout(jsonl, start, capsys):
    with open_sink(jsonl) as write:
        write(answer())
    assert capsys.readouterr().out.startswith(start)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(UserError, match="Is a directory; name another"), open_sink(tmp_path):
        pass
    with pytest.raises(UserError, match="No such file or directory"), open_sink(tmp_path / "none" / "x"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_one_line():
    with pytest.raises(UserError, match="No space left on device"), open_sink(Path("/dev/full")) as write:
        write(answer())


def test_a_start_that_failed_leaves_no_file_behind(tmp_path):
    path = tmp_path / "new.jsonl"
    with pytest.raises(UserError), open_sink(path):
        raise UserError("no such model")
    assert not path.exists()


def test_a_start_that_failed_leaves_the_users_file_alone(tmp_path):
    path = tmp_path / "old.jsonl"
    path.touch()
    with pytest.raises(UserError), open_sink(path):
        raise UserError("no such model")
    assert path.read_bytes() == b""


def test_answers_stay_when_the_loop_is_lost_later(tmp_path):
    def lose_the_camera():
        with open_sink(tmp_path / "begun.jsonl") as write:
            write(answer())
            raise UserError("lost later")

    with pytest.raises(UserError, match="lost later"):
        lose_the_camera()
    assert (tmp_path / "begun.jsonl").read_bytes().count(b"\n") == 1
