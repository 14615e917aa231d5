import csv
import io
from dataclasses import replace

import pytest

from benchmarks.choice import Limits, choose
from benchmarks.compare_table import choose_columns, describe_ratio, print_choice, title, to_csv, to_markdown
from tests.benchmarks.test_choice import candidate

FLOAT = candidate(0.79, 2.2, 400_000, model="model_float32.tflite", scheme="float32", invoke_ms=2.0, num_threads=1)
INT8 = candidate(0.787, 0.7, 104_000, model="model_int8|x.tflite", invoke_ms=0.5, num_threads=1, latency_ratio=0.25)
ONNX = candidate(0.79, None, 399_000, model="model_float32.onnx", scheme="float32")


def headings(*candidates):
    return [column.heading for column in choose_columns(candidates)]


def test_columns_that_tell_lines_apart():
    always = ["file", "size, MB", "accuracy", "95 % interval", "agreement", "invoke, ms", "frame to label, ms"]
    assert headings(FLOAT, ONNX) == always
    assert headings(FLOAT, candidate(run="other", architecture="big"))[:3] == ["run", "model", "file"]
    assert "threads" in headings(FLOAT, candidate(num_threads=4))
    one, two = (candidate(runtime=name) for name in ("ai-edge-litert 2.3.0", "tflite-runtime 2.14.0"))
    assert "runtime" in headings(one, two)
    assert "runtime" not in headings(one, candidate(runtime="onnxruntime 1.32.0", model="m.onnx"))
    measured = candidate(gzip_bytes=1, peak_rss_bytes=1, robustness=0.5, frame_to_label_p90_ms=1.0, latency_ratio=1.0)
    assert {"gzip, MB", "memory, MB", "corrupted", "p90, ms", "against float32"} <= {*headings(measured, ONNX)}


def test_on_a_narrow_terminal_names_stay_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    candidates = [FLOAT, INT8, ONNX]
    (choice,) = choose(candidates, Limits())
    print_choice(choice, choose_columns(candidates))
    lines = [line.replace("\N{EN DASH}", "-").split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["100", "test", "photos", "of", "solar"]
    assert ["model_int8|x.tflite", "0.10", "78.7%", "-", "-", "0.500", "0.700", "4.00x", "faster"] in lines
    assert ["model_float32.onnx", "0.40", "79.0%", "-", "-", "-", "-", "-"] in lines


def test_markdown_has_as_many_cells_in_each_line_as_headings():
    candidates = [FLOAT, INT8, ONNX]
    columns = choose_columns(candidates)
    text = to_markdown(choose(candidates, Limits()), columns, "X, 4 cores")
    lines = text.splitlines()
    assert len({len(line) for line in lines[:5]}) == 1
    assert all(line.replace("\\|", "").count("|") == len(columns) + 1 for line in lines[:5])
    assert [cell.strip() for cell in lines[2].strip("|").split("|")][:3] == ["model_float32.tflite", "0.40", "79.0%"]
    assert lines[1].startswith("|--")
    assert lines[1].endswith(":|")
    assert lines[5:] == ["", "Medians of one thread on X, 4 cores; 100 test photos of solar."]
    assert "No latency was measured yet" in to_markdown(choose([ONNX], Limits()), columns, None)


def test_csv_holds_every_figure_and_nothing_for_what_nobody_measured():
    choices = choose([FLOAT, ONNX, candidate(0.9, 9.0, accuracy_interval=(0.8, 0.95))], Limits(max_latency_ms=5.0))
    first, untimed, slow = csv.DictReader(io.StringIO(to_csv(choices)))
    assert (first["accuracy"], first["frame_to_label_ms"], first["agreement"]) == ("0.79", "2.2", "")
    assert (first["picked"], first["on_front"], first["refused"]) == ("True", "True", "")
    assert (untimed["frame_to_label_ms"], untimed["refused"]) == ("", "nobody measured its latency")
    assert (slow["accuracy_low"], slow["accuracy_high"]) == ("0.8", "0.95")
    assert (slow["on_front"], slow["picked"], slow["refused"]) == ("True", "False", "9.000 ms, limit 5")


@pytest.mark.parametrize(
    ("ratio", "values", "said"),
    [
        (None, {}, ""),
        (0.25, {}, "4.00x faster"),
        (1.04, {}, "as fast"),
        (3.2, {}, "3.20x SLOWER"),
        (3.2, {"is_slower": True}, "3.20x SLOWER"),
        (1.2, {"is_slower": False}, "as fast"),  # its quickest run is no slower: a neighbour's doing
        (3.2, {"scheme": "float32"}, ""),
    ],
)
def test_a_file_slower_than_float_is_called_so(ratio, values, said):
    assert describe_ratio(candidate(latency_ratio=ratio, **values)) == said


def test_several_numbers_of_photos():
    (choice,) = choose([candidate(), candidate(n=1234), candidate(n=None)], Limits())
    assert title(choice) == "100 or 1,234 test photos of solar"


def test_noisy_times_are_marked_and_the_mark_is_explained():
    noisy = candidate(invoke_ms=1.0, noisy=True)
    text = to_markdown(choose([noisy], Limits()), choose_columns([noisy]), "X, 1 core")
    assert "~1.000" in text.splitlines()[2].replace("|", " ").split()
    assert text.endswith("~: times that did not repeat, on a machine that was busy.")
    assert "~" not in to_markdown(choose([FLOAT], Limits()), choose_columns([FLOAT]), "X, 1 core")


def test_markdown_holds_no_html_and_no_cell_of_a_name():
    named = replace(INT8, run="<img src=x>|", dataset="<b>|")
    text = to_markdown(choose([FLOAT, named], Limits()), choose_columns([FLOAT, named]), "X")
    assert "<" not in text
    assert "&lt;img src=x>\\|" in text
    assert "test photos of &lt;b>\\|" in text


def test_a_data_set_that_nobody_timed_says_so_beside_one_that_was():
    other = replace(ONNX, dataset="trash", num_threads=None)
    text = to_markdown(choose([FLOAT, other], Limits()), choose_columns([FLOAT, other]), "X")
    assert "Medians of one thread on X; 100 test photos of solar." in text
    assert "No latency was measured yet; 100 test photos of trash." in text
