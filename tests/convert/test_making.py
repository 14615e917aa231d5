import json

import numpy as np

from convert.quantize import main


def make_lopsided(run):
    """Let int8 ruin the run's model: a channel that nothing looks at is far larger than the others."""
    import tf_keras as keras

    model = keras.models.load_model(run / "model.keras", compile=False)
    first, second, *_ = (layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    (kernel, bias), (reader, its_bias) = first.get_weights(), second.get_weights()
    reader[:, :, 0] = 0
    second.set_weights([reader, its_bias])
    kernel[..., 0], bias[0] = 1e4 * np.abs(kernel[..., 0]), 1e4
    first.set_weights([kernel, bias])
    model.save(run / "model.keras")


def read(run, name="conversion.json"):
    return json.loads((run / name).read_text())


def test_a_budget_that_plain_int8_keeps(run, capsys):
    assert main(["--run", str(run), "--int8", "--max-drop", "30", "--calibration-size", "40"]) == 0
    out, err = capsys.readouterr()
    assert "model_int8.tflite keeps within 30 points of " in out
    assert "model_int8.onnx keeps within 30 points of " in out
    assert ".tflite  int8, 40 photos: holds" in err
    conversion = read(run)
    assert conversion["budget"]["judged_on"] == "validation"
    assert conversion["budget"]["kept"]["model_int8.onnx"]["holds"]
    (rung,) = conversion["files"]["model_int8.tflite"]["budget"]["rungs"]
    assert rung["n"] == conversion["files"]["model_int8.tflite"]["validation"]["n"]
    assert rung["accuracy"] == conversion["files"]["model_int8.tflite"]["validation"]["accuracy"]
    assert not (run / "model_int8_qat.tflite").exists()


def test_a_run_that_int8_ruins_is_climbed_for(run, capsys):
    make_lopsided(run)
    code = main(["--run", str(run), "--int8", "--max-drop", "1", "--calibration-size", "40"])
    out, err = capsys.readouterr()
    conversion = read(run)
    rungs = conversion["files"]["model_int8.tflite"]["budget"]["rungs"]
    assert rungs[0]["drop_points"] > 10
    assert rungs[-1]["holds"]
    assert "in float with what they read" in rungs[-1]["name"]
    assert conversion["files"]["model_int8.tflite"]["test"]["agreement"] > 0.95
    assert "model_int8.tflite keeps within 1 points of " in out
    # the .onnx has fewer ways: what it ends with is named, and the exit code says so
    holds = all(kept["holds"] for kept in conversion["budget"]["kept"].values())
    assert code == (0 if holds else 1)
    if not holds:
        assert err.splitlines()[-1].startswith("error: Expected int8 files that lose at most 1 points of ")
        assert (run / "model_int8.onnx").exists()
    report = read(run, "quantization.json")
    assert report["files"]["model_int8.tflite"]["way"] == rungs[-1]["name"]


def test_training_with_rounding_gives_a_file_in_each_format(run, capsys):
    assert main(["--run", str(run), "--qat", "--calibration-size", "40"]) == 0
    out, _ = capsys.readouterr()
    conversion = read(run)
    for name in ("model_int8.tflite", "model_int8_qat.tflite", "model_int8_qat.onnx"):
        assert name in out
        assert conversion["files"][name]["test"]["agreement"] > 0.95
    assert conversion["files"]["model_int8_qat.tflite"]["scheme"] == "int8_qat"
    for suffix in (".tflite", ".onnx"):
        told = conversion["files"][f"model_int8_qat{suffix}"]["qat"]
        assert told["best"]["loss"] <= told["start"]["loss"]
    layers = read(run, "quantization.json")["files"]["model_int8_qat.tflite"]["layers"]
    assert [each["layer"] for each in layers][-1] == "softmax"
