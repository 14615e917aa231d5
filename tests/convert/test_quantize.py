import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convert.quantize import main


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy of the run as training left it."""
    copy = shutil.copytree(digits_run, tmp_path / "run")
    for path in [*copy.glob("model_*"), copy / "conversion.json", copy / "eval.npz"]:
        path.unlink()
    return copy


def interpret(path, images):
    """Top-1 of each image by the bare runtime, without our code."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = []
    for image in images:
        interpreter.set_tensor(given["index"], image[np.newaxis].astype(given["dtype"]))
        interpreter.invoke()
        answers.append(int(interpreter.get_tensor(answer["index"])[0].argmax()))
    return np.array(answers)


def test_the_command_writes_files_that_the_bare_runtime_confirms(run, capsys):
    assert main(["--run", str(run), "--int8", "--calibration-size", "50"]) == 0
    out, err = capsys.readouterr()
    assert "model_int8.tflite" in out
    assert "Converting to .onnx" in err
    conversion = json.loads((run / "conversion.json").read_text())
    assert set(conversion["files"]) == {"model_float32.tflite", "model_int8.tflite", "model_float32.onnx"}
    assert conversion["calibration"] == {"split": "train", "n": 50, "seed": 0}
    with np.load(run / "eval.npz", allow_pickle=False) as held_out:
        images, labels, names = held_out["images"], held_out["labels"], held_out["names"]
    dataset = json.loads((run / "dataset.json").read_text())
    assert list(names) == dataset["labels"]
    assert len(images) == sum(file["split"] == "test" for file in dataset["files"])

    import tf_keras as keras

    model = keras.models.load_model(run / "model.keras", compile=False)
    expected = model.predict(images.astype(np.float32), verbose=0).argmax(axis=1)
    for name in ("model_float32.tflite", "model_int8.tflite"):
        answers = interpret(run / name, images)
        told = conversion["files"][name]["test"]
        assert told["n"] == len(images)
        assert told["accuracy"] == pytest.approx((answers == labels).mean())
        assert told["agreement"] == pytest.approx((answers == expected).mean())
        drop = (expected == labels).mean() - (answers == labels).mean()
        assert told["drop_points"] == pytest.approx(100 * drop)
    for name in ("model_float32.tflite", "model_float32.onnx"):
        assert conversion["files"][name]["test"]["agreement"] == 1.0
        assert conversion["files"][name]["test"]["largest_difference"] < 1e-4
    assert conversion["files"]["model_int8.tflite"]["test"]["agreement"] > 0.95
    sizes = {path.name: path.stat().st_size for path in run.glob("model_*")}
    assert all(conversion["files"][name]["size_bytes"] == size for name, size in sizes.items())
    assert sizes["model_int8.tflite"] < 0.4 * sizes["model_float32.tflite"]


def test_the_float32_files_alone(run, capsys):
    assert main(["--run", str(run), "--float32"]) == 0
    assert sorted(path.name for path in run.glob("model_*")) == ["model_float32.onnx", "model_float32.tflite"]


def test_no_run(tmp_path, capsys):
    assert main(["--run", str(tmp_path / "nowhere")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: Expected a run's folder at ")
    assert "python -m train.run" in err


def test_a_run_without_weights_is_one_line_even_from_a_real_process(run):
    (run / "model.keras").unlink()
    before = sorted(run.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "convert.quantize", "--run", str(run)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Expected a finished run with model.keras" in done.stderr
    assert sorted(run.iterdir()) == before


def test_a_photo_that_changed_since_the_training(run, digits_photos, tmp_path, capsys):
    photos = shutil.copytree(digits_photos, tmp_path / "photos")
    dataset = json.loads((run / "dataset.json").read_text())
    changed = next(file["path"] for file in dataset["files"] if file["split"] == "test")
    (photos / changed).write_bytes(b"other bytes")
    (run / "dataset.json").write_text(json.dumps({**dataset, "root": str(photos)}))
    (run / "convert.log").touch()
    names = sorted(run.iterdir())
    before = {path: path.read_bytes() for path in names if path.is_file() and path.name != "convert.log"}
    assert main(["--run", str(run)]) == 1
    assert before == {path: path.read_bytes() for path in before}
    assert sorted(run.iterdir()) == names
    assert f"{changed} as it was" in capsys.readouterr().err.splitlines()[-1]


def test_wrong_flags(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--int8", "--float32"])
    assert exit_.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_a_conversion_that_fails_leaves_the_old_files_together(digits_run, tmp_path, monkeypatch, capsys):
    from convert import evaluation
    from edge import UserError

    run = shutil.copytree(digits_run, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != "convert.log"}

    def fail(*_):
        raise UserError("the runtime left")

    monkeypatch.setattr(evaluation, "run_file", fail)
    assert main(["--run", str(run), "--calibration-size", "10"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: the runtime left"
    assert before == {p.name: p.read_bytes() for p in run.iterdir() if p.is_file() and p.name != "convert.log"}


@pytest.mark.parametrize("seed", ["-1", "4294967296", "x"])
def test_a_seed_that_numpy_would_refuse(seed, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--seed", seed])
    assert exit_.value.code == 2
