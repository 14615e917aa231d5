from benchmarks.size_table import print_tables


def test_a_dash_for_what_nobody_measured_and_names_stay_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    keys = ("size", "gzip", "apk", "weights", "graph", "metadata", "golden", "peak_rss")
    row = {"model": "model_dynamic_range.tflite", **{f"{key}_bytes": 1_234_567 for key in keys}, "golden_bytes": 1234}
    packages = {"numpy": {"version": "2.4", "bytes": 71_000_000}, "opencv": {"version": "5.0", "bytes": None}}
    print_tables({"rows": [row], "footprint": {"onnxruntime": {"packages": packages, "total_bytes": None}}})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["model_dynamic_range.tflite", *["1.23"] * 6, "0.001", "1.23"] in lines
    assert ["numpy", "2.4", "71.00"] in lines
    assert ["opencv", "5.0", "-"] in lines
    assert ["in", "all", "-"] in lines
