import argparse
import json
import subprocess
import sys

import pytest

from benchmarks import results
from edge.errors import UserError

MACHINE = {"cpu_model": "Cortex-A76"}


def given(json=None, results=None):
    return argparse.Namespace(json=json, results=results)


def row(model="model_int8.tflite", **values):
    return {"run": "solar", "model": model, "runtime": "ai-edge-litert 2.3.0", "num_threads": 1, **values}


def write(path, section, *rows, machine=MACHINE):
    results.write_outputs(given(results=path), section, {"machine": machine, "rows": list(rows)})
    return json.loads(path.read_text())


def test_a_section_alone(tmp_path):
    flags = given(json=tmp_path / "latency.json")
    results.check_outputs(flags)
    results.write_outputs(flags, "latency", {"machine": MACHINE, "rows": [row(p50=1.0)], "limits": {}})
    written = json.loads((tmp_path / "latency.json").read_text())
    assert written.pop("created").endswith("+00:00")
    assert written == {"machine": MACHINE, "rows": [row(p50=1.0)], "limits": {}}


def test_rows_about_the_same_replace_those_before_and_others_stay(tmp_path):
    path = tmp_path / "results.json"
    write(path, "latency", row(p50=1.0), row("model_float32.tflite", p50=4.0))
    write(path, "accuracy", row(accuracy=0.9))
    newer = {"cpu_model": "Cortex-A76", "temperature_c": 50.0}
    written = write(path, "latency", row(p50=2.0), row(num_threads=4, p50=0.5), machine=newer)
    assert list(written) == ["machine", "latency", "accuracy"]
    assert written["machine"] == newer
    assert written["latency"]["rows"] == [
        row(p50=2.0),
        row("model_float32.tflite", p50=4.0),
        row(num_threads=4, p50=0.5),
    ]
    assert results.find_rows(written, "accuracy", model="model_int8.tflite") == [row(accuracy=0.9)]
    assert results.find_rows(written, "size") == []


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"machine": {}, "secret": {"rows": []}}', '{"machine": {}, "size": 3}']
)
def test_another_file_is_refused_before_anything_is_measured_and_stays(content, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(UserError):
        results.check_outputs(given(results=path))
    assert path.read_text() == content


def test_places_that_can_not_be_written_to_are_refused(tmp_path):
    for flags in (given(json=tmp_path), given(results=tmp_path / "absent" / "results.json")):
        with pytest.raises(UserError, match="folder that can be written to"):
            results.check_outputs(flags)


def test_other_photos_are_another_row_and_a_newer_runtime_is_the_same(tmp_path):
    path = tmp_path / "results.json"
    write(path, "accuracy", row(photos="eval.npz", accuracy=0.9))
    newer = row(photos="eval.npz", accuracy=0.8, runtime="ai-edge-litert 2.4.0")
    written = write(path, "accuracy", row(photos="outdoors", accuracy=0.5), newer)
    assert written["accuracy"]["rows"] == [newer, row(photos="outdoors", accuracy=0.5)]


@pytest.mark.parametrize(
    ("runtime", "name"),
    [
        ("onnxruntime 1.32.0", "onnxruntime"),
        ("ai-edge-litert by hand 2.3.0", "ai-edge-litert by hand"),
        ("TinySight 0.1.0 (ai-edge-litert 2.3.0)", "TinySight (ai-edge-litert)"),
        (None, ""),
    ],
)
def test_what_a_runtime_is_called_in_a_key(runtime, name):
    assert results.key_of({"runtime": runtime})[results.KEY.index("runtime")] == name


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    path = tmp_path / "results.json"
    say = (
        "import argparse, pathlib, sys; from benchmarks.results import write_outputs\n"
        "flags = argparse.Namespace(json=None, results=pathlib.Path(sys.argv[1]))\n"
        "for number in range(20):\n"
        "    rows = [{'run': sys.argv[2], 'model': str(number)}]\n"
        "    write_outputs(flags, 'latency', {'machine': {}, 'rows': rows})\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", say, str(path), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(json.loads(path.read_text())["latency"]["rows"]) == 60
    assert [each.name for each in tmp_path.iterdir()] == ["results.json"]
