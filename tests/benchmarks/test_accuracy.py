import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from benchmarks.accuracy import main
from edge import Classifier
from edge.preprocess import read_frame
from tests.tree import ROOT

# Runs a module as a command while the packages named first can't be imported.
WITHOUT = """
import runpy, sys
for name in sys.argv[1].split():
    sys.modules[name] = None
sys.argv[:] = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def rows(digits_run, tmp_path_factory):
    """Return the rows of a whole run, by file."""
    path = tmp_path_factory.mktemp("accuracy") / "accuracy.json"
    assert main(["--run", str(digits_run), "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert {"created", "machine"} <= written.keys()
    return {row["model"]: row for row in written["rows"]}


def test_every_file_is_judged_as_convert_judged_it(digits_run, rows):
    files = json.loads((digits_run / "conversion.json").read_text())["files"]
    assert rows.keys() == files.keys()
    for name, row in rows.items():
        assert row["run"] == "digits"
        assert row["accuracy"] == pytest.approx(files[name]["test"]["accuracy"])
        assert (row["n"], row["sha256"]) == (files[name]["test"]["n"], files[name]["sha256"])
        assert row["size_bytes"] == (digits_run / name).stat().st_size
        assert row["photos"] == "eval.npz"
        assert row["left_out"] == {"n": 0, "photos": []}


def test_float32_is_the_reference_of_its_format(digits_run, rows):
    assert rows["model_float32.tflite"]["reference"] is None
    assert "agreement" not in rows["model_float32.tflite"]
    row = rows["model_int8.tflite"]
    assert row["reference"] == "model_float32.tflite"
    with np.load(digits_run / "eval.npz") as arrays:
        images, truth = arrays["images"], arrays["labels"]
    int8, float32 = (
        np.array([classifier.scores(image).argmax() for image in images])
        for classifier in (Classifier(digits_run / name) for name in ("model_int8.tflite", "model_float32.tflite"))
    )
    assert row["agreement"] == pytest.approx((int8 == float32).mean())
    assert row["flipped"]["n"] == (int8 != float32).sum()
    assert [flip["photo"] for flip in row["flipped"]["photos"]] == np.flatnonzero(int8 != float32)[:20].tolist()
    assert row["mcnemar"]["only_float32_right"] == ((float32 == truth) & (int8 != truth)).sum()


def test_the_float32_files_ece_is_what_training_said(digits_run, rows):
    test = json.loads((digits_run / "metrics.json").read_text())["test"]
    assert rows["model_float32.tflite"]["macro_f1"] == pytest.approx(test["macro_f1"], abs=1e-6)
    assert rows["model_float32.tflite"]["ece"] == pytest.approx(test["ece_calibrated"], abs=2e-3)
    assert rows["model_float32.tflite"]["nll"] == pytest.approx(test["nll_calibrated"], abs=2e-3)


@pytest.fixture(scope="module")
def small(digits_run, tmp_path_factory):
    """Return a folder with the int8 file, its float32 file and 12 of the photos."""
    folder = tmp_path_factory.mktemp("small")
    for name in ("model_int8.tflite", "model_float32.tflite"):
        shutil.copy(digits_run / name, folder)
    with np.load(digits_run / "eval.npz") as arrays:
        np.savez(folder / "eval.npz", images=arrays["images"][:12], labels=arrays["labels"][:12], names=arrays["names"])
    return folder


def test_a_folder_of_photos(digits_run, digits_photos, tmp_path, capsys):
    for name in ("three", "seven"):
        (tmp_path / name).mkdir()
        for path in sorted((digits_photos / name).iterdir())[:5]:
            shutil.copy(path, tmp_path / name)
    (tmp_path / "three" / "broken.png").write_bytes(b"\x89PNG no photo")
    (tmp_path / "elephant").mkdir()
    model, results = digits_run / "model_int8.tflite", tmp_path / "accuracy.json"
    assert main([str(model), "--data", str(tmp_path), "--json", str(results)]) == 0
    (row,) = json.loads(results.read_text())["rows"]
    classifier = Classifier(model)
    right = [
        classifier.classify(read_frame(path))[0].label == path.parent.name
        for name in ("three", "seven")
        for path in sorted((tmp_path / name).glob("[0-9]*.png"))
    ]
    assert (row["n"], row["accuracy"]) == (10, pytest.approx(np.mean(right)))
    assert row["left_out"] == {"n": 1, "photos": ["three/broken.png"]}
    assert row["reference"] == "model_float32.tflite"
    assert row["per_class"]["one"] == {"precision": None, "recall": None, "f1": None, "n": 0}
    said = capsys.readouterr().err
    assert "left out, the model has no such class: elephant" in said
    assert "no photos of " in said
    assert "broken.png" in said


def test_models_of_several_folders_each_take_their_own_photos(digits_run, small, tmp_path, capsys):
    results = tmp_path / "accuracy.json"
    names = [str(digits_run / "model_int8.tflite"), str(small / "model_int8.tflite")]
    assert main([*names, "--photos", "20", "--json", str(results)]) == 0
    first, second = json.loads(results.read_text())["rows"]
    assert (first["run"], first["n"], first["sample"]) == ("digits", 20, 20)
    assert (second["run"], second["n"], second["sample"]) == (small.name, 12, None)


def test_one_photo_is_a_wide_interval(small, tmp_path, capsys):
    results = tmp_path / "accuracy.json"
    assert main([str(small / "model_int8.tflite"), "--photos", "1", "--json", str(results)]) == 0
    (row,) = json.loads(results.read_text())["rows"]
    assert (row["n"], row["ece"]) == (1, None)
    assert row["accuracy_interval"][1] - row["accuracy_interval"][0] > 0.7
    assert "over 1 photo of eval.npz" in capsys.readouterr().out


def test_results_of_several_benchmarks_share_a_file(small, tmp_path, capsys):
    results = tmp_path / "machine.json"
    assert main([str(small / "model_int8.tflite"), "--results", str(results)]) == 0
    assert main([str(small / "model_float32.tflite"), "--results", str(results)]) == 0
    rows = json.loads(results.read_text())["accuracy"]["rows"]
    assert [row["model"] for row in rows] == ["model_int8.tflite", "model_float32.tflite"]


def test_robustness_lands_in_the_runs_folder(small, capsys):
    assert main(["--robustness", str(small / "model_int8.tflite"), "--photos", "2", "--seed", "3"]) == 0
    written = json.loads((small / "robustness.json").read_text())
    assert (written["seed"], written["constants"], written["photos"]) == (3, "CIFAR-10-C", "eval.npz")
    assert {row["model"] for row in written["rows"]} == {"model_int8.tflite", "model_float32.tflite"}
    assert len(written["rows"]) == 2 * 13
    assert cv2.imread(str(small / "robustness.png")).shape[0] > 500
    said = capsys.readouterr()
    assert "photos: 2 of 12, files: 2; about " in said.err
    assert "gaussian noise" in said.out


def test_robustness_lands_where_it_is_told_to(small, tmp_path, capsys):
    flags = ["--robustness", str(small / "model_float32.tflite"), "--photos", "1"]
    assert main([*flags, "--json", str(tmp_path / "bad.json")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.json", "bad.png"]
    assert "vs float32" in capsys.readouterr().out


def test_bad_input_is_one_line(digits_run, small, tmp_path, capsys):
    (tmp_path / "text.tflite").write_text("I am no model")
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    np.savez(
        tmp_path / "eval.npz",
        images=np.zeros((2, 48, 48, 3), np.uint8),
        labels=np.zeros(2, np.int64),
        names=np.array([str(index) for index in range(10)]),
    )
    model, other = str(digits_run / "model_int8.tflite"), str(small / "model_int8.tflite")
    for flags, part in [
        (["--run", str(tmp_path / "none")], "train.run"),
        (["--run", str(small.parent)], "convert.quantize"),
        ([str(tmp_path / "text.tflite")], "text.tflite"),
        ([str(tmp_path / "missing.tflite")], "missing.tflite"),
        ([str(tmp_path / "model_int8.tflite")], "32x32 pixels"),
        ([model, "--data", str(tmp_path / "none")], "--data"),
        ([model, "--json", str(tmp_path / "none" / "accuracy.json")], "--json"),
        ([model, "--robustness", "--json", str(tmp_path / "a.json"), "--plot", str(tmp_path)], "--plot"),
        ([model, "--robustness", "--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.jpg")], ".png"),
        ([model, other, "--robustness"], "one folder"),
        ([model, "--runtime", "onnxruntime"], "onnxruntime can't run"),
    ]:
        assert main(flags) == 1, flags
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
        assert part in said.err


@pytest.mark.parametrize(
    "flags",
    [["--photos", "0"], ["--seed", "-1"], ["--runtime", "tensorflow"], ["--plot", "a.png"]],
    ids=" ".join,
)
def test_wrong_flags_exit_2(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(flags)
    assert stopped.value.code == 2
    assert flags[0] in capsys.readouterr().err


def run_copied(folder, missing, *flags):
    """Run a copy of edge/ and benchmarks/ without some packages."""
    shutil.copytree(ROOT / "edge", folder / "edge")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, "benchmarks.accuracy", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_copy_on_a_device_needs_neither_rich_nor_tensorflow(small, tmp_path):
    missing = "rich matplotlib onnxruntime tensorflow tf_keras flask"
    flags = ("--robustness", str(small / "model_int8.tflite"), "--photos", "1", "--json", str(tmp_path / "a.json"))
    done = run_copied(tmp_path, missing, *flags)
    assert done.returncode == 0, done.stderr
    assert {row["case"] for row in json.loads(done.stdout)["rows"]} >= {"all", "jpeg"}
    assert done.stderr.count("pip install") == 2  # for a table, for a plot
    assert not (tmp_path / "a.png").exists()


def test_without_its_libraries_it_says_what_to_install_before_it_works(tmp_path):
    done = run_copied(tmp_path, "scipy sklearn", "model_int8.tflite")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "scipy is not installed. Install it: " in done.stderr
    # Where tinysight is installed, by its extra; in a bare copy by the package's own name. Not by training's extra.
    assert done.stderr.endswith(("[edge,bench]'\n", "install scikit-learn\n"))
