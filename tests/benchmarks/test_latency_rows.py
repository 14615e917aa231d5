from pathlib import Path

import pytest

from benchmarks.latency_rows import _compare, list_entries
from benchmarks.timed_model import Entry


@pytest.fixture
def files(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"\x1c\0\0\0TFL3 and more")
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08 and more")
    return [tmp_path / "model.tflite", tmp_path / "model.onnx"]


def _listed(files, *runtimes):
    return [(entry.path.name, entry.runtime) for entry in list_entries(files, runtimes)]


def test_without_a_choice_each_file_is_timed_once(files):
    assert _listed(files) == [("model.tflite", None), ("model.onnx", None)]


def test_a_file_is_timed_in_each_runtime_that_takes_its_format(files):
    assert _listed(files, "ai-edge-litert", "onnxruntime", "tflite-runtime") == [
        ("model.tflite", "ai-edge-litert"),
        ("model.tflite", "tflite-runtime"),
        ("model.onnx", "onnxruntime"),
    ]


def test_a_file_that_no_runtime_takes_is_left_to_the_first_to_refuse(files):
    assert _listed(files, "onnxruntime") == [("model.tflite", "onnxruntime"), ("model.onnx", "onnxruntime")]
    assert _listed([Path("gone.tflite")], "onnxruntime") == [("gone.tflite", "onnxruntime")]


def _rows(*rows):
    """Return rows by entry; each is (file, scheme, quickest, median)."""
    return {
        Entry(Path(file), None): {
            "scheme": scheme,
            "runtime": "ai-edge-litert 2.3.0",
            "invoke_ms": {"min": quickest, "p50": median},
        }
        for file, scheme, quickest, median in rows
    }


@pytest.mark.parametrize(
    ("quickest", "median", "ratio", "is_slower"),
    [
        (2.0, 2.1, 2.1, True),
        (1.0, 1.8, 1.8, False),  # a neighbour on the machine: its quickest run is as quick
        (1.04, 1.04, 1.04, False),
        (0.3, 0.4, 0.4, False),
    ],
)
def test_a_file_slower_than_float32_is_called_so(quickest, median, ratio, is_slower):
    rows = _rows(("a/f.tflite", "float32", 1.0, 1.0), ("a/i.tflite", "int8", quickest, median))
    _compare(rows)
    float32, int8 = rows.values()
    assert (int8["latency_ratio"], int8["slower_than_float32"]) == (ratio, is_slower)
    assert (float32["latency_ratio"], float32["slower_than_float32"]) == (1, False)


def test_it_is_compared_with_the_float32_file_of_its_folder_and_format_alone():
    rows = _rows(("a/f.tflite", "float32", 1.0, 1.0), ("b/i.tflite", "int8", 2.0, 2.0), ("a/i.onnx", "int8", 2.0, 2.0))
    _compare(rows)
    for row in list(rows.values())[1:]:
        assert (row["latency_ratio"], row["slower_than_float32"]) == (None, None)
