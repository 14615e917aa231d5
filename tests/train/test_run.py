import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

from train.dataset import read_manifest
from train.predictions import read_predictions
from train.run import main

DAMAGED = ("cut.png", "zeros.png", "empty.png", "text.jpg", "dot.png", "half.png", "loop.png", "gone.png", "pipe.png")


@pytest.fixture(scope="module")
def photos(digits_photos, tmp_path_factory):
    """Zeros, ones and twos: 60 photos each, and nine, a twentieth, that are damaged each in another way."""
    folder = tmp_path_factory.mktemp("photos")
    for label in ("zero", "one", "two"):
        (folder / label).mkdir()
        for path in sorted((digits_photos / label).iterdir())[:60]:
            shutil.copy(path, folder / label)
    whole = sorted((digits_photos / "two").iterdir())[60].read_bytes()
    damaged = (whole[:-20], bytes(len(whole)), b"", b"no photo", photo_of_one_pixel(), whole[: len(whole) // 2])
    for name, data in zip(DAMAGED, damaged, strict=False):
        (folder / "two" / name).write_bytes(data)
    (folder / "two" / "loop.png").symlink_to("loop.png")
    (folder / "two" / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "two" / "pipe.png")
    return folder


def photo_of_one_pixel():
    _, data = cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))
    return data.tobytes()


