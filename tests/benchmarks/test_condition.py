import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.condition import ask_vcgencmd, read_condition
from tests.benchmarks.board import write


def _absent(word):
    raise FileNotFoundError(word)


def test_a_raspberry_pi(tmp_path):
    write(tmp_path / "sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    write(tmp_path / "sys/class/thermal/thermal_zone0/temp", "81250")
    for cpu, clock in enumerate(("1500000", "2400000")):
        write(tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", clock)
        write(tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", "ondemand")
    write(tmp_path / "proc/loadavg", "0.52 0.58 0.59 1/257 12345")
    asked = []

    def vcgencmd(word):
        asked.append(word)
        return "throttled=0x50005\n"

    assert read_condition(tmp_path, vcgencmd) == {
        "temperature_c": 81.25,
        "governor": "ondemand",
        "frequency_mhz": 2400,
        "throttled": "0x50005",
        "load_average": 0.52,
    }
    assert asked == ["get_throttled"]


def test_a_machine_that_tells_nothing(tmp_path):
    assert set(read_condition(tmp_path, _absent).values()) == {None}


@pytest.mark.parametrize("error", [subprocess.TimeoutExpired("vcgencmd", 5), subprocess.CalledProcessError(1, "x")])
def test_a_firmware_that_does_not_answer(error, tmp_path):
    def vcgencmd(word):
        raise error

    assert read_condition(tmp_path, vcgencmd)["throttled"] is None


@given(st.text(), st.text())
def test_any_text_is_taken(tmp_path_factory, said, load):
    root = tmp_path_factory.mktemp("root")
    write(root / "proc/loadavg", load.encode("utf-8", "replace").decode())
    found = read_condition(root, lambda word: said)
    assert found["throttled"] is None or found["throttled"].startswith("0x")


def test_a_missing_vcgencmd_is_an_os_error(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OSError, match="vcgencmd"):
        ask_vcgencmd("get_throttled")
