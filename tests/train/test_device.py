import pytest

from train import device

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


@pytest.mark.parametrize("asked", device.PRECISIONS[1:])
def test_what_is_asked_for_is_taken(asked):
    assert device.choose_precision(asked) == asked


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [("amx_bf16", "mixed_bfloat16"), ("avx512_bf16", "mixed_bfloat16"), ("avx512f", "float32"), ("", "float32")],
)
def test_auto_follows_the_processor(monkeypatch, tmp_path, no_gpu, flags, chosen):
    cpuinfo(monkeypatch, tmp_path, CPUINFO.format(flags=flags))
    assert device.choose_precision("auto") == chosen


def test_auto_means_float16_on_a_gpu(monkeypatch):
    monkeypatch.setattr(device, "gpu_names", lambda: ["NVIDIA L4", "NVIDIA L4"])
    assert device.choose_precision("auto") == "mixed_float16"
    assert device.device_name() == "GPU: NVIDIA L4, NVIDIA L4"


def test_the_processor_is_named(monkeypatch, tmp_path, no_gpu):
    cpuinfo(monkeypatch, tmp_path, CPUINFO.format(flags=""))
    assert device.device_name().startswith("CPU: Some Processor @ 3 GHz, ")


def test_a_system_without_cpuinfo_is_named_too(monkeypatch, tmp_path, no_gpu):
    monkeypatch.setattr(device, "_CPUINFO", tmp_path / "none")
    assert device.cpu_name()
    assert device.choose_precision("auto") == "float32"
