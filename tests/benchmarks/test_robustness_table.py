from benchmarks.robustness_table import print_table


def rows(model, gap=None, interval=None):
    about = {"run": "solar", "model": model, "size_bytes": 793_000, "n": 60}
    compared = gap is not None
    figures = {"corrupted_accuracy": 0.701, "reference": "model_float32.tflite" if compared else None}
    if compared:
        figures |= {"gap_points": gap, "gap_interval": interval, "agreement": 0.9}
    clean = {"clean_accuracy": 0.867}
    if compared:
        clean |= {"clean_agreement": 0.99, "clean_gap_points": 0.5, "clean_gap_interval": [-1, 2]}
    return [
        {**about, "case": "all", **figures, **clean},
        {**about, "case": "gaussian_noise", **figures, "accuracy": [0.7] * 5},
        {**about, "case": "jpeg", **figures, "accuracy": [0.7] * 5},
    ]


def printed(capsys, monkeypatch, *files):
    monkeypatch.setenv("COLUMNS", "80")
    print_table({"photos": "eval.npz", "constants": "ImageNet-C", "rows": [row for file in files for row in file]})
    return capsys.readouterr().out


def test_all_together_then_each_corruption(capsys, monkeypatch):
    out = printed(
        capsys,
        monkeypatch,
        rows("model_float32.tflite"),
        rows("model_int8.tflite", -2.5, [-4.0, -1.0]),
        rows("model_int8.onnx", 1.0, [-1.0, 3.0]),
    )
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "model_float32.tflite clean 86.7%" in lines
    assert "793 KB corrupted 70.1%" in lines
    assert "model_int8.tflite clean 86.7% 99.0% +0.5 -1.0 to +2.0" in lines
    assert "793 KB corrupted 70.1% 90.0% -2.5 -4.0 to -1.0" in lines
    assert "gaussian noise 70.1% 70.1% (-2.5)" in lines  # a table of the two .tflite
    assert "jpeg 70.1% (+1.0)" in lines  # and one of the .onnx
    assert max(map(len, out.splitlines())) <= 80


def test_a_name_is_neither_markup_nor_an_escape_sequence(capsys, monkeypatch):
    out = printed(capsys, monkeypatch, rows("[red]\x1b[2Jx.tflite"))
    assert "[red]?[2Jx.tflite" in out
    assert "\x1b" not in out
