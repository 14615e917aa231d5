import os
import subprocess
import sys

from train import native_log

_SCRIPT = """
import os, sys
from pathlib import Path
from train import native_log
with native_log.to_file(Path(sys.argv[1])):
    os.write(2, b"native\\n")
    print("python", file=sys.stderr)
os.write(2, b"after\\n")
print("last", file=sys.stderr)
"""


def test_native_text_goes_to_the_file_and_pythons_to_the_screen(tmp_path):
    log = tmp_path / "native.log"
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(log)], capture_output=True, text=True, check=True)
    assert done.stderr == "python\nafter\nlast\n"
    assert log.read_text() == "native\n"


def test_a_stderr_that_is_no_file_keeps_its_text(tmp_path, capsys):
    with native_log.to_file(tmp_path / "native.log"):
        print("python", file=sys.stderr)
        os.write(2, b"native\n")
    assert capsys.readouterr().err == "python\n"
    assert (tmp_path / "native.log").read_text() == "native\n"
