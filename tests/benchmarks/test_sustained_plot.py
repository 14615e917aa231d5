import cv2
import numpy as np
import pytest

from benchmarks.sustained_plot import draw


def _minute(number, **changes):
    times = {"p50": 5.0 + number, "p90": 6.0 + number, "p99": 9.0 + number}
    plain = {"temperature_c": None, "frequency_mhz": None, "throttled": None}
    return {"minute": number, "seconds": 60.0, "answers": 1800, "dropped": number} | {
        "camera_to_label_ms": times,
        **plain,
        **changes,
    }


def _draw(tmp_path, minutes):
    """Draw, and return the picture."""
    row = {
        "model": "runs/a/model_int8.tflite",
        "runtime": "ai-edge-litert 2.3.0",
        "num_threads": 1,
        "source": "a camera",
    }
    draw({**row, "minutes": minutes}, tmp_path / "plot.png")
    return cv2.imread(str(tmp_path / "plot.png"))


def test_a_board_with_a_thermometer_has_a_panel_more_for_it_and_one_for_its_clock(tmp_path):
    plain = _draw(tmp_path, [_minute(0), _minute(1)])
    hot = _draw(tmp_path, [_minute(0, temperature_c=50.0, frequency_mhz=2400), _minute(1, temperature_c=None)])
    assert hot.shape[0] > plain.shape[0]
    assert hot.shape[1] == plain.shape[1]


def test_throttled_minutes_are_shaded(tmp_path):
    cool = _draw(tmp_path, [_minute(0, throttled="0x0"), _minute(1, throttled="0x50000")])  # in the past, not now
    slowed = _draw(tmp_path, [_minute(0, throttled="0x0"), _minute(1, throttled="0x50005")])
    changed = np.any(cool != slowed, axis=2)
    assert 0.02 < changed.mean() < 0.3
    assert changed[:, : changed.shape[1] // 2].mean() < 0.01  # the second minute alone


@pytest.mark.parametrize("changes", [{"camera_to_label_ms": None, "answers": 0}, {"seconds": 0.0, "answers": 0}])
def test_a_minute_without_answers_is_drawn_too(tmp_path, changes):
    assert _draw(tmp_path, [_minute(0, **changes)]) is not None
