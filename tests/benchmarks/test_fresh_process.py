import numpy as np
import psutil
import pytest

from benchmarks.fresh_process import own_peak_rss_bytes, peak_rss_bytes
from edge import UserError


def test_the_own_peak_is_at_least_what_is_held_now():
    held = np.ones(40_000_000 // 8)
    assert own_peak_rss_bytes() >= psutil.Process().memory_info().rss * 0.99 > held.nbytes


def test_a_big_process_does_not_pass_its_memory_on(digits_run):
    before = peak_rss_bytes(digits_run / "model_int8.tflite", 1, None)
    assert 20e6 < before < 400e6  # Python, NumPy, OpenCV, the runtime
    held = np.ones(600_000_000 // 8)  # more than the child could have by itself
    assert peak_rss_bytes(digits_run / "model_int8.tflite", 1, "ai-edge-litert") < held.nbytes


def test_from_another_folder(digits_run, monkeypatch):
    monkeypatch.chdir(digits_run)
    assert peak_rss_bytes(next(digits_run.glob("model_int8.tflite")).relative_to(digits_run), 1, None) > 0


@pytest.mark.parametrize(("content", "said"), [(b"no model", "neither"), (None, "could not read it")])
def test_what_can_not_be_asked_is_a_line(content, said, tmp_path):
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said) as refused:
        peak_rss_bytes(path, 1, None)
    assert "\n" not in str(refused.value)
    assert not str(refused.value).startswith("error: ")
