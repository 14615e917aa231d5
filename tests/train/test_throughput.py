import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.errors import UserError
from tests.train.small_set import make_small_set
from train import throughput
from train.contenders import Outcome, Turn, peak_bytes
from train.throughput import link_photos, main, measure


@pytest.fixture
def in_this_process(monkeypatch):
    """Let turns be taken here: a process of its own costs each of them TensorFlow's start."""
    monkeypatch.setattr(throughput, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))


def test_both_train_and_the_table_tells_how_fast(in_this_process, tmp_path, capsys):
    make_small_set(tmp_path / "photos")
    flags = ["--image-size", "16", "--batch-size", "8", "--rounds", "2", "--warmup", "1", "--steps", "5"]
    where = [
        "--data",
        str(tmp_path / "photos"),
        "--cache",
        str(tmp_path / "cache"),
        "--json",
        str(tmp_path / "out.json"),
    ]
    assert main([*where, *flags, "--precision", "mixed_bfloat16"]) == 0
    results = json.loads((tmp_path / "out.json").read_text())
    assert results["turn"]["steps"] == 5
    rates = [results[contender]["images_per_second"] for contender in ("keras", "tinysight")]
    assert [len(each) for each in rates] == [2, 2]
    assert results["ratio"] == pytest.approx([ours / keras for keras, ours in zip(*rates, strict=True)], rel=0.02)
    assert (results["keras"]["precision"], results["tinysight"]["precision"]) == ("float32", "mixed_bfloat16")
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith("ratio ")
    assert "keras, float32" in said
    assert "Found" not in said
    assert list((tmp_path / "cache").iterdir())


def test_they_take_turns_and_auto_is_timed_once(monkeypatch, in_this_process):
    turns = []

    def take_turn(turn):
        turns.append((turn.contender, turn.precision))
        return Outcome(100.0 * len(turns), 1_000_000, "mixed_bfloat16" if turn.contender == "tinysight" else "float32")

    monkeypatch.setattr("train.contenders.take_turn", take_turn)
    results = measure(Turn("", Path("none"), "cnn", (8, 8), 4, "auto", None, 1, 1), 2)
    assert [contender for contender, _precision in turns] == ["keras", "tinysight"] * 2
    assert [precision for contender, precision in turns if contender == "tinysight"] == ["auto", "mixed_bfloat16"]
    assert results["ratio"] == [2.0, round(4 / 3, 3)]


def test_keras_gets_the_training_photos_in_the_order_of_the_classes(tmp_path):
    manifest = make_small_set(tmp_path / "photos")
    link_photos(manifest, tmp_path / "links")
    for number, label in enumerate(manifest.labels):
        links = sorted((tmp_path / "links" / f"{number:04}").iterdir())
        wanted = [manifest.root / photo.path for photo in manifest.of("train") if photo.label == label]
        assert [link.resolve() for link in links] == wanted


def test_a_class_that_keras_cannot_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("train.contenders.KERAS_READS", frozenset({".gif"}))
    with pytest.raises(UserError, match="photos of 'cat', which Keras can read"):
        link_photos(make_small_set(tmp_path), tmp_path / "links")


def test_the_peak_is_no_less_than_what_is_held():
    held = b"x" * 50_000_000
    assert peak_bytes() > len(held)
