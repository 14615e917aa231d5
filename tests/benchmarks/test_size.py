import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from benchmarks.size import apk_bytes, main
from tests.benchmarks.test_latency import WITHOUT
from tests.tree import ROOT

PARTS = ("weights_bytes", "graph_bytes", "metadata_bytes", "golden_bytes")


def test_every_file_of_a_run(digits_run, tmp_path, capsys):
    alone, results = tmp_path / "size.json", tmp_path / "results.json"
    assert main(["--run", str(digits_run), "--json", str(alone), "--results", str(results)]) == 0
    written = json.loads(alone.read_text())
    assert json.loads(results.read_text())["size"] == written
    assert sorted(row["model"] for row in written["rows"]) == sorted(path.name for path in digits_run.glob("model_*"))
    for row in written["rows"]:
        data = (digits_run / row["model"]).read_bytes()
        assert row["run"] == digits_run.name
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["size_bytes"] == len(data) == sum(row[part] for part in PARTS)
        assert row["gzip_bytes"] == len(gzip.compress(data, compresslevel=9))
        assert row["peak_rss_bytes"] > 20e6
        runtime = row["runtime"].split()[0]
        assert row["footprint_bytes"] == written["footprint"][runtime]["total_bytes"]
    said = capsys.readouterr().out
    assert "model_int8.onnx" in said
    assert "Installed for ai-edge-litert" in said


def test_an_app_keeps_a_tflite_as_it_is_and_deflates_a_onnx():
    data = b"weights " * 1000
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/model.onnx", data)
    assert apk_bytes(".onnx", data) == zipfile.ZipFile(file).getinfo("assets/model.onnx").compress_size < len(data)
    assert apk_bytes(".tflite", data) == len(data)


def test_a_broken_file_of_a_run_is_left_out_and_a_named_one_refused(digits_run, tmp_path, capsys):
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    (tmp_path / "model_float32.tflite").write_bytes(b"broken")
    results = tmp_path / "size.json"
    assert main(["--run", str(tmp_path), "--json", str(results)]) == 0
    assert "left out model_float32.tflite" in capsys.readouterr().err
    assert [row["model"] for row in json.loads(results.read_text())["rows"]] == ["model_int8.tflite"]
    assert main([str(tmp_path / "model_float32.tflite")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    (tmp_path / "model_int8.tflite").unlink()
    assert main(["--run", str(tmp_path)]) == 1


def test_a_place_that_can_not_be_written_to_is_refused_first(tmp_path, capsys):
    assert main(["--run", str(tmp_path / "none"), "--json", str(tmp_path)]) == 1
    assert "--json" in capsys.readouterr().err


@pytest.mark.parametrize("hidden", ["rich"])
def test_without_rich_it_prints_json(digits_run, hidden):
    line = [sys.executable, "-c", WITHOUT, hidden, "benchmarks.size", str(digits_run / "model_int8.tflite")]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [row["model"] for row in json.loads(done.stdout)["rows"]] == ["model_int8.tflite"]
    assert "install rich" in done.stderr
