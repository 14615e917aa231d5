import pytest

from benchmarks.latency_table import print_table

MACHINE = {"cpu_model": "Cortex-A76", "cores": 4, "memory_bytes": 8 << 30, "os": "Debian", "python": "3.13.5"}

COOL = dict.fromkeys(("temperature_c", "frequency_mhz", "throttled", "governor")) | {"load_average": 0.25}


def _row(model, scheme, num_threads, ratio, pixels="eval.npz", **changes):
    times = {"min": 1.25, "p50": 2.5, "p90": 3.75, "p99": 12.34}
    return {
        "run": "solar",
        "model": model,
        "scheme": scheme,
        "runtime": "ai-edge-litert 2.3.0",
        "num_threads": num_threads,
        "size_bytes": 1_234_000,
        "pixels": pixels,
        "latency_ratio": ratio,
        "slower_than_float32": None if ratio is None else ratio > 1.05,
        "noisy": False,
        "stages_ms": dict.fromkeys(("decode", "resize", "invoke", "post"), times),
        "load_ms": 12.3,
        "first_inference_ms": 4.5,
        "peak_rss_bytes": 71_400_000,
        "gmacs": 23.4,
        "peak_share": 0.56,
        "invoke_ms": times,
        "frame_to_label_ms": {key: 2 * value for key, value in times.items()},
        **changes,
    }


def _results(*rows):
    return {
        "machine": {**MACHINE, "versions": {"numpy": "2.4.6"}},
        "before": {**COOL, "temperature_c": 48.5, "throttled": "0x0"},
        "after": {**COOL, "temperature_c": 71.0},
        "peaks": [
            {"runtime": "ai-edge-litert", "num_threads": 4, "int8_gmacs": 48.0, "float32_gmacs": 24.0}
            | {"empty_model_ms": {"p50": 0.0042}},
            {"runtime": "tflite-runtime", "num_threads": 1, "int8_gmacs": None, "float32_gmacs": None}
            | {"empty_model_ms": None},
        ],
        "empty_call_ms": {"p50": 0.0001},
        "rows": list(rows),
    }


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
    (line,) = (
        line
        for line in capsys.readouterr().out.splitlines(keepends=True)
        if "  invoke  " in line and "decode" not in line
    )
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
    assert max(map(len, out.splitlines())) <= 80
    assert "noisy" not in out
    assert "Yellow" not in out
    for part in ("71", "23.4", "56%", "12.3", "4.500"):  # memory, rate, share, load, first inference
        assert part in out
    assert "synthetic" not in out


def test_a_file_name_is_no_markup(capsys):
    print_table(_results(_row("[red]x[/].tflite", "unknown", 1, None, pixels="synthetic")))
    out = capsys.readouterr().out
    assert "[red]x[/].tflite" in out
    assert "synthetic pixels" in out


def test_what_the_machine_can_do_and_how_it_was(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    print_table(_results(_row("model_int8.tflite", "int8", 1, 0.5)))
    out = capsys.readouterr().out
    assert (
        "Peak of ai-edge-litert, 4 threads: 48.0 GMAC/s in int8, 24.0 in float32; an empty model takes 4.2 us." in out
    )
    assert "Peak of tflite-runtime, 1 thread: not measured" in out
    assert "temperature 48.5 °C before, 71.0 °C after; throttled 0x0 before, unknown after; load 0.25 before" in out
    assert "clock" not in out


def test_a_noisy_row_is_marked_and_its_slowness_not_believed_where_its_quickest_runs_are_not_slow(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_table(_results(_row("model_int8.tflite", "int8", 1, 1.7, noisy=True, slower_than_float32=False)))
    out = capsys.readouterr().out
    assert "unclear" in out
    assert "SLOWER" not in out
    assert "noisy" in out
    assert "repeats disagree by more than 5%" in out


def test_what_was_not_measured_is_left_empty(capsys):
    print_table(_results(_row("a.onnx", "int8", 1, None, gmacs=None, peak_share=None, peak_rss_bytes=None)))
    out = capsys.readouterr().out
    assert "None" not in out


def test_a_file_in_two_runtimes_names_them(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    rows = [_row("a.tflite", "int8", 1, None), _row("a.tflite", "int8", 1, None, runtime="tflite-runtime 2.14.0")]
    print_table(_results(*rows))
    out = capsys.readouterr().out
    assert "1,234 KB, ai-edge-litert" in out
    assert "1,234 KB, tflite-runtime" in out
