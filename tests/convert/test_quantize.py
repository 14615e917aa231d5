import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convert.pipeline import Conversion
from convert.quantize import _require_speedup, main
from edge import Classifier, UserError
from tests.convert.test_record import converted


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
    assert "Converting to model_float32.onnx" in err
    conversion = json.loads((run / "conversion.json").read_text())
    assert set(conversion["files"]) == {
        f"model_{scheme}{suffix}" for scheme in ("float32", "int8") for suffix in (".tflite", ".onnx")
    }
    assert conversion["calibration"]["n"] == conversion["calibration"]["asked"] == 50
    assert (conversion["calibration"]["split"], conversion["calibration"]["seed"]) == ("train", 0)
    assert conversion["calibration"]["in_validation_or_test"] == 0
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
    assert conversion["peak_bytes"] > sum(path.stat().st_size for path in run.glob("model_*"))
    assert all(entry["conversion_seconds"] > 0 for entry in conversion["files"].values())
    sizes = {path.name: path.stat().st_size for path in run.glob("model_*")}
    assert all(conversion["files"][name]["size_bytes"] == size for name, size in sizes.items())
    assert sizes["model_int8.tflite"] < 0.4 * sizes["model_float32.tflite"]


def test_each_file_carries_a_temperature_and_threshold_of_its_own(run):
    from edge.confidence import temper
    from train.dataset import read_manifest
    from train.pixels import load_images

    assert main(["--run", str(run), "--int8", "--dynamic-range", "--calibration-size", "50"]) == 0
    conversion = json.loads((run / "conversion.json").read_text())
    images, truth = load_images(read_manifest(run / "dataset.json"), "validation", (32, 32))
    for name, entry in conversion["files"].items():
        classifier = Classifier(run / name)
        assert classifier.metadata["temperature"] == entry["temperature"]
        assert classifier.metadata["threshold"] == entry["threshold"]["value"]
        scores = np.stack([classifier.scores(image) for image in images])
        right = scores.argmax(axis=1) == truth
        assert entry["validation"]["n"] == len(truth)
        assert entry["validation"]["accuracy"] == pytest.approx(right.mean())
        stands = temper(scores, entry["temperature"]).max(axis=1) >= entry["threshold"]["value"]
        assert entry["threshold"]["validation"]["accepted"] == pytest.approx(stands.mean())
        assert entry["threshold"]["validation"]["accuracy_of_accepted"] == pytest.approx(right[stands].mean())
        assert len(classifier.metadata["golden"]) == conversion["golden_samples"] > 0
    temperatures = {entry["temperature"] for entry in conversion["files"].values()}
    assert len(temperatures) > 1


def test_all_schemes_of_a_larger_batch(run, capsys):
    assert main(["--run", str(run), "--all", "--batch", "16", "--calibration-size", "20"]) == 0
    conversion = json.loads((run / "conversion.json").read_text())
    assert {entry["scheme"] for entry in conversion["files"].values()} == {
        "float32",
        "float16",
        "dynamic_range",
        "int8",
        "int8_qat",
    }
    for name, entry in conversion["files"].items():
        assert entry["batch"] == 16
        assert entry["test"]["agreement"] > 0.9
        assert ("calibration" in entry) == name.startswith("model_int8")
    out = capsys.readouterr().out
    assert all(name in out for name in conversion["files"])
    assert max(map(len, out.split("Written to")[0].splitlines())) <= 100


def test_what_was_made_before_stays_on_record(digits_run, tmp_path):
    run = shutil.copytree(digits_run, tmp_path / "run")
    before = json.loads((run / "conversion.json").read_text())["files"]["model_int8.tflite"]
    assert main(["--run", str(run), "--float16", "--seed", "1", "--calibration-size", "20"]) == 0
    after = json.loads((run / "conversion.json").read_text())["files"]
    assert after["model_int8.tflite"] == before
    assert before["calibration"] == {"n": 300, "seed": 0}
    assert "model_float16.tflite" in after


