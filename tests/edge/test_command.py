import argparse
import io
import subprocess
import sys
from pathlib import Path

import pytest

from edge.command import (
    add_num_threads_flag,
    add_run_flag,
    command,
    parser,
    positive_int,
    seed,
    thread_count,
    thread_counts,
)
from edge.errors import MissingPackage, UserError
from tests.tree import ROOT


def main_that(body):
    """Make a command of `body()`."""

    @command
    def main(argv=None):
        return body()

    return main


def raising(error):
    def body():
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("Expected A, got B; do C"), 1, "error: Expected A, got B; do C\n"),
        (MissingPackage("Install it"), 1, "error: Install it\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_what_a_user_can_cause_is_one_line_and_a_code(error, code, said, capsys):
    assert main_that(raising(error))() == code
    assert capsys.readouterr() == ("", said)


def test_a_missing_package_names_its_install_line(capsys):
    assert main_that(raising(ModuleNotFoundError("gone", name="flask")))() == 1
    assert "pip install" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError("a bug"), ModuleNotFoundError("a bug", name="nobodys")])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error), match="a bug"):
        main_that(raising(error))()


@pytest.mark.parametrize("code", [0, 1])
def test_the_code_of_the_body_comes_through(code):
    assert main_that(lambda: code)() == code


def test_a_reader_who_leaves_is_no_traceback():
    code = (
        "import sys\nfrom edge.command import command\n"
        "@command\ndef main(argv=None):\n"
        "    while True:\n        print('line')\n"
        "sys.exit(main())"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "line\n"
    child.stdout.close()
    assert child.stderr.read() == ""
    child.stderr.close()
    assert child.wait(timeout=30) == 1


def test_help_shows_the_defaults_that_say_something(capsys):
    flags = parser("prog", "Does it.")
    add_run_flag(flags)
    flags.add_argument("--seed", type=int, default=0, help="a seed")
    flags.add_argument("--quick", action="store_true", help="a switch")
    flags.add_argument("--limit", type=int, help="a limit")
    with pytest.raises(SystemExit):
        flags.parse_args(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "(default: runs/latest)" in said
    assert "a seed (default: 0)" in said
    assert "a switch --limit" in said
    assert said.endswith("a limit")


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_num_threads_is_a_whole_number_of_at_least_1(text, capsys):
    flags = parser("prog", "Does it.")
    add_num_threads_flag(flags)
    assert flags.parse_args(["--num-threads", "3"]).num_threads == 3
    with pytest.raises(SystemExit) as stopped:
        flags.parse_args(["--num-threads", text])
    assert stopped.value.code == 2
    assert "expected a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("256", 256)])
def test_a_number_of_threads(text, count):
    assert thread_count(text) == count


@pytest.mark.parametrize("text", ["0", "257", "50000", "x"])
def test_threads_that_the_runtime_would_start_by_the_thousand(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected"):
        thread_count(text)


def test_several_numbers_of_threads():
    assert thread_counts("4,1,4") == [1, 4]
    for text in ("", "1,", "0", "1,x"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected"):
            thread_counts(text)


def test_a_full_disk_behind_stdout_is_one_line():
    script = "import sys; from edge.command import command; sys.exit(command(lambda argv: print('x' * 99999) or 0)())"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: Could not write all output: No space left on device\n"


@pytest.mark.parametrize("text", ["-1", "x", "4294967296", "1.5"])
def test_a_seed_that_numpy_would_refuse(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number of 0 to 4294967295"):
        seed(text)


def test_a_closed_stdout_and_a_name_without_encoding_are_no_traceback(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert main_that(lambda: 0)() == 0
    written = io.BytesIO()
    with io.TextIOWrapper(written, encoding="ascii") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        assert main_that(lambda: print("\udcff°"))() is None
        assert written.getvalue() == b"\\udcff\\xb0\n"


def test_a_number_that_python_cannot_count_to_is_refused():
    with pytest.raises(argparse.ArgumentTypeError, match="expected at most"):
        positive_int(str(10**30))
