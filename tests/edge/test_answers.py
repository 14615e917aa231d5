import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.answers import Answer, Tally
from edge.camera import Shot
from edge.classifier import Prediction

FRAME = np.zeros((2, 2, 3), np.uint8)
TAKEN = datetime(2026, 1, 2, 3, 4, 5, 678000, timezone.utc)


def answer(number=7, dropped=3, label="cat", path=None, latency_ms=1.23456, **more):
    shot = Shot(FRAME, number, TAKEN.timestamp(), dropped, path)
    return Answer(shot, Prediction(label, 1, 0.12345678), latency_ms, **{"decision": label, **more})


def test_json_has_the_keys_that_programs_rely_on():
    assert json.loads(answer().to_json()) == {
        "frame": 7,
        "time": "2026-01-02T03:04:05.678+00:00",
        "label": "cat",
        "index": 1,
        "confidence": 0.123457,
        "latency_ms": 1.235,
        "dropped": 3,
        "decision": "cat",
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
    assert answer(path=Path("a\n\x1b\udcff.png")).to_text() == "     7  cat  12.3%  1.2 ms  a???.png"
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


def test_unknown_keeps_the_class_and_says_so():
    unknown = answer(decision=None)
    assert json.loads(unknown.to_json())["decision"] is None
    assert json.loads(unknown.to_json())["label"] == "cat"
    assert unknown.to_text() == "     7  unknown (cat  12.3%)  1.2 ms  dropped 3"
    assert answer(decision="dog\x1b").to_text() == "     7  dog? (cat  12.3%)  1.2 ms  dropped 3"


def test_more_classes_are_in_both_forms():
    several = answer(top=(Prediction("cat", 1, 0.75), Prediction("dog", 0, 0.25)))
    assert json.loads(several.to_json())["top"] == [
        {"label": "cat", "index": 1, "confidence": 0.75},
        {"label": "dog", "index": 0, "confidence": 0.25},
    ]
    assert several.to_text() == "     7  cat  75.0%, dog  25.0%  1.2 ms  dropped 3"
