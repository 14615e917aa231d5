import argparse
import json

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
