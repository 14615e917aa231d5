import csv
import json
import shutil
import subprocess
import sys

import pytest

from train.dataset import read_manifest
from train.predictions import read_predictions
from train.run import main


@pytest.fixture(scope="module")
def photos(digits_photos, tmp_path_factory):
    """Zeros, ones and twos: 60 photos each, and one cut in half."""
    folder = tmp_path_factory.mktemp("photos")
    for label in ("zero", "one", "two"):
        (folder / label).mkdir()
        for path in sorted((digits_photos / label).iterdir())[:60]:
            shutil.copy(path, folder / label)
    whole = sorted((digits_photos / "two").iterdir())[60].read_bytes()
    (folder / "two" / "half.png").write_bytes(whole[: len(whole) // 2])
    return folder


def train(photos, output, *flags):
    return main(["--data", str(photos), "--image-size", "16", "--epochs", "2", "--output", str(output), *flags])


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "small"
    assert train(photos, output) == 0
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
    assert [file.path for file in manifest.quarantined] == ["two/half.png"]

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
    assert "left out: two/half.png: " in said.err
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
        *(["--split", split] for split in ("70/30", "70/15/16", "100/0/0", "a/b/c")),
        *(["--learning-rate", rate] for rate in ("0", "-1", "nan", "inf", "fast")),
        *(["--false-accept-rate", rate] for rate in ("0", "1", "nan", "5 %")),
        *(["--seed", seed] for seed in ("-1", "4294967296", "x")),
        ["--epochs", "0"],
        ["--model", "none"],
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
