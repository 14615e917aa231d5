import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kill_and_resume import write_photos
from train import launch

FLAGS = ["--model", "cnn_gap", "--image-size", "16", "--batch-size", "16", "--precision", "float32", "--patience", "99"]


def test_each_machine_gets_its_line(capsys):
    flags = ["--data", "my photos", "--output", "runs/x"]
    assert launch.main(["--hosts", "10.0.0.1:2222, b:80", "--", *flags]) == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    configs = [json.loads(line[0].removeprefix("TF_CONFIG=")) for line in lines]
    assert [each["task"] for each in configs] == [{"type": "worker", "index": index} for index in (0, 1)]
    assert all(each["cluster"] == {"worker": ["10.0.0.1:2222", "b:80"]} for each in configs)
    assert all(line[1:] == ["python", "-m", "train.run", *flags] for line in lines)


def test_all_workers_get_the_same_folder(capsys):
    assert launch.main(["--hosts", "a:1,b:2", "--", "--data", "photos"]) == 0
    folders = {line.partition("--output ")[2] for line in capsys.readouterr().out.splitlines()}
    assert len(folders) == 1
    assert folders.pop().startswith("runs/photos-cnn-")


@pytest.mark.parametrize("hosts", ["a", "a:1,a:1", "a:1,,b:2", "a:99999"])
def test_hosts_that_are_none_are_one_line(hosts, capsys):
    assert launch.main(["--hosts", hosts]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_unknown_flags_of_the_training_are_told_before_anything_starts(capsys):
    with pytest.raises(SystemExit) as left:
        launch.main(["--workers", "2", "--", "--nonsense"])
    assert left.value.code == 2
    assert "train.run" in capsys.readouterr().err


def test_free_ports_are_different():
    assert len(set(launch.free_ports(5))) == 5


def stand_in(monkeypatch, *scripts):
    """Let workers run these scripts instead of a training; returns the processes."""
    started = []

    def start(workers, index, arguments):
        started.append(subprocess.Popen([sys.executable, "-c", scripts[index]]))
        return started[-1]

    monkeypatch.setattr(launch, "_start", start)
    return started


def test_one_failing_worker_ends_all(monkeypatch):
    started = stand_in(monkeypatch, "raise SystemExit(3)", "import time; time.sleep(600)")
    assert launch.supervise(("a:1", "b:1"), [], restarts=3) == 3
    assert [process.returncode for process in started] == [3, -signal.SIGTERM]


def test_the_run_is_done_with_the_chief(monkeypatch):
    monkeypatch.setattr(launch, "_LEAVE_SECONDS", 0.5)
    started = stand_in(monkeypatch, "", "import time; time.sleep(600)")
    assert launch.supervise(("a:1", "b:1"), [], restarts=3) == 0
    assert [process.returncode for process in started] == [0, -signal.SIGTERM]


def test_a_worker_that_is_always_killed_is_not_started_for_ever(monkeypatch):
    suicide = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    started = stand_in(monkeypatch, "import time; time.sleep(600)", suicide)
    assert launch.supervise(("a:1", "b:1"), [], restarts=2) == 128 + signal.SIGKILL
    assert len(started) == 1 + 3


def test_a_batch_that_workers_can_not_share_is_one_line(tmp_path, capfd):
    write_photos(tmp_path / "photos")
    flags = ["--data", str(tmp_path / "photos"), *FLAGS, "--output", str(tmp_path / "run"), "--batch-size", "15"]
    assert launch.main(["--workers", "2", "--", *flags]) == 1
    assert "Expected a --batch-size that 2 copies of the model can share evenly" in capfd.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the workers in /proc")
def test_two_workers_train_one_model_and_a_killed_chief_comes_back(tmp_path):
    write_photos(tmp_path / "photos")
    run = tmp_path / "run"
    flags = ["--data", str(tmp_path / "photos"), *FLAGS, "--epochs", "12", "--output", str(run), "--force"]
    command = [sys.executable, "-m", "train.launch", "--workers", "2", "--", *flags]
    with (tmp_path / "said").open("w") as said, subprocess.Popen(command, stderr=said, stdout=said) as launcher:
        while not list(run.glob("checkpoints/*.npz")):
            assert launcher.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.05)
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        assert len(children) == 2
        os.kill(int(children[0]), signal.SIGKILL)
        code = launcher.wait()
    told = (tmp_path / "said").read_text()
    assert code == 0, told
    assert "worker 0 was killed by signal 9; it is started again" in told
    assert "another worker is gone" in told
    assert "going on from the checkpoint" in told
    assert json.loads((run / "config.json").read_text())["workers"] == 2
    assert json.loads((run / "metrics.json").read_text())["training"]["epochs"] == 12
    assert told.count("test accuracy") == 1  # the chief's; nobody else writes
