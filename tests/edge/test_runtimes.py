"""What a user is told where the runtime is missing or doesn't fit; in a child process, which can hide packages."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.edge.conftest import environment

_CHILD = """
import json, sys
from pathlib import Path
hidden, arguments = json.loads(sys.argv[1]), json.loads(sys.argv[2])
sys.modules.update(dict.fromkeys(hidden))  # None there makes an import fail as if it weren't installed
sys.path[:0] = arguments.pop("path", [])
from edge.camera_classify import main
sys.exit(main(arguments["argv"]))
"""


def run_hiding(device, hidden, argv, path=()):
    arguments = json.dumps({"argv": list(map(str, argv)), "path": list(map(str, path))})
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps(hidden), arguments],
        cwd=device,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def flags(device, video):
    return ["--model", device / "model_int8.tflite", "--source", video, "--every-frame"]


@pytest.mark.skipif(np.__version__ < "2", reason="this environment has the NumPy that tflite-runtime takes")
def test_tflite_runtime_under_numpy_2_is_one_line(device, flags, tmp_path):
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "__init__.py").write_text("raise SystemError('must not be imported')")
    line = run_hiding(device, ["ai_edge_litert"], flags, [tmp_path])
    assert line.startswith(f"error: tflite-runtime needs NumPy 1, got NumPy {np.__version__}. Install: ")
    assert "'numpy<2'" in line
    assert "pip install" in line


def test_no_runtime_at_all_is_one_line(device, flags):
    line = run_hiding(device, ["ai_edge_litert", "tflite_runtime"], flags)
    assert line.startswith("error: A .tflite model needs a runtime. Install it: ")


def test_no_onnxruntime_is_one_line(device, flags, digits_run):
    flags = ["--model", digits_run / "model_float32.onnx", *flags[2:]]
    line = run_hiding(device, ["onnxruntime"], flags)
    assert "needs onnxruntime. Install it: " in line


def test_no_opencv_is_one_line(device, flags):
    line = run_hiding(device, ["cv2"], flags)
    assert line.startswith("error: The package cv2 is not installed. Install it: ")
