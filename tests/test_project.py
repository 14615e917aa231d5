"""Holds what the tree as a whole promises: what the wheel carries, what the locks name, what no file says."""

import ast
import os
import re
import shutil
import subprocess
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.requirements import missing_tool
from tests.tree import PACKAGES, ROOT, build_wheel, module_files, project_files

TOP_LEVEL = {
    *PACKAGES, "tests", "docs", "pyproject.toml", "requirements.lock", "README.md", "Makefile", "CHANGELOG.md",
    "CONTRIBUTING.md", "LICENSE",
}  # fmt: skip
# Each lock and the extras that it serves.
LOCKS = {
    "requirements.lock": {"edge", "train", "convert", "onnx", "mqtt", "web", "bench", "datasets", "dev"},
    "edge/requirements.lock": {"edge"},
    "edge/requirements-display.lock": {"edge-display"},
    "edge/requirements-legacy.lock": {"edge-legacy"},
    "edge/requirements-mqtt.lock": {"mqtt"},
    "benchmarks/peers/mediapipe.lock": set(),  # for an environment without us
    "benchmarks/peers/ultralytics.lock": set(),  # likewise
}
# What brings a lock's NumPy where it is installed on top of others.
ON_TOP_OF = {"edge/requirements-mqtt.lock": "edge/requirements-legacy.lock"}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# Homes and work folders of machines; a file of the project has no business there.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work|workspace)/[\w.]")
# Tests of a package as a whole, which mirror no module.
WHOLE = {Path("tests/webdemo/test_browser.py")}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
UNSAFE_CALLS = {"eval", "exec", "os.system", "os.popen"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    with zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_the_packages_whole_and_the_licence_and_nothing_else(wheel):
    names = {Path(name) for name in wheel.namelist()}
    about = {name for name in names if name.parts[0].endswith(".dist-info")}
    assert {name.parts[0] for name in names - about} == {*PACKAGES}
    assert names - about == {*project_files(*PACKAGES)}
    (licence,) = (name for name in about if name.parts[1:] == ("licenses", "LICENSE"))
    assert wheel.read(licence.as_posix()) == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_carries_the_version_of_the_code(metadata):
    import edge

    assert metadata["Version"] == edge.__version__


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_meets_what_its_extras_ask_for_on_every_python(lock, metadata):
    entries = (ROOT / lock).read_text(encoding="utf-8")
    if lock in ON_TOP_OF:
        entries += (ROOT / ON_TOP_OF[lock]).read_text(encoding="utf-8")
    assert unmet(entries, [Requirement(text) for text in metadata.get_all("Requires-Dist")], LOCKS[lock]) == []


def unmet(lock: str, requirements: list[Requirement], extras: set[str]) -> list[str]:
    """Return what the requirements of the extras ask for and the lock doesn't hold, as `Python: requirement`."""
    pins = [Requirement(line.rstrip("\\").strip()) for line in lock.splitlines() if line[:1].isalnum()]
    missing = []
    for python in PYTHONS:
        machine = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
        locked = {
            canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version)
            for pin in pins
            if pin.marker is None or pin.marker.evaluate(machine)
        }
        for requirement in requirements:
            markers = (
                [requirement.marker.evaluate({**machine, "extra": extra}) for extra in extras]
                if requirement.marker
                else [True]
            )
            version = locked.get(canonicalize_name(requirement.name))
            if any(markers) and (version is None or version not in requirement.specifier):
                missing.append(f"{python}: {requirement}")
    return missing


def test_the_lock_guard_finds_what_is_missing_or_too_old():
    lock = "one==1.0 \\\n    --hash=sha256:0\ntwo==2.0 ; python_full_version < '3.11' \\\n    --hash=sha256:0\n"
    asked = [Requirement("one>=1.1"), Requirement("two; extra == 'x'"), Requirement("three; extra == 'y'")]
    found = unmet(lock, asked, {"x"})
    assert found[0] == "3.10: one>=1.1"
    assert {line.partition(":")[0] for line in found if "two" in line} == {"3.11", "3.12", "3.13"}
    assert not [line for line in found if "three" in line]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_each_entry_and_no_address(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--\w*index|--find-links|--trusted|-e|--editable)\b", text, re.MULTILINE)
    assert [entry for entry in re.split(r"\n(?=\w)", text) if "--hash=sha256:" not in entry] == []