def test_copies_across_splits_are_passed_over_and_told(run, digits_photos, tmp_path, capsys):
    photos = shutil.copytree(digits_photos, tmp_path / "photos")
    dataset = json.loads((run / "dataset.json").read_text())
    of = {split: [file for file in dataset["files"] if file["split"] == split] for split in ("train", "test")}
    of["train"][0].update(sha256=of["test"][0]["sha256"])  # as after a training with --allow-leaks
    shutil.copy(photos / of["test"][0]["path"], photos / of["train"][0]["path"])
    (run / "dataset.json").write_text(json.dumps({**dataset, "root": str(photos)}))
    assert main(["--run", str(run), "--float32", "--calibration-size", "5000"]) == 0
    calibration = json.loads((run / "conversion.json").read_text())["calibration"]
    assert calibration["passed_over"] == [of["train"][0]["path"]]
    assert calibration["n"] == len(of["train"]) - 1
    assert "note: 1 photo of the training split lies in validation or test too" in capsys.readouterr().out


def test_a_speedup_that_is_not_reached_is_told_when_all_is_written(run, capsys):
    assert main(["--run", str(run), "--calibration-size", "10", "--require-speedup", "1e6"]) == 1
    out, err = capsys.readouterr()
    assert "model_int8.tflite" in out
    assert (run / "model_int8.tflite").is_file()
    assert json.loads((run / "conversion.json").read_text())["files"]["model_int8.tflite"]["latency_ratio"] > 1e-6
    assert err.splitlines()[-1].startswith("error: Expected int8 files at least 1e+06 times as fast as float32")


@pytest.mark.parametrize(("least", "is_told"), [(1.9, False), (2.1, True)])
def test_a_speedup_is_the_inverse_of_a_latency(tmp_path, least, is_told):
    files = [converted(tmp_path, "float32", latency_ratio=9.0), converted(tmp_path, "int8", latency_ratio=0.5)]
    with pytest.raises(UserError, match=r"got model_int8\.tflite 2\.00;") if is_told else contextlib.nullcontext():
        _require_speedup(Conversion(None, {}, files, None, None, None), least)


def test_a_foreign_model(digits_run, digits_photos, tmp_path, capsys):
    shutil.copy(digits_run / "model.keras", tmp_path / "theirs.keras")
    (tmp_path / "labels.txt").write_text("".join(f"{number}\n" for number in range(10)))
    (tmp_path / "photos").mkdir()
    for path in sorted(digits_photos.glob("*/*.png"))[::20]:
        shutil.copy(path, tmp_path / "photos")
    flags = ["--model", "theirs.keras", "--labels", "labels.txt", "--calibration", "photos", "--output", "out"]
    paths = [flag if flag.startswith("--") else str(tmp_path / flag) for flag in flags]
    assert main([*paths, "--int8", "--float16"]) == 0
    out = capsys.readouterr().out
    assert "45 held back photos" in out
    assert "note: theirs.keras gets RGB pixels of 0 to 255 (assumed" in out
    conversion = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert conversion["origin"]["kind"].startswith("Keras 2.")
    for name, entry in conversion["files"].items():
        assert entry["held_back"].keys() == {"n", "agreement", "largest_difference"}
        assert entry["held_back"]["agreement"] > 0.9
        assert Classifier(tmp_path / "out" / name).labels == [str(number) for number in range(10)]
    assert not (tmp_path / "out" / "eval.npz").exists()


def test_the_float32_files_alone(run, capsys):
    assert main(["--run", str(run), "--float32", "--no-golden"]) == 0
    assert "golden" not in Classifier(run / "model_float32.tflite").metadata
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


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model", "x.keras"], "--model needs --labels FILE and --calibration FOLDER"),
        (["--model", "x.keras", "--run", "x"], "--run and --model are two models"),
        (["--labels", "x.txt"], "--labels is about a foreign model: add --model"),
        (["--input-range", "0", "1"], "--input-range is about a foreign model"),
        (["--float32", "--require-speedup", "2"], "--require-speedup is about int8 files"),
        (["--float32", "--frigate", "x"], "--frigate is about the int8 file"),
        (["--require-speedup", "0"], "expected a number above 0"),
        (["--batch", "0"], "expected a whole number of at least 1"),
        (["--batch", "any"], "expected a whole number of at least 1"),
    ],
)
def test_wrong_flags(flags, said, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(flags)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_a_conversion_that_fails_leaves_the_old_files_together(digits_run, tmp_path, monkeypatch, capsys):
    from convert import evaluation

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


def test_frigate_is_told_that_it_takes_one_size_alone(run, tmp_path, capsys):
    flags = ["--run", str(run), "--int8", "--calibration-size", "20", "--frigate", str(tmp_path / "frigate")]
    assert main(flags) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: Frigate gives images of 224x224, ")
    assert not (run / "model_int8.tflite").exists()  # told before the work, not behind it
    assert not (tmp_path / "frigate").exists()
