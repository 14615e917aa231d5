import json

from tests.train.finished_run import make_photos, make_run
from train.report import main


def test_the_report_is_written_anew(tmp_path, capsys):
    run = tmp_path / "run"
    make_run(run, make_photos(tmp_path / "photos", ["cat", "dog"]))
    assert main(["--run", str(run)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{run}/report.html\n"
    assert (run / "report.html").read_text().startswith("<!doctype html>")


def test_an_older_run_and_no_run_cost_one_line(tmp_path, capsys):
    run = tmp_path / "run"
    make_run(run, make_photos(tmp_path / "photos", ["cat", "dog"]))
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["temperature"]
    (run / "metrics.json").write_text(json.dumps(metrics))
    for folder in (run, tmp_path / "none", tmp_path):
        assert main(["--run", str(folder)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: Expected ")
        assert said.err.count("\n") == 1
