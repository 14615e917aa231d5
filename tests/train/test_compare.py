import json
import re
import shutil

import pytest

from edge.run_folder import write_json
from tests.train.finished_run import make_photos, make_run
from train.compare import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A good run, a bad one, and one without predictions.npz."""
    folder = tmp_path_factory.mktemp("runs")
    manifest = make_photos(folder / "photos", ["cat", "dog"], each=50)
    for name, skill in (("bad", 0.2), ("good", 4), ("older", 1)):
        make_run(folder / name, manifest, skill=skill)
    (folder / "older" / "predictions.npz").unlink()
    return folder


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")


def test_a_table_with_the_best_named(runs, wide, capsys):
    assert main([str(runs / name) for name in ("bad", "good", "older")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("noise, 16x24, 40 test photos")
    bad, good, older = (
        next(line for line in lines if line.startswith(f"{name} ")) for name in ("bad", "good", "older")
    )
    assert good.rstrip().endswith("the best")
    assert re.search(r"-\d+\.\d, p (= 0\.\d{3}|< 0\.001)$", bad.rstrip())
    assert older.rstrip().endswith("see below")
    assert any(line.startswith(f"{runs}/older: no paired test. Expected predictions.npz") for line in lines)


def test_runs_of_the_same_name_are_told_by_their_paths(runs, wide, tmp_path, capsys):
    shutil.copytree(runs / "good", tmp_path / "good")
    assert main([str(runs / "good"), str(tmp_path / "good")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{runs}/good ") for line in lines)
    assert any(line.startswith(f"{tmp_path}/good ") for line in lines)


def test_markdown_has_as_many_cells_in_every_row_and_the_best_in_bold(runs, capsys):
    assert main([*(str(runs / name) for name in ("bad", "good")), "--markdown"]) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert "**" not in table[2]
    assert table[3].count("**") == 6  # accuracy, macro F1, ECE


def test_the_json_says_the_same(runs, tmp_path, capsys):
    assert main([*(str(runs / name) for name in ("bad", "good")), "--json", str(tmp_path / "c.json")]) == 0
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["best"] == str(runs / "good")
    bad, good = content["rows"]
    assert good["paired"] is None
    assert bad["paired"]["n"] == 40
    assert bad["accuracy"] == json.loads((runs / "bad" / "metrics.json").read_text())["test"]["accuracy"]


def test_names_out_of_files_are_neither_markup_nor_escape_sequences(runs, tmp_path, wide, capsys):
    metrics = make_run(tmp_path / "run", make_photos(tmp_path / "photos", ["cat", "dog"]))
    write_json(tmp_path / "run" / "metrics.json", metrics)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    write_json(tmp_path / "run" / "config.json", {**config, "model": "a|b\x1b[31m[red]<b>\n# c"})
    assert main([str(tmp_path / "run")]) == 0
    assert "a|b?[31m[red]<b> # c" in capsys.readouterr().out
    assert main([str(tmp_path / "run"), "--markdown"]) == 0
    assert "| a\\|b?\\[31m\\[red\\]\\<b\\> # c |" in capsys.readouterr().out


def test_what_goes_wrong_costs_one_line(runs, tmp_path, capsys):
    for arguments in ([str(tmp_path / "none")], [str(runs / "good"), "--json", str(tmp_path / "no" / "c.json")]):
        assert main(arguments) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: Expected ")
        assert said.err.count("\n") == 1


def test_no_run_is_a_bad_flag(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "RUN" in capsys.readouterr().err
