import subprocess
import sys

import pytest

from train import device

RESIDENT = """
import sys
import numpy as np
from train import device

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))

told = {tell} and device.keep_freed_memory()
large = np.ones(64 << 20, np.uint8)
before = resident()
del large
print(told, before - resident())
"""

CPUINFO = """processor\t: 0
model name\t: Some Processor @ 3 GHz
flags\t\t: fpu sse {flags} avx2

processor\t: 1
model name\t: Another
"""


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(device, "gpu_names", list)


def cpuinfo(monkeypatch, tmp_path, text):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(device, "_CPUINFO", tmp_path / "cpuinfo")


@pytest.mark.parametrize(
    ("flags", "fast"), [("amx_bf16", True), ("avx512_bf16", True), ("avx512f amx_tile", False), ("", False)]
)
def test_the_flags_tell_who_multiplies_bfloat16(monkeypatch, tmp_path, flags, fast):
    cpuinfo(monkeypatch, tmp_path, CPUINFO.format(flags=flags))
    assert device.multiplies_bfloat16() == fast


def test_a_gpu_is_named(monkeypatch):
    monkeypatch.setattr(device, "gpu_names", lambda: ["NVIDIA L4", "NVIDIA L4"])
    assert device.device_name() == "GPU: NVIDIA L4, NVIDIA L4"


def test_the_processor_is_named(monkeypatch, tmp_path, no_gpu):
    cpuinfo(monkeypatch, tmp_path, CPUINFO.format(flags=""))
    assert device.device_name().startswith("CPU: Some Processor @ 3 GHz, ")


def test_a_system_without_cpuinfo_is_named_too(monkeypatch, tmp_path, no_gpu):
    monkeypatch.setattr(device, "_CPUINFO", tmp_path / "none")
    assert device.cpu_name()
    assert not device.multiplies_bfloat16()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_memory_stays_with_the_process():
    given_back = {}
    for tell in (False, True):
        script = [sys.executable, "-c", RESIDENT.format(tell=tell)]
        told, megabytes = subprocess.run(script, capture_output=True, text=True, check=True).stdout.split()
        assert told == str(tell)
        given_back[tell] = int(megabytes)
    assert given_back[False] > 50
    assert given_back[True] < 10
