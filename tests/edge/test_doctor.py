import json

from edge import findings_board
from edge.doctor import main
from edge.findings import Finding
from tests.edge.conftest import run


def test_this_machine_gets_a_line_a_finding(capsys, monkeypatch):
    monkeypatch.setattr("edge.findings_cameras.examine_cameras", lambda: [])  # whatever is plugged in here
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines][:2] == ["python", "numpy"]
    assert {line.split()[0] for line in lines} <= {"ok", "warning"}


def test_an_error_is_code_1_and_in_the_json(capsys, monkeypatch):
    bad = Finding("power", "error", "no power", "plug it in")
    monkeypatch.setattr(findings_board, "examine_board", lambda: [bad])
    assert main(["--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["findings"][-1] == {"name": "power", "state": "error", "found": "no power", "mend": "plug it in"}
    assert main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "error    power        no power; plug it in"


def test_it_runs_from_a_copied_folder_without_any_package(device):
    done = run(device, "-S", "edge/doctor.py")
    assert done.returncode == 1
    assert "not installed" in done.stdout
    assert done.stderr == ""
