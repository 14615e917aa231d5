import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.energy import find_meter, measure_energy, parse_watts
from tests.benchmarks.board import write

# As a Raspberry Pi 5 prints it, shortened; 3V7_WL_SW has no voltage here and doesn't count.
PI_5 = """\
 3V7_WL_SW_A current(0)=0.08197330A
   3V3_SYS_A current(1)=0.50000000A
 VDD_CORE_A current(7)=2.00000000A
   3V3_SYS_V volt(9)=3.30000000V
 VDD_CORE_V volt(15)=0.75000000V
   EXT5V_V volt(24)=5.15800000V
"""


def _absent(word):
    raise FileNotFoundError(word)


@pytest.fixture
def counter(tmp_path):
    """Return the counter of a processor's package below a root folder."""
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    write(zone / "name", "package-0")
    write(zone / "max_energy_range_uj", "262143328850")
    return write(zone / "energy_uj", "1000000")


def test_the_energy_of_a_run_by_the_processors_counter(tmp_path, counter):
    meter = find_meter(tmp_path, _absent)
    assert meter.source == "RAPL package-0"

    def action():  # each run takes 2 mJ
        counter.write_text(f"{int(counter.read_text()) + 2000}\n")

    found = measure_energy(meter, action, 0.01)
    assert found == {"mj_per_run": 2.0, "idle_w": 0.0, "source": "RAPL package-0"}


def test_a_counter_that_begins_anew(tmp_path, counter):
    meter = find_meter(tmp_path, _absent)
    counter.write_text("262143328000")
    meter.start()
    counter.write_text("149")
    assert meter.stop() == pytest.approx(1000e-6)  # 850 to the largest number, 1 to 0, 149 more


def test_a_counter_that_only_root_may_read(tmp_path, counter):
    counter.unlink()
    counter.mkdir()  # unreadable for root too
    assert find_meter(tmp_path, _absent) is None


def test_a_raspberry_pis_currents_and_voltages():
    assert parse_watts(PI_5) == pytest.approx(0.5 * 3.3 + 2 * 0.75)
    assert parse_watts("") is None
    assert parse_watts("VDD_CORE_A current(7)=2.0A") is None


def test_the_energy_of_a_run_by_the_power_chip(tmp_path):
    meter = find_meter(tmp_path, lambda word: {"pmic_read_adc": PI_5}[word])
    meter.start()
    meter._began -= 10  # ten seconds ago
    assert meter.stop() == pytest.approx(31.5, rel=0.1)
    found = measure_energy(meter, lambda: None, 0.01)
    assert found["idle_w"] == pytest.approx(3.15, rel=0.2)
    assert found["source"] == "Raspberry Pi power chip"


def test_a_power_chip_that_falls_silent(tmp_path):
    answers = iter([PI_5])
    meter = find_meter(tmp_path, lambda word: next(answers, "error=1"))
    assert measure_energy(meter, lambda: None, 0.01)["mj_per_run"] == 0.0


def test_most_machines_tell_nothing(tmp_path):
    assert find_meter(tmp_path, _absent) is None
    assert find_meter(tmp_path, lambda word: "error=1 error_msg=Command not registered") is None


@given(st.text())
def test_any_text_is_taken(text):
    watts = parse_watts(text)
    assert watts is None or watts >= 0
