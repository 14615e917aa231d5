import numpy as np
import pytest

from convert import bare, to_tflite
from convert.evaluation import run_file
from convert.source import load_source


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic_range", "int8"])
def test_both_ways_make_the_same_model(digits_run, tmp_path, scheme):
    source = load_source(digits_run)
    images = source.calibrate(20, 0).images
    bare._bare(source, scheme, images, tmp_path / "bare.tflite")
    bare._ours(source, scheme, images, tmp_path / "ours.tflite")
    scores = [run_file(tmp_path / f"{way}.tflite", images) for way in ("bare", "ours")]
    np.testing.assert_array_equal(*scores)
    assert 0 <= (tmp_path / "ours.tflite").stat().st_size - (tmp_path / "bare.tflite").stat().st_size < 20_000


def test_a_turn_is_timed_and_its_memory_told(digits_run):
    outcome = bare.take_turn(bare.Turn("tinysight", digits_run, "float32", 5))
    assert outcome.seconds > 0
    assert outcome.peak_bytes > len(to_tflite.to_float32(load_source(digits_run).model))
