"""Holds the systemd unit to what the loop does and to what a device can stand."""

import re
import shlex
import shutil
import subprocess

import pytest

from edge import camera_classify
from tests.requirements import missing_tool
from tests.tree import ROOT

UNIT = (ROOT / "edge" / "tinysight.service").read_text(encoding="utf-8")


def settings(name):
    """Return the values that the unit gives to a setting."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def test_systemd_finds_no_fault_in_it(tmp_path):
    if shutil.which("systemd-analyze") is None:
        missing_tool("needs systemd-analyze, of Debian's package systemd")
    unit = tmp_path / "tinysight.service"
    unit.write_text(UNIT.replace("/opt/tinysight/venv/bin/python", "/usr/bin/env"))  # which is there
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "tinysight" in line] == []
    assert done.returncode == 0


def test_the_loop_takes_its_flags():
    (line,) = settings("ExecStart")
    python, script, *flags = shlex.split(line)
    assert python == "/opt/tinysight/venv/bin/python"
    assert (ROOT / script).is_file()
    assert flags.pop() == "$FLAGS"
    given = camera_classify._parse_flags(
        [*flags, *shlex.split("--source 0 --max-temperature 75 --jsonl answers.jsonl")]
    )
    assert (given.wait, given.source, given.max_temperature, str(given.jsonl)) == (True, "0", 75.0, "answers.jsonl")
    assert camera_classify._parse_flags(flags).source == "auto"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"),
        ("Restart", "always"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("LimitCORE", "0"),
        ("WatchdogSignal", "SIGKILL"),
    ],
)
def test_it_is_watched_and_fenced_in(name, value):
    assert settings(name) == [value]


def test_it_has_limits():
    assert 10 <= int(*settings("WatchdogSec")) <= 60  # an opening may take 20 s, and is fed meanwhile
    assert int(*settings("StartLimitBurst")) >= 3
    assert settings("User") != ["root"]
    assert "PrivateTmp" not in re.findall(r"^(\w+)=", UNIT, re.MULTILINE)  # a read-only root has no place for it
    assert "char-video4linux rw" in settings("DeviceAllow")
