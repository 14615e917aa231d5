"""What a user is told where the runtime is missing or doesn't fit; in a child process, which can hide packages."""

import json
import subprocess
import sys
from importlib import metadata

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


@pytest.mark.parametrize("stated", ["1.2.3", None])
def test_the_version_is_the_runtimes_own_word_or_its_distributions(stated, int8_model, monkeypatch):
    import ai_edge_litert.interpreter

    from edge import Classifier

    if stated is None:
        monkeypatch.delattr(ai_edge_litert, "__version__", raising=False)
    else:
        monkeypatch.setattr(ai_edge_litert, "__version__", stated, raising=False)
    assert Classifier(int8_model).runtime == f"ai-edge-litert {stated or metadata.version('ai-edge-litert')}"


def write_onnx(path, output_type, scores, external=None):
    """Write a model that answers each image of 2x2 pixels with `scores`; `external` names the file that holds them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constant = numpy_helper.from_array(
        np.array([scores], np.uint8 if output_type == TensorProto.UINT8 else np.float32), "c"
    )
    if external:
        onnx.external_data_helper.set_external_data(constant, external, 0, len(constant.raw_data))
        constant.ClearField("raw_data")
        constant.data_location = TensorProto.EXTERNAL
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["image"], ["most"], keepdims=0),
            helper.make_node("Cast", ["most"], ["number"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["number", "zero"], ["nothing"]),
            helper.make_node("Cast", ["c"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["real", "nothing"], ["sum"]),
            helper.make_node("Cast", ["sum"], ["scores"], to=output_type),
        ],
        "constant",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 2, 2, 3])],
        [helper.make_tensor_value_info("scores", output_type, [1, len(scores)])],
        [constant, numpy_helper.from_array(np.array(0, np.float32), "zero")],
    )
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


def test_uint8_scores_of_an_onnx_are_255ths_and_real_ones_stay(tmp_path):
    from onnx import TensorProto

    from edge import Classifier

    image = np.zeros((2, 2, 3), np.uint8)
    write_onnx(tmp_path / "int8.onnx", TensorProto.UINT8, [0, 51, 255])
    np.testing.assert_allclose(Classifier(tmp_path / "int8.onnx").scores(image), [0, 0.2, 1], rtol=1e-6)
    write_onnx(tmp_path / "float.onnx", TensorProto.FLOAT, [0.25, -3, 7])
    np.testing.assert_array_equal(Classifier(tmp_path / "float.onnx").scores(image), [0.25, -3, 7])


@pytest.mark.parametrize("place", ["beside", "outside", "absolute"])
def test_an_onnx_with_data_in_another_file_is_one_line(place, tmp_path, monkeypatch):
    from onnx import TensorProto

    from edge import Classifier, UserError

    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.chdir(folder)  # onnxruntime takes such files from where the process is
    data = (folder if place == "beside" else tmp_path) / "weights.bin"
    data.write_bytes(np.array([0.5, 0.5], np.float32).tobytes())
    name = {"beside": "weights.bin", "outside": "../weights.bin", "absolute": str(data)}[place]
    write_onnx(folder / "model.onnx", TensorProto.FLOAT, [0.5, 0.5], external=name)
    with pytest.raises(UserError, match=r"^onnxruntime refuses model\.onnx: .*External data path") as raised:
        Classifier("model.onnx")
    assert "\n" not in str(raised.value)
