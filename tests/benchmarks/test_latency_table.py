import pytest

from benchmarks.latency_table import print_table

MACHINE = {"cpu_model": "Cortex-A76", "cores": 4, "memory_bytes": 8 << 30, "os": "Debian", "python": "3.13.5"}


def _row(model, scheme, num_threads, ratio, pixels="eval.npz"):
    times = {"min": 1.25, "p50": 2.5, "p90": 3.75, "p99": 12.34}
    return {
        "model": model,
        "scheme": scheme,
        "num_threads": num_threads,
        "size_bytes": 1_234_000,
        "pixels": pixels,
        "latency_ratio": ratio,
        "invoke_ms": times,
        "frame_to_label_ms": {key: 2 * value for key, value in times.items()},
    }


def _results(*rows):
    return {"machine": {**MACHINE, "versions": {"numpy": "2.4.6"}}, "rows": list(rows)}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (3.15, "3.15x SLOWER"),
        (0.25, "4.00x faster"),
        (1.04, "as fast"),
        (0.96, "as fast"),
        (1.06, "1.06x SLOWER"),  # noise is 5 %
        (0.94, "1.06x faster"),
        (None, "2.500  3.750  12.3  \n"),
    ],
)
def test_a_file_slower_than_float32_is_called_so(ratio, expected, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_table(_results(_row("model_int8.tflite", "int8", 1, ratio)))
    (line,) = (line for line in capsys.readouterr().out.splitlines(keepends=True) if "invoke" in line)
    assert " ".join(expected.split()) in " ".join(line.split())


def test_it_fits_a_terminal_of_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_table(
        _results(
            _row("model_float32.tflite", "float32", 1, 1.0),
            _row("model_int8.tflite", "int8", 1, 3.15),
            _row("model_int8.tflite", "int8", 4, 0.3),
        )
    )
    out = capsys.readouterr().out
    assert "model_float32.tflite  invoke" in out  # not folded
    assert "1.250  2.500  3.750  12.3" in out
    assert "2.500  5.000  7.500  24.7" in out
    assert "1,234 KB" in out
    assert out.index("1 thread\n".rstrip()) < out.index("4 threads")
    assert "Cortex-A76, 4 cores usable, 8.0 GB" in out
    assert "synthetic" not in out


def test_a_file_name_is_no_markup(capsys):
    print_table(_results(_row("[red]x[/].tflite", "unknown", 1, None, pixels="synthetic")))
    out = capsys.readouterr().out
    assert "[red]x[/].tflite" in out
    assert "synthetic pixels" in out
