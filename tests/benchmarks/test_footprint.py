from importlib import metadata
from pathlib import Path

import pytest

import edge
from benchmarks import footprint
from benchmarks.footprint import installed_footprint


def test_packages_and_what_they_ask_for_with_the_bytes_of_their_records():
    found = installed_footprint("ai-edge-litert")
    packages = found["packages"]
    assert {"ai-edge-litert", "numpy", "opencv-python-headless", "flatbuffers", "protobuf", "edge"} <= packages.keys()
    assert "onnxruntime" not in packages
    numpy = metadata.distribution("numpy")
    assert packages["numpy"]["version"] == numpy.version
    # by its folders instead: what lies there is the package, its libraries and its record
    root = Path(str(numpy.locate_file("")))
    folders = [root / "numpy", root / "numpy.libs", root / f"numpy-{numpy.version}.dist-info"]
    lying = sum(path.stat().st_size for each in folders for path in each.rglob("*") if path.is_file())
    assert packages["numpy"]["bytes"] == pytest.approx(lying, rel=0.05)  # Python's caches come and go
    assert found["total_bytes"] == sum(package["bytes"] for package in packages.values())
    sizes = [package["bytes"] for package in packages.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_what_an_extra_asks_for_is_no_ones_need():
    assert "sympy" not in installed_footprint("onnxruntime")["packages"]


def test_an_opencv_of_the_system_has_no_bytes(monkeypatch):
    monkeypatch.setattr(footprint, "_OPENCVS", ())
    found = installed_footprint("onnxruntime")
    assert found["packages"]["opencv"]["bytes"] is None
    assert found["total_bytes"] is None


def test_the_own_folder_is_counted_without_caches():
    files = [path for path in Path(edge.__file__).parent.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert installed_footprint("numpy")["packages"]["edge"]["bytes"] == sum(path.stat().st_size for path in files)
