import pytest

from edge import cooling
from edge.cooling import Cooling, read_temperature


class Device:
    """A clock and a thermometer; an answer takes 0.1 s, the pauses come on top."""

    def __init__(self, limit_c=80):
        self.now, self.celsius, self.looks = 100.0, 60.0, 0
        self.lines = []
        self.cooling = Cooling(limit_c, self.lines.append, self.read, lambda: self.now)

    def read(self):
        self.looks += 1
        return self.celsius

    def answer(self, seconds):
        """Answer for so long, and return the answers a second."""
        start, answers = self.now, 0
        while self.now < start + seconds:
            self.now += 0.1
            self.now += self.cooling.pause_s()
            answers += 1
        return answers / (self.now - start)


def test_it_lowers_the_rate_above_the_limit_and_raises_it_well_below():
    device = Device()
    assert device.answer(60) == pytest.approx(10, rel=0.05)
    device.celsius = 80.0
    assert device.answer(20) == pytest.approx(10, rel=0.05)
    assert device.lines == []
    device.celsius = 80.6
    device.answer(5.5)
    device.celsius = 78.0  # neither above the limit nor well below
    assert device.answer(60) == pytest.approx(5, rel=0.1)
    assert device.lines == ["81 °C, above 80: answering at 1/2 of the rate until it is cooler"]
    device.celsius = 74.4
    device.answer(6)
    assert device.answer(20) == pytest.approx(10, rel=0.05)
    assert device.lines[1:] == ["74 °C: back to the full rate"]


def test_it_goes_on_to_lower_it_down_to_a_sixteenth_and_up_again_step_by_step():
    device = Device()
    device.answer(10)
    device.celsius = 90.0
    device.answer(60)
    assert device.answer(60) == pytest.approx(10 / 16, rel=0.1)
    device.celsius = 50.0
    device.answer(60)
    steps = [line.split("1/")[1].split()[0] for line in device.lines if "1/" in line]
    assert steps == ["2", "4", "8", "16", "8", "4", "2"]
    assert device.lines[-1] == "50 °C: back to the full rate"


def test_a_slow_model_never_pauses_for_longer_than_ten_seconds():
    device = Device()
    pauses = []
    for number in range(40):
        device.celsius = 90.0 if number > 3 else 60.0
        device.now += 3.0
        pauses.append(device.cooling.pause_s())
        device.now += pauses[-1]
    assert 5 < max(pauses) <= 10


def test_a_camera_that_was_away_is_no_slow_camera():
    device = Device()
    device.answer(10)
    device.now += 600
    device.celsius = 90
    device.cooling.pause_s()
    assert device.cooling.pause_s() < 0.5


def test_it_looks_every_five_seconds_and_a_device_without_thermometer_goes_on():
    device = Device()
    device.answer(50)
    assert device.looks == pytest.approx(10, abs=1)
    device.celsius = None
    assert device.answer(20) == pytest.approx(10, rel=0.05)
    assert device.lines == []


def test_the_hottest_thermometer_counts_and_a_broken_one_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(cooling, "_ZONES", tmp_path)
    assert read_temperature() is None
    for zone, text in enumerate(["45200\n", "61850\n", "0\n", "-273000\n", "250000\n", "hot\n", None]):
        folder = tmp_path / f"thermal_zone{zone}"
        folder.mkdir()
        if text is not None:
            (folder / "temp").write_text(text)
    (tmp_path / "cooling_device0").mkdir()
    assert read_temperature() == 61.85
