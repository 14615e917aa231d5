import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from train import checkpoints
from train.checkpoints import Checkpoint, Checkpoints


def some(number):
    arrays = {"weights": [np.full((3, 2), number / 7, np.float32), np.array(number)], "best": []}
    return Checkpoint({"number": number, "part": number / 3}, arrays)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def kept(tmp_path):
    """Checkpoints of which three were written."""
    kept = Checkpoints(tmp_path / "run" / "checkpoints", "of this run")
    for number in (1, 2, 3):
        kept.write(some(number))
    return kept


def test_what_is_read_is_what_was_written_to_the_bit(kept):
    read, notes = kept.read()
    assert notes == []
    assert read.state == {"number": 3, "part": 1.0}
    assert read.arrays["best"] == []
    for array, written in zip(read.arrays["weights"], some(3).arrays["weights"], strict=True):
        assert array.dtype == written.dtype
        assert np.array_equal(array, written)


def test_numbers_of_the_state_come_back_to_the_bit(kept):
    kept.write(Checkpoint({"part": 0.1 + 0.2}, {}))
    assert kept.read()[0].state["part"] == 0.1 + 0.2 != 0.3


def test_two_generations_stay_each_named_by_its_hash(kept):
    assert [name[:9] for name in names(kept.folder)] == ["00000002-", "00000003-"]
    for path in kept.folder.iterdir():
        assert path.stem[9:] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_checkpoint_yet(tmp_path):
    assert Checkpoints(tmp_path / "none", "run").read() == (None, [])


@pytest.mark.parametrize("damage", ["cut", "empty", "flip"])
def test_a_damaged_newest_gives_way_to_the_one_before(kept, damage):
    newest = max(kept.folder.iterdir())
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"cut": data[:100], "empty": b"", "flip": data}[damage])
    read, notes = kept.read()
    assert read.state["number"] == 2
    assert notes == ["the checkpoint 00000003 can't be used (its content is damaged); looking for the one before it"]
    kept.write(some(4))  # its number is new, so that the damaged one is never taken for the newest
    assert kept.read()[0].state["number"] == 4


def test_all_damaged_is_none_left(kept):
    for path in kept.folder.iterdir():
        path.write_bytes(b"x")
    read, notes = kept.read()
    assert read is None
    assert len(notes) == 2


def test_content_that_is_no_checkpoint_is_damage_too(kept):
    data = b"text, though hashed"
    (kept.folder / f"00000009-{hashlib.sha256(data).hexdigest()}.npz").write_bytes(data)
    read, notes = kept.read()
    assert read.state["number"] == 3
    assert len(notes) == 1


def test_another_runs_checkpoints_are_not_taken_up(kept):
    read, notes = Checkpoints(kept.folder, "of another run").read()
    assert read is None
    assert "other settings or other photos" in notes[0]


def test_what_a_kill_left_half_written_is_cleared_away(kept):
    (kept.folder / ".partial-abc").write_bytes(b"half")
    assert kept.read()[0].state["number"] == 3
    assert [name[:9] for name in names(kept.folder)] == ["00000002-", "00000003-"]


def test_a_full_disk_leaves_the_last_ones_and_nothing_half_written(kept, monkeypatch):
    before = names(kept.folder)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept.write(some(4))
    assert names(kept.folder) == before
    assert kept.read()[0].state["number"] == 3


def test_file_and_folder_are_synced_around_the_rename(kept, monkeypatch):
    done = []
    fsync, rename = os.fsync, Path.rename

    def note_fsync(descriptor):
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_rename(path, target):
        done.append("rename")
        return rename(path, target)

    monkeypatch.setattr(checkpoints.os, "fsync", note_fsync)
    monkeypatch.setattr(checkpoints.Path, "rename", note_rename)
    kept.write(some(4))
    assert done[0].startswith(".partial-")
    assert done[1:] == ["rename", "checkpoints"]


def test_the_next_is_due_after_some_seconds(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    kept = Checkpoints(tmp_path / "c", "run", every=60)
    now[0] += 59
    assert not kept.due()
    now[0] += 1
    assert kept.due()
    kept.write(some(1))
    assert not kept.due()
