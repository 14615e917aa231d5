import json
import os

import numpy as np
import pytest

from convert import evaluation
from convert.record import NAME, Converted, find_strays, kept_entries, sweep

ORIGIN = {"model": "model.keras", "sha256": "0" * 64}
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc", from FIPS 180


def converted(tmp_path, scheme="int8", right=2, latency_ratio=0.5, difference=0.0):
    """A file that answers so many of two hundred photos wrong that Keras answers right."""
    truth = np.zeros(200, np.int64)
    reference = np.tile(np.array([[1, 0]], np.float32), (200, 1))
    scores = reference - np.array([difference, 0], np.float32)
    scores[: 200 - right] = [0, 1]
    verdict = evaluation.judge(scores, reference, truth)
    return Converted(
        path=tmp_path / f"model_{scheme}.tflite",
        scheme=scheme,
        batch=None,
        calibration=None,
        size_bytes=3,
        sha256=ABC,
        scores={"test": scores},
        verdicts={"test": verdict},
        reported="test",
        confidence=None,
        seconds=1.23456,
        latency_ratio=latency_ratio,
    )


def test_an_entry_has_the_keys_of_the_contract(tmp_path):
    entry = converted(tmp_path, right=200).describe()
    assert entry.keys() >= {"scheme", "size_bytes", "sha256", "test", "latency_ratio"}
    assert entry["batch"] == "dynamic"
    assert entry["conversion_seconds"] == 1.235
    assert entry["warnings"] == []
    assert "temperature" not in entry
    json.dumps(entry)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"right": 200, "latency_ratio": 1.5}, ["slower than float32 on this machine: 1.50 of its latency"]),
        ({"right": 180}, ["loses accuracy beyond chance: 10.0 points"]),
        ({"right": 199}, []),  # 0.5 points, give or take 1
        ({"right": 200, "scheme": "float32", "difference": 0.001}, ["scores differ from Keras's by up to 0.001"]),
        ({"right": 200, "scheme": "float16", "difference": 0.001}, []),
    ],
)
def test_what_is_worse_is_said(tmp_path, made, said):
    warnings = converted(tmp_path, **made).warnings
    assert len(warnings) == len(said)
    assert all(warning.startswith(start) for warning, start in zip(warnings, said, strict=True))


@pytest.fixture
def before(tmp_path):
    """A folder with an earlier conversion.json of two files."""
    (tmp_path / "model_int8.tflite").write_bytes(b"abc")
    (tmp_path / "model_float32.tflite").write_bytes(b"abc")
    entries = {name: {"sha256": ABC} for name in ("model_int8.tflite", "model_float32.tflite", "model_gone.tflite")}
    (tmp_path / NAME).write_text(json.dumps({"origin": ORIGIN, "files": entries}))
    return tmp_path


def test_files_that_are_as_they_were_keep_their_entries(before):
    assert kept_entries(before, ORIGIN).keys() == {"model_int8.tflite", "model_float32.tflite"}
    (before / "model_int8.tflite").write_bytes(b"abd")
    assert kept_entries(before, ORIGIN).keys() == {"model_float32.tflite"}


def test_entries_of_another_model_go(before):
    assert kept_entries(before, {**ORIGIN, "sha256": "1" * 64}) == {}


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"files": 3}'])
def test_a_record_that_says_nothing(tmp_path, content):
    if content:
        (tmp_path / NAME).write_text(content)
    assert kept_entries(tmp_path, ORIGIN) == {}


def test_files_of_an_earlier_conversion_are_found_and_what_may_be_somebodys_own_left_alone(before):
    (before / "model_int8.onnx").write_bytes(b"abc")  # nobody wrote that down
    assert [path.name for path in find_strays(before, {"model_float32.tflite"})] == ["model_int8.tflite"]
    (before / "model_int8.tflite").write_bytes(b"changed")
    assert find_strays(before, {"model_float32.tflite"}) == []


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"files": 3}', '{"files": {"a": 1}}'])
def test_without_a_record_nothing_is_a_stray(tmp_path, content):
    (tmp_path / "model_int8.tflite").write_bytes(b"abc")
    if content:
        (tmp_path / NAME).write_text(content)
    assert find_strays(tmp_path, set()) == []


def test_what_a_killed_conversion_left_goes_after_a_day(tmp_path):
    for name in (".converting-old", ".converting-new", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / ".converting-old" / "model_int8.tflite").write_bytes(b"abc")
    os.utime(tmp_path / ".converting-old", (0, 0))
    os.utime(tmp_path / "mine", (0, 0))
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".converting-new", "mine"}
