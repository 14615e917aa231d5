import sys

import pytest

from benchmarks.peers import environments
from benchmarks.peers.environments import EnvironmentMissing, install_packages, run


def test_an_environment_is_made_once_and_anew_when_its_lock_changes(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(environments, "run", lambda line, failed: lines.append(line))
    lock, folder = tmp_path / "some.lock", tmp_path / "some"
    folder.mkdir()
    for text, made in [("one==1", 2), ("one==1", 2), ("one==2", 4)]:
        lock.write_text(text)
        assert install_packages(lock, None, folder) == str(folder / "bin" / "python")
        assert len(lines) == made
    assert all("--require-hashes" in line for line in lines[1::2])


def test_one_that_can_not_be_made_says_why(tmp_path, monkeypatch):
    with pytest.raises(EnvironmentMissing, match=r"absent\.lock is not here"):
        install_packages(tmp_path / "absent.lock", None, tmp_path / "some")
    (tmp_path / "some.lock").write_text("one==1")
    monkeypatch.setattr(environments, "find_python", lambda newest: None)
    with pytest.raises(EnvironmentMissing, match=r"needs Python 3\.10 or 3\.11"):
        install_packages(tmp_path / "some.lock", (3, 11), tmp_path / "some")


def test_a_command_that_fails_is_told_in_its_own_words():
    with pytest.raises(EnvironmentMissing, match="it made nothing: no space left"):
        run([sys.executable, "-c", "raise SystemExit('no space left')"], "it made nothing")
