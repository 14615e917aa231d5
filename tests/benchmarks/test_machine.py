import platform

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import machine

DESK = """\
processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu sse4_1 avx f16c avx2 fma avx512f avx512_vnni avx_vnni amx_bf16 amx_tile amx_int8 smep

processor\t: 1
vendor_id\t: GenuineIntel
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu sse4_1 avx f16c avx2 fma avx512f avx512_vnni avx_vnni amx_bf16 amx_tile amx_int8 smep
"""
PI_5 = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1

Revision\t: d04170
Serial\t\t: 10000000c0ffee00
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
PI_2 = """\
processor\t: 0
model name\t: ARMv7 Processor rev 5 (v7l)
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm
CPU part\t: 0xc07
"""


def test_a_desk():
    assert machine.parse_cpu_model(DESK) == "Intel(R) Xeon(R) Platinum 8488C"
    expected = "amx_bf16 amx_int8 amx_tile avx avx2 avx512_vnni avx512f avx_vnni f16c fma sse4_1"
    assert machine.parse_cpu_flags(DESK) == expected.split()
    assert machine.parse_board(DESK) is None  # 143 is x86's "model", a number of the processor


def test_a_raspberry_pi_5():
    assert machine.parse_cpu_model(PI_5) == "Cortex-A76"
    assert machine.parse_cpu_flags(PI_5) == ["asimd", "asimddp", "asimdhp"]
    assert machine.parse_board(PI_5) == "Raspberry Pi 5 Model B Rev 1.0"


def test_a_32_bit_raspberry_pi_2():
    assert machine.parse_cpu_model(PI_2) == "ARMv7 Processor rev 5 (v7l)"
    assert machine.parse_cpu_flags(PI_2) == ["neon"]


def test_two_kinds_of_cores_and_one_that_nobody_heard_of():
    parts = "CPU part : 0xd05\nCPU part : 0xd05\nCPU part : 0xd0b\nCPU part : 0xfff\n"
    assert machine.parse_cpu_model(parts) == "Cortex-A55 + Cortex-A76 + Arm part 0xfff"


@given(st.text())
def test_any_text_is_taken(text):
    assert machine.parse_cpu_model(text) != ""
    assert machine.parse_board(text) != ""
    assert isinstance(machine.parse_cpu_flags(text), list)


def _zone(thermal, number, kind, temperature):
    folder = thermal / f"thermal_zone{number}"
    folder.mkdir()
    (folder / "type").write_text(kind + "\n")
    if temperature is not None:
        (folder / "temp").write_text(temperature + "\n")


def test_the_temperature_is_the_hottest_of_the_processors_zones(tmp_path):
    _zone(tmp_path, 0, "cpu-thermal", "48312")
    _zone(tmp_path, 1, "cpu-big", "51000")
    _zone(tmp_path, 2, "iwlwifi_1", "60000")  # the radio
    _zone(tmp_path, 3, "soc-thermal", "")
    _zone(tmp_path, 4, "x86_pkg_temp", None)
    assert machine.read_temperature(tmp_path) == pytest.approx(51.0)


def test_no_sensor_gives_no_temperature(tmp_path):
    assert machine.read_temperature(tmp_path) is None
    assert machine.read_temperature(tmp_path / "missing") is None


def test_this_machine():
    found = machine.fingerprint()
    assert found["architecture"] == platform.machine()
    assert found["python"] == platform.python_version()
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 1 << 28
    assert {"tinysight", "numpy", "opencv"} <= found["versions"].keys()


def test_no_serial_number_leaves_the_machine(monkeypatch):
    monkeypatch.setattr(machine, "read_small", lambda path: PI_5 if path.name == "cpuinfo" else None)
    found = machine.fingerprint()
    assert found["cpu_model"] == "Cortex-A76"
    assert "c0ffee" not in str(found)