def hashes(folder):
    """Return the hash of each file's content and the time of its last change."""
    files = [path for path in sorted(folder.rglob("*.*")) if path.is_file()]
    return {path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def train(photos, output, *flags):
    return main(["--data", str(photos), "--image-size", "16", "--epochs", "2", "--output", str(output), *flags])


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    output, before = tmp_path_factory.mktemp("runs") / "small", hashes(photos)
    assert train(photos, output) == 0
    assert hashes(photos) == before
    return output


def test_the_runs_folder_holds_what_the_design_says(run, photos):
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert names >= {"config.json", "dataset.json", "model.keras", "history.csv", "metrics.json"}
    assert names >= {"plots/loss.png", "plots/accuracy.png", "plots/confusion_matrix.png", "plots/reliability.png"}
    assert names >= {"predictions.npz", "report.html"}
    assert not [name for name in names if name.startswith(".")]
    assert (run.parent / "latest").resolve() == run

    config = json.loads((run / "config.json").read_text())
    assert (config["image_size"], config["seed"], config["epochs"]) == ([16, 16], 0, 2)
    assert config["device"].startswith(("CPU: ", "GPU: "))
    assert config["precision"] == "auto"
    assert config["precision_used"] in ("float32", "mixed_bfloat16", "mixed_float16")

    manifest = read_manifest(run / "dataset.json")
    assert manifest.labels == ("one", "two", "zero")
    assert len(manifest.files) == 180
    assert {file.path for file in manifest.quarantined} == {f"two/{name}" for name in DAMAGED}
    found = json.loads((run / "preflight.json").read_text())
    assert found["photos"] == {"found": 189, "used": 180, "quarantined": 9}
    assert {file["path"] for file in found["quarantined"]} == {f"two/{name}" for name in DAMAGED}

    with (run / "history.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_the_metrics_are_those_of_the_saved_model(run):
    import tf_keras as keras

    from train.pixels import load_images

    metrics = json.loads((run / "metrics.json").read_text())
    manifest, model = read_manifest(run / "dataset.json"), keras.models.load_model(run / "model.keras")
    written = read_predictions(run, manifest)
    for split in ("test", "validation"):
        images, labels = load_images(manifest, split, (16, 16))
        scores = model(images).numpy()
        assert written[split] == pytest.approx(scores, abs=1e-5)
        right = int((scores.argmax(axis=1) == labels).sum())
        assert metrics[split]["n"] == len(labels) == 27
        assert metrics[split]["accuracy"] == pytest.approx(right / 27)
    assert metrics["temperature"] > 0
    assert metrics["threshold"]["false_accept_rate"] == 0.05
    assert metrics["training"]["parameters"] == model.count_params()


def test_what_the_user_is_told(photos, tmp_path, capsys):
    assert train(photos, tmp_path / "run with space") == 0
    said = capsys.readouterr()
    assert said.out.startswith("test accuracy  ")
    assert f"report         {tmp_path}/run with space/report.html\n" in said.out
    assert f"python -m convert.quantize --int8 --run '{tmp_path}/run with space'" in said.out
    assert all(f"left out: two/{name}: " in said.err for name in DAMAGED)
    assert "180 photos, 3 classes" in said.err
    assert "epoch 2/2" in said.err
    assert "Traceback" not in said.err


def test_a_finished_run_is_kept_without_force(run, photos, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "model_int8.tflite").touch()
    before = (copy / "model.keras").read_bytes()
    assert train(photos, copy) == 1
    assert (copy / "model.keras").read_bytes() == before
    assert "--force" in capsys.readouterr().err
    assert train(photos, copy, "--force", "--seed", "1") == 0
    assert (copy / "model.keras").read_bytes() != before
    assert not (copy / "model_int8.tflite").exists()


def test_a_leak_is_refused_unless_it_is_dropped(digits_photos, tmp_path, capsys):
    data = tmp_path / "data"
    for label in ("one", "two"):
        for number, path in enumerate(sorted((digits_photos / label).iterdir())[:40]):
            split = "train" if number < 30 else "valid" if number < 35 else "test"
            (data / split / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, data / split / label)
    leaked = min((data / "test" / "one").iterdir())
    shutil.copy(leaked, data / "train" / "one" / "leak.png")

    assert train(data, tmp_path / "run") == 1
    said = capsys.readouterr().err.splitlines()
    assert f"in two splits, same bytes: train/one/leak.png (train) = test/one/{leaked.name} (test)" in said
    assert said[-1].startswith("error: Expected each photo in one split")
    assert not (tmp_path / "run").exists()

    assert train(data, tmp_path / "run", "--epochs", "1", "--drop-leaks") == 0
    manifest = read_manifest(tmp_path / "run" / "dataset.json")
    assert [file.path for file in manifest.quarantined] == ["train/one/leak.png"]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["leaks"] == "drop"


def test_bad_data_costs_one_line_and_no_run(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one" / "cat").mkdir(parents=True)
    (tmp_path / "one" / "cat" / "1.png").touch()
    for data in ("empty", "one", "missing"):
        assert main(["--data", str(tmp_path / data), "--output", str(tmp_path / "run")]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: Expected")
        assert said.err.count("\n") == 1
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "flags",
    [
        *(["--image-size", size] for size in ("0", "7", "9999", "16x", "1x2x3", "big")),
        *(["--split", split] for split in ("70/30", "70/15/0", "100/0/0", "a/b/c")),
        *(["--learning-rate", rate] for rate in ("0", "-1", "nan", "inf", "fast")),
        *(["--false-accept-rate", rate] for rate in ("0", "1", "nan", "5 %")),
        *(["--seed", seed] for seed in ("-1", "4294967296", "x")),
        ["--epochs", "0"],
        ["--alpha", "wide"],
        ["--precision", "int8"],
    ],
    ids=" ".join,
)
def test_bad_flags_exit_2(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(flags)
    assert stopped.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_as_a_command_tensorflow_keeps_quiet(photos, tmp_path):
    flags = ["--data", str(photos), "--image-size", "16x24", "--epochs", "1", "--output", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "train.run", *flags, "--precision", "float32", "--split", "60/20/20"],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert not [line for line in lines if "WARNING" in line or "oneDNN" in line or "cuda" in line.lower()]
    assert lines[-1].startswith("epoch 1/1")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["image_size"] == [16, 24]


def test_a_missing_package_does_not_cost_the_old_run(digits_run, digits_photos, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(digits_run, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert main(["--data", str(digits_photos), "--output", str(run), "--force"]) == 1
    assert "tensorflow" in capsys.readouterr().err.splitlines()[-1]
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.fixture
def stopped(photos, tmp_path, capsys):
    """A run of 40 epochs that SIGTERM stopped soon after its first checkpoint; its exit code; what it said."""
    output = tmp_path / "runs" / "stopped"
    done = threading.Event()

    def stop():
        while not list(output.glob("checkpoints/*.npz")):
            if done.wait(0.01):
                return
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    code = train(photos, output, "--epochs", "40", "--patience", "40")
    done.set()
    thread.join()
    return output, code, capsys.readouterr()


def test_sigterm_saves_and_the_run_goes_on(stopped, photos, tmp_path, capsys, monkeypatch):
    run, code, said = stopped
    assert code == 143
    assert said.out == ""
    assert re.search(
        rf"stopped in epoch \d+, after \d of 4 steps; saved; go on: python -m train.run --resume --output {run}\n$",
        said.err,
    )
    assert not (run / "metrics.json").exists()

    assert train(photos, run, "--epochs", "39", "--patience", "40") == 1
    assert capsys.readouterr().err.startswith(f"error: The unfinished run in {run} began with epochs 40, not 39; ")
    monkeypatch.chdir(tmp_path)
    assert main(["--resume", "--seed", "1"]) == 1
    assert "began with seed 0, not 1" in capsys.readouterr().err

    (run / "checkpoints" / ".partial-of-a-kill").touch()
    (run / ".metrics.json.abcdefgh").touch()
    assert main(["--resume"]) == 0
    said = capsys.readouterr().err
    assert "going on with the unfinished run in runs/stopped\n" in said
    assert "going on from the checkpoint in epoch" in said
    assert "checking photos" not in said
    with (run / "history.csv").open(newline="") as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, 41))
    names = {path.name for path in run.iterdir()}
    assert "checkpoints" not in names
    assert not [name for name in names if name.startswith(".")]
    assert main(["--resume", "--output", str(run)]) == 1
    assert "found a finished one" in capsys.readouterr().err


def test_force_begins_an_unfinished_run_anew(stopped, photos, capsys):
    run, _code, _said = stopped
    assert train(photos, run, "--force") == 0
    assert "going on" not in capsys.readouterr().err


def test_a_full_disk_costs_no_training(photos, tmp_path):
    # Files of at most 700 kB: a checkpoint is larger, the model is not.
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000)); from train.run import main"
    flags = ["--data", str(photos), "--image-size", "16", "--epochs", "2", "--output", "run"]
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; raise SystemExit(main({flags!r}))"],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "can't write a checkpoint (File too large); the last one stays, training goes on\n" in done.stderr
    assert not list(tmp_path.glob("run/checkpoints/*"))
    assert done.returncode == 0, done.stderr
