import sys
from importlib import metadata

import pytest

from edge import extras
from edge.errors import MissingPackage
from tests.tree import ROOT


def pretend_copied(monkeypatch, folder):
    monkeypatch.setattr(extras, "__file__", str(folder / "edge" / "extras.py"))


def pretend_not_installed(monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize(
    ("module", "extra"),
    [("cv2", "edge"), ("cv2.highgui", "edge-display"), ("flask", "edge,web"), ("rich", "edge,bench")],
)
def test_a_checkout_installs_itself(module, extra):
    assert extras.install_line(module) == f"{sys.executable} -m pip install -e '{ROOT}[{extra}]'"


def test_an_installed_package_installs_its_extra(monkeypatch, tmp_path):
    pretend_copied(monkeypatch, tmp_path)
    monkeypatch.setattr(metadata, "version", lambda name: "1.0")
    assert extras.install_line("flask") == f"{sys.executable} -m pip install 'tinysight[edge,web]'"


def test_a_copied_folder_installs_the_bare_distribution(monkeypatch, tmp_path):
    pretend_copied(monkeypatch, tmp_path)
    pretend_not_installed(monkeypatch)
    assert extras.install_line("cv2") == f"{sys.executable} -m pip install opencv-python-headless"
    assert extras.install_line("ai_edge_litert") == f"{sys.executable} -m pip install ai-edge-litert"


def test_every_extra_of_the_table_exists():
    tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra, distribution in extras._EXTRAS.values():
        declared = project["optional-dependencies"][extra]
        assert any(line.startswith(distribution) for line in declared), (extra, distribution)


def test_a_missing_package_is_explained():
    with pytest.raises(MissingPackage, match=r"flask is not installed\. Install it: "), extras.explained():
        raise ModuleNotFoundError("No module named 'flask.json'", name="flask.json")


def test_a_package_of_two_extras_is_explained_by_the_one_that_asks():
    line = f"{sys.executable} -m pip install -e '{ROOT}[edge,bench]'"
    with pytest.raises(MissingPackage) as raised, extras.explained("bench"):
        raise ModuleNotFoundError("No module named 'scipy'", name="scipy.stats")
    assert str(raised.value) == f"The package scipy is not installed. Install it: {line}"


def test_a_module_of_nobodys_extra_stays_what_it_is():
    with pytest.raises(ModuleNotFoundError, match="nobody"), extras.explained():
        raise ModuleNotFoundError("nobody", name="nobodys_module")
