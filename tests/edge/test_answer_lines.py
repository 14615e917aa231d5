import errno
import json
import os
from pathlib import Path

import pytest

from edge.answer_lines import LineFile, open_lines
from edge.errors import UserError
from tests.edge.test_answers import answer


def test_answers_are_appended_line_by_line(tmp_path):
    path = tmp_path / "answers.jsonl"
    for number in (1, 2):
        with open_lines(path) as write:
            write(answer(number))
            assert len(path.read_text().splitlines()) == number  # before the file is closed
    assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize(("jsonl", "start"), [(None, "     7  cat"), (Path("-"), '{"frame": 7')])
def test_answers_go_to_stdout(jsonl, start, capsys):
    with open_lines(jsonl) as write:
        write(answer())
    assert capsys.readouterr().out.startswith(start)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(UserError, match="Is a directory; name another"), open_lines(tmp_path):
        pass
    with pytest.raises(UserError, match="No such file or directory"), open_lines(tmp_path / "none" / "x"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_an_error_each_time():
    with open_lines(Path("/dev/full")) as write:
        for _ in range(2):
            with pytest.raises(OSError, match="No space left on device"):
                write(answer())


def test_a_start_that_failed_leaves_no_file_behind(tmp_path):
    path = tmp_path / "new.jsonl"
    with pytest.raises(UserError), open_lines(path):
        raise UserError("no such model")
    assert not path.exists()


def test_a_start_that_failed_leaves_the_users_file_alone(tmp_path):
    path = tmp_path / "old.jsonl"
    path.touch()
    with pytest.raises(UserError), open_lines(path):
        raise UserError("no such model")
    assert path.read_bytes() == b""


def test_answers_stay_when_the_loop_is_lost_later(tmp_path):
    def lose_the_camera():
        with open_lines(tmp_path / "begun.jsonl") as write:
            write(answer())
            raise UserError("lost later")

    with pytest.raises(UserError, match="lost later"):
        lose_the_camera()
    assert (tmp_path / "begun.jsonl").read_bytes().count(b"\n") == 1


def test_a_file_that_grows_is_rotated_and_older_ones_go(tmp_path):
    path = tmp_path / "a.jsonl"
    size = len(answer(0).to_json()) + 1
    with open_lines(path, max_bytes=2 * size, keep=2) as write:
        for number in range(9):
            write(answer(number))
    numbers = {
        file.name: [json.loads(line)["frame"] for line in file.read_text().splitlines()] for file in tmp_path.iterdir()
    }
    assert numbers == {"a.jsonl": [8], "a.jsonl.1": [6, 7], "a.jsonl.2": [4, 5]}


def test_rotation_goes_on_where_the_last_run_ended(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 95 + b"\n")
    file = LineFile(path, 100, 1)
    file.write(b"y\n" * 4)
    file.close()
    assert path.read_bytes() == b"y\n" * 4
    assert (tmp_path / "a.jsonl.1").read_bytes() == b"x" * 95 + b"\n"


def test_a_device_is_never_renamed():
    file = LineFile(Path("/dev/null"), 1, 1)
    for _ in range(3):
        file.write(b"more than one byte\n")
    file.close()
    assert Path("/dev/null").is_char_device()


def test_a_disk_that_fills_up_within_a_line_keeps_none_of_it(tmp_path, monkeypatch):
    path, real = tmp_path / "a.jsonl", os.write
    file = LineFile(path, None, 1)
    file.write(b"first\n")
    room = [3]

    def write(descriptor, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real(descriptor, data[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"second\n")
    assert path.read_bytes() == b"first\n"
    monkeypatch.undo()
    file.write(b"third\n")  # opened anew
    file.close()
    assert path.read_bytes() == b"first\nthird\n"


def write_for_ever(write):
    while True:
        write(answer(2))


def test_a_named_pipe_never_holds_the_loop_up(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="nobody reads it; name another"), open_lines(pipe):
        pass
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open_lines(pipe) as write:
        write(answer(1))
        assert json.loads(os.read(reader, 4096))["frame"] == 1
        with pytest.raises(BlockingIOError):  # the reader sleeps
            write_for_ever(write)
        os.read(reader, 1 << 20)
        write(answer(3))  # it wakes up, and didn't find an end
        os.close(reader)
        for _ in range(2):
            with pytest.raises(OSError, match=r"Broken pipe|No such device"):
                write(answer(4))
