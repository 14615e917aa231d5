"""Holds what all commands promise: instant help, exit code 2 for bad flags, no abbreviations."""

import importlib
import subprocess
import sys

import pytest

from tests.tree import ROOT, command_files, is_command, module_name

COMMANDS = [module_name(path) for path in command_files()]
# What takes a second or is missing on a machine that only wants to know the flags.
HEAVY = "tensorflow tf_keras keras cv2 ai_edge_litert tflite_runtime onnx onnxruntime rich flask matplotlib sklearn PIL"

_HELP = """
import runpy, sys
heavy, module = sys.argv[1].split(), sys.argv[2]
sys.argv[1:] = ["--help"]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def test_the_commands_are_found():
    assert {"train.run", "convert.quantize", "edge.camera_classify", "benchmarks.latency"} <= {*COMMANDS}
    assert is_command("import sys\nif __name__ == '__main__':\n    sys.exit(0)")
    assert not is_command("def main():\n    return __name__ == '__main__'")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_comes_without_importing_anything_heavy(name):
    done = subprocess.run(
        [sys.executable, "-c", _HELP, HEAVY, name], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout.startswith("usage: ")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--no-such-flag", "--hel"], ids=["unknown", "abbreviated"])
def test_a_bad_flag_exits_2(name, flag, capsys):
    main = importlib.import_module(name).main
    with pytest.raises(SystemExit) as stopped:
        main([flag])
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "error: " in said.err
