import dataclasses

import pytest

from convert import table
from convert.pipeline import Conversion
from convert.source import load_source
from tests.convert.test_record import converted


@pytest.fixture
def conversion(digits_run, tmp_path):
    """A conversion with one file that is slow and loses, in a folder whose name looks like markup."""
    files = [
        converted(tmp_path, "float32", right=200, latency_ratio=1.0),
        converted(tmp_path, "dynamic_range", right=100, latency_ratio=2.0),
    ]
    source = dataclasses.replace(load_source(digits_run), run=tmp_path / "run[red]")
    return Conversion(source, {}, files, None, None, None)


def test_the_table_fits_100_columns_and_names_what_is_worse(conversion, capsys):
    table.print_conversion(conversion, num_threads=2)
    out = capsys.readouterr().out
    title, *_, written = out.splitlines()
    assert title.strip() == "run[red]: 200 test photos through each file on the device's own runtime"
    assert written.startswith("Written to ")
    row = next(line for line in out.splitlines() if "model_dynamic_range.tflite" in line)
    # 100 of 200 lost: mean 0.5, standard deviation 0.50125, half width 1.96 * 0.50125 / sqrt(200)
    assert " ".join(row.split()) == "model_dynamic_range.tflite 0 kB x 1.00 50.0 % 50.0 % 50.0 ± 6.9 x 2.00"
    assert "warning: model_dynamic_range.tflite slower than float32 on this machine: 2.00 of its latency" in out
    assert "warning: model_dynamic_range.tflite loses accuracy beyond chance: 50.0 points" in out
    assert "latency on 2 threads" in out
    assert all(len(line) <= 100 for line in out.splitlines()[:-1])
