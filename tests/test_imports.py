"""Holds the rule of who may import whom, and keeps TensorFlow off the device."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tree import PACKAGES, ROOT, module_files, module_name

# Data flows one way: photos -> train -> convert -> edge -> benchmarks, webdemo. What crosses is a file.
MAY_IMPORT = {
    "train": {"edge"},
    "convert": {"edge", "train"},
    "edge": set(),
    "benchmarks": {"edge"},
    "webdemo": {"edge"},
}
KERAS = {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tf2onnx"}
OWNERS_OF_KERAS = {"train", "convert"}
# Run by its path, so that only its own folder is on sys.path until it mends that.
MENDS_SYS_PATH = {Path("edge", f"{name}.py") for name in ("camera_classify", "classify", "doctor", "verify")}
# Run by their path in environments of others, TensorFlow's among them; nobody imports them.
PROGRAMS = Path("benchmarks", "peers", "programs")


def violations(path: Path, source: str) -> list[str]:
    """Return what a module imports against the rule, as `line: what`."""
    package = path.parts[0]
    forbidden = {*PACKAGES, "tests"} - MAY_IMPORT[package] - {package}
    if package not in OWNERS_OF_KERAS and path.parent != PROGRAMS:
        forbidden |= KERAS
    mends_sys_path = path in MENDS_SYS_PATH or path.parent == PROGRAMS
    found = []
    for node in ast.walk(ast.parse(source)):
        found += [f"{node.lineno}: {name}" for name in _imported(node) if name.partition(".")[0] in forbidden]
        if isinstance(node, ast.ImportFrom) and node.level:
            found.append(f"{node.lineno}: relative import")
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path" and not mends_sys_path:
            found.append(f"{node.lineno}: sys.path")
    return found


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules that a node imports, by statement or by a call with a literal name."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield node.module or ""
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
        yield from (each.value for each in node.args[:1] if isinstance(each, ast.Constant))


@pytest.mark.parametrize("path", module_files(), ids=str)
def test_module_imports_only_what_its_package_may(path):
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("edge/x.py", "from train.models import build", ["1: train.models"]),
        ("edge/x.py", "def f():\n    import tensorflow as tf", ["2: tensorflow"]),
        ("edge/x.py", "import importlib\nimportlib.import_module('keras.applications')", ["2: keras.applications"]),
        ("edge/x.py", "__import__('webdemo')", ["1: webdemo"]),
        ("benchmarks/x.py", "from convert import quantize", ["1: convert"]),
        ("webdemo/x.py", "import tf_keras as keras, numpy", ["1: tf_keras"]),
        ("train/x.py", "import convert.quantize", ["1: convert.quantize"]),
        ("convert/x.py", "from tests.tree import ROOT", ["1: tests.tree"]),
        ("benchmarks/peers/programs/x.py", "import tensorflow, train", ["1: train"]),
        ("benchmarks/peers/x.py", "import tensorflow", ["1: tensorflow"]),
        ("train/x.py", "from . import models", ["1: relative import"]),
        ("webdemo/x.py", "import sys\nsys.path.insert(0, 'train')", ["2: sys.path"]),
        ("edge/camera_classify.py", "import sys\nsys.path[0] = 'parent'", []),
        ("convert/x.py", "import tensorflow, edge.errors, train.run", []),
        ("edge/x.py", "import edge.errors, numpy.testing", []),
    ],
)
def test_the_guard_tells_good_from_bad(path, source, expected):
    assert violations(Path(path), source) == expected


def test_no_module_of_edge_hides_one_of_the_standard_library():
    assert {path.stem for path in module_files("edge")} & sys.stdlib_module_names == set()


@pytest.mark.parametrize("package", sorted({*PACKAGES} - OWNERS_OF_KERAS))
def test_importing_all_of_a_light_package_brings_no_tensorflow(package):
    modules = [module_name(path) for path in module_files(package) if path.parent != PROGRAMS]
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[2:]:\n"
        "    importlib.import_module(name)\n"
        "print(sorted(set(sys.argv[1].split()) & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(KERAS), *modules], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