def test_mqtt_goes_on_top_of_each_device_lock_and_changes_nothing_there():
    names = {
        lock: {*re.findall(r"^([\w-]+)==", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)} for lock in LOCKS
    }
    assert names["edge/requirements-mqtt.lock"] == {"paho-mqtt"}


def test_every_lock_of_the_tree_is_known_here():
    assert {path.as_posix() for path in project_files() if path.suffix == ".lock"} == {*LOCKS}


def test_the_top_level_is_what_the_readme_describes():
    names = {path.parts[0] for path in project_files()}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_no_file_names_a_folder_of_one_machine():
    found = []
    for path in project_files():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {match.group()}" for match in MACHINE_PATH.finditer(text)]
    assert found == []


@pytest.mark.parametrize("folder", ["home", "root", "Users", "work"])
def test_the_guard_of_folders_finds_them(folder):
    assert MACHINE_PATH.search(f"in '/{folder}/me'")
    assert MACHINE_PATH.search(f"DIR=/{folder}/.cache")
    assert not MACHINE_PATH.search(f"my/{folder}/me, ./{folder}/me, ~/{folder}/me, https://host.example/{folder}/me")


@pytest.mark.parametrize("path", module_files(), ids=str)
def test_a_shipped_module_does_nothing_unsafe(path):
    assert unsafe((ROOT / path).read_text(encoding="utf-8")) == []


def unsafe(source: str) -> list[str]:
    """Return what a source does that ours never does: asserts, pickles, shells and evaluated strings."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            found.append(f"{node.lineno}: assert")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [f"{node.lineno}: {name}" for name in modules if name.partition(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in UNSAFE_CALLS:
                found.append(f"{node.lineno}: {called}")
            for keyword in node.keywords:
                if keyword.arg in ("shell", "allow_pickle") and ast.unparse(keyword.value) != "False":
                    found.append(f"{node.lineno}: {keyword.arg}={ast.unparse(keyword.value)}")
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x):\n    assert x", ["2: assert"]),
        ("import pickle", ["1: pickle"]),
        ("from joblib.numpy_pickle import load", ["1: joblib.numpy_pickle"]),
        ("eval('1')", ["1: eval"]),
        ("import os\nos.system('ls')", ["2: os.system"]),
        ("run('ls', shell=True)", ["1: shell=True"]),
        ("load(file, allow_pickle=anything)", ["1: allow_pickle=anything"]),
        ("model.evaluate(data); load(file, allow_pickle=False)", []),
    ],
)
def test_the_guard_of_unsafe_code_tells_good_from_bad(source, expected):
    assert unsafe(source) == expected


def test_every_test_file_mirrors_a_module():
    modules = {*module_files()}
    strays = [
        path
        for package in PACKAGES
        for path in module_files(f"tests/{package}")
        if path.name.startswith("test_")
        and path not in WHOLE
        and path.relative_to("tests").with_name(path.name.removeprefix("test_")) not in modules
        and path.relative_to("tests").with_name(f"__{path.stem.removeprefix('test_')}__.py") not in modules
    ]
    assert strays == []


def test_the_tests_folders_are_those_of_the_packages():
    folders = {path.parts[1] for path in project_files("tests") if len(path.parts) > 2}
    assert folders <= {*PACKAGES, "consumers", "pi"}  # the latter two are commands


def test_the_changelog_has_a_place_for_the_next_change():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_ci_is_a_script_that_bash_reads():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ('[ "$1" = --version ] && echo Python 3.9.1; exit 1', "error: Expected Python 3.10 to 3.13, got Python 3.9.1"),
        (
            'case "$2" in *ensurepip*) exit 1;; esac',
            "can make no virtual environments; on Debian or Ubuntu: apt install",
        ),
    ],
    ids=["too old", "without venv"],
)
def test_make_says_what_is_wrong_with_a_python(python, expected, tmp_path):
    if shutil.which("make") is None:
        missing_tool("needs make")
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    stand_in = tmp_path / "stand-in"
    stand_in.write_text(f"#!/bin/sh\n{python}\n")
    stand_in.chmod(0o755)
    line = ["make", "--no-print-directory", "install", f"PYTHON={stand_in}"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert expected in done.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()
