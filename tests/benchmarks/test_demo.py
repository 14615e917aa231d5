import json
import os
import subprocess
import sys

import pytest

from benchmarks import demo
from edge import UserError
from tests.tree import ROOT

# Stand-ins for the slow commands, found before the real ones since they lie in the folder where the demo runs.
# A folder without __init__.py would lose against the real package.
STAND_INS = {
    "train/__init__.py": "",
    "convert/__init__.py": "",
    "train/run.py": "import shutil, sys\nshutil.copytree({run!r}, sys.argv[sys.argv.index('--output') + 1])",
    "convert/quantize.py": "",
    "benchmarks/__init__.py": "__path__.append({root!r} + '/benchmarks')",
    "benchmarks/latency.py": (
        "import runpy, sys\n"
        "sys.argv += ['--warmup', '0', '--seconds', '0', '--runs', '3']\n"
        "runpy.run_path({root!r} + '/benchmarks/latency.py', run_name='__main__')"
    ),
}


def _stand_in(folder, run, **replaced):
    """Write the stand-ins into a folder."""
    for name, source in {**STAND_INS, **replaced}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source.format(run=str(run), root=str(ROOT)))


def _walk(folder, *flags):
    """Run the demo in a folder, as make does."""
    line = [sys.executable, "-m", "benchmarks.demo", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_whole_road_from_camera_to_page(digits_run, tmp_path):
    _stand_in(tmp_path, digits_run)
    done = _walk(tmp_path)
    assert done.returncode == 0, done.stderr
    n = json.loads((digits_run / "conversion.json").read_text())["files"]["model_int8.tflite"]["test"]["n"]
    assert len((tmp_path / "runs/demo/camera.jsonl").read_text().splitlines()) == n
    assert f"{n} test photos" in done.stderr
    assert f"--max-frames {n}" in done.stderr
    assert "POST /api/predict: " in done.stderr
    headings = [line for line in done.stderr.splitlines() if line.startswith("[") and line[2:5] == "/9]"]
    assert len(headings) == 9
    assert "The whole road took " in done.stderr
    assert done.stdout.count("model.keras") == 2  # the CNN's and the head's
    assert "train.run --model efficientnet_lite0 --head-only --output runs/demo-head --force" in done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines()[-3:]] == [
        [sys.executable, "-m", "webdemo"],
        [sys.executable, "-m", "train.run"],
        ["scp", "-r", "edge"],
    ]


def test_a_failing_step_stops_the_demo_and_is_named(digits_run, tmp_path):
    _stand_in(tmp_path, digits_run, **{"convert/quantize.py": "import sys\nprint('no space left')\nsys.exit(1)"})
    done = _walk(tmp_path, "--output", "runs/other")
    assert done.returncode == 1
    assert done.stdout == "no space left\n"
    assert done.stderr.splitlines()[-1].startswith("error: The demo stopped at step 2, Convert and quantize: ")
    assert "-m convert.quantize --int8 --run runs/other-head exited 1" in done.stderr
    assert "[3/" not in done.stderr


def test_a_missing_package_is_told_before_the_training(tmp_path, capsys, monkeypatch):
    find_spec = demo.importlib.util.find_spec
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None if name == "flask" else find_spec(name))
    assert demo.main(["--output", str(tmp_path / "run")]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: The package flask is not installed.")
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_photos_are_the_test_splits_in_order(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    (tmp_path / "run").mkdir()
    names = {"b.JPG": "test", "a.png": "train", "c.png": "validation", "d.png": "test"}
    for name in names:
        (root / name).write_text(name)
    files = [{"path": name, "label": name[0].upper(), "split": split} for name, split in names.items()]
    (tmp_path / "run" / "dataset.json").write_text(json.dumps({"root": str(root), "files": files}))
    for _ in range(2):  # a second time replaces the links of the first
        photos = demo.link_test_photos(tmp_path / "run")
        assert [(photo.path.name, photo.label) for photo in photos] == [("000000.JPG", "B"), ("000001.png", "D")]
        assert [photo.path.read_text() for photo in photos] == ["b.JPG", "d.png"]
        assert sorted(path.name for path in photos[0].path.parent.iterdir()) == ["000000.JPG", "000001.png"]


@pytest.mark.parametrize(
    "dataset", [{}, {"root": "/", "files": []}, {"root": 1, "files": []}, {"root": "/", "files": [1]}], ids=str
)
def test_a_manifest_without_test_photos_is_an_error(tmp_path, dataset):
    (tmp_path / "dataset.json").write_text(json.dumps(dataset))
    with pytest.raises(UserError, match=r"train\.run"):
        demo.link_test_photos(tmp_path)


@pytest.fixture
def converted(tmp_path):
    """Return a run whose int8 file got 3 of 4 photos right."""
    entry = {"model_int8.tflite": {"test": {"n": 4, "accuracy": 0.75}}}
    (tmp_path / "conversion.json").write_text(json.dumps({"files": entry}))
    return tmp_path


PHOTOS = [demo.Photo(demo.Path(f"{number}.png"), label) for number, label in enumerate("aabb")]


def test_the_camera_as_good_as_the_conversion(converted):
    assert demo.compare_camera(PHOTOS, list("abbb"), converted).startswith("camera: 3 of 4 right, 75.00%")


@pytest.mark.parametrize(
    ("labels", "said"),
    [("aabb", "4 of 4 right"), ("bbbb", "2 of 4 right"), ("aab", "got 3"), ("abbbb", "got 5")],
)
def test_a_camera_that_sees_otherwise_is_an_error(converted, labels, said):
    with pytest.raises(UserError, match=said):
        demo.compare_camera(PHOTOS, list(labels), converted)


def test_labels_of_the_camera(tmp_path):
    (tmp_path / "camera.jsonl").write_text('{"frame": 0, "label": "a"}\n{"frame": 1, "label": "b"}\n')
    assert demo.read_labels(tmp_path / "camera.jsonl") == ["a", "b"]


@pytest.mark.parametrize("text", [None, "{", "[]\n", '{"frame": 0}\n'])
def test_other_lines_are_an_error(tmp_path, text):
    if text is not None:
        (tmp_path / "camera.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"camera\.jsonl"):
        demo.read_labels(tmp_path / "camera.jsonl")
