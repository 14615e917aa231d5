import json
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from benchmarks import sustained
from benchmarks.latency import main
from benchmarks.sustained import sustain
from benchmarks.timed_model import Entry, load
from tests.tree import ROOT


@pytest.fixture(scope="module")
def model(digits_run):
    return load(Entry(digits_run / "model_int8.tflite", None), 1)


def test_what_it_measures_is_handed_on_after_every_minute(model):
    kept = []
    result = sustain(model, None, 0.7, kept.append, minute_s=0.2)
    assert len(kept) >= 3
    assert [len(each["minutes"]) for each in kept[:2]] == [1, 2]
    assert kept[0]["ended"] is None
    assert (result["ended"], result["source"]) == ("time", "test photos at 30 a second")
    assert result["answers"] == sum(minute["answers"] for minute in result["minutes"]) > 0
    times = result["camera_to_label_ms"]
    assert 0 < result["classify_ms"]["min"] <= times["min"] <= times["p50"] <= times["p99"]
    assert {"temperature_c", "frequency_mhz", "throttled"} <= result["minutes"][0].keys()


def test_a_video_ends_before_the_time(model, tmp_path):
    video = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 100, (64, 48))
    for level in range(12):
        writer.write(np.full((48, 64, 3), 20 * level, np.uint8))
    writer.release()
    result = sustain(model, str(video), 60, lambda measured: None)
    assert (result["ended"], result["source"]) == ("source", str(video))
    assert 0 < result["answers"] <= 12


def test_the_command_writes_figures_and_plot(digits_run, tmp_path, capsys):
    flags = ["--sustained", "0.005", "--json", str(tmp_path / "hot.json"), "--results", str(tmp_path / "machine.json")]
    assert main(["--run", str(digits_run), *flags]) == 0
    said = capsys.readouterr()
    assert "camera to label" in said.out
    assert str(tmp_path / "hot.png") in said.out
    assert "minute 1: " in said.err
    written = json.loads((tmp_path / "hot.json").read_text())
    (row,) = written["rows"]
    assert (row["run"], row["model"], row["num_threads"]) == ("digits", "model_int8.tflite", 1)
    assert {"machine", "before", "after"} <= written.keys()
    assert (tmp_path / "hot.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "machine.json").read_text())["sustained"]["rows"] == [row]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_run_keeps_what_it_has(number, digits_run, tmp_path):
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", _SHORT_MINUTES, str(tmp_path / "model_int8.tflite"), "--sustained", "30"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in child.stderr:
            if line.startswith("minute 2:"):
                break
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130
    assert "interrupted after" in err
    assert "sustained.json" in out
    (row,) = json.loads((tmp_path / "sustained.json").read_text())["rows"]
    assert row["ended"] == "interrupted"
    assert row["answers"] > 0
    assert len(row["minutes"]) >= 2
    assert (tmp_path / "sustained.png").exists()


# Two minutes would be long for a test.
_SHORT_MINUTES = """
import sys
from benchmarks import sustained
sustained.sustain.__kwdefaults__["minute_s"] = 0.3
from benchmarks.latency import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--threads", "1,2"], "one thread count"),
        (["--runtime", "ai-edge-litert,onnxruntime"], "one model and one runtime"),
        (["--source", "{photos}"], "photos"),
        (["--source", "nowhere.mp4"], "nowhere.mp4"),
        (["--plot", "{run}"], "--plot"),
        (["--json", "{run}"], "--json"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_bad_input_is_one_line(flags, part, digits_run, digits_photos, tmp_path, capsys):
    flags = [each.format(run=digits_run, photos=digits_photos) for each in flags]
    beside = [] if "--json" in flags else ["--json", str(tmp_path / "hot.json")]
    assert main(["--run", str(digits_run), "--sustained", "1", *beside, *flags]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert part in said.err
    assert not (tmp_path / "hot.json").exists()


def test_without_matplotlib_the_figures_are_there_and_the_plots_absence_explained(
    digits_run, tmp_path, capsys, monkeypatch
):
    for name in ("matplotlib", "matplotlib.figure", "benchmarks.sustained_plot"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(sustained, "fingerprint", dict)
    flags = ["--sustained", "0.002", "--json", str(tmp_path / "hot.json")]
    assert main(["--run", str(digits_run), *flags]) == 0
    said = capsys.readouterr().err
    assert "matplotlib" in said
    assert "bench" in said
    assert (tmp_path / "hot.json").exists()
