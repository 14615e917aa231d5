import json

import pytest

from edge.camera_classify import main
from edge.command import parser
from edge.errors import UserError
from edge.output_flags import add_output_flags, open_outputs
from tests.edge.conftest import VIDEO_FRAMES
from tests.edge.test_answers import answer


def given(*arguments):
    flags = parser("x", "x")
    add_output_flags(flags)
    return flags.parse_args([*map(str, arguments)])


def test_only_changes_are_written_the_first_answer_among_them(capsys):
    with open_outputs(given("--on-change", "--jsonl", "-"), print) as feed:
        for number, decision in enumerate([None, None, "cat", "cat", None, "dog"]):
            feed(answer(number, decision=decision))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["frame"], line["decision"]) for line in lines] == [(0, None), (2, "cat"), (4, None), (5, "dog")]


def test_an_output_that_fails_is_told_once_and_once_when_it_works_again(tmp_path, capsys):
    said, folder = [], tmp_path / "snapshots"
    with open_outputs(given("--snapshot-on-change", folder), said.append) as feed:
        folder.rmdir()
        for number in range(4):
            feed(answer(number, decision=str(number)))
        folder.mkdir()
        for number in range(4, 6):
            feed(answer(number, decision=str(number)))
    assert len(said) == 2
    assert said[0].startswith(f"{folder} fails: ")
    assert "No such file or directory" in said[0]
    assert said[0].endswith("; going on without until it works again")
    assert said[1] == f"{folder} works again"
    assert len([*folder.iterdir()]) == 2
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_full_disk_does_not_stop_the_loop(int8_model, video, capsys):
    argv = ["--model", str(int8_model), "--source", str(video), "--every-frame", "--jsonl", "/dev/full"]
    assert main(argv) == 0
    said = capsys.readouterr().err
    assert said.count("/dev/full fails: [Errno 28] No space left on device; going on without") == 1
    assert f"{VIDEO_FRAMES} frames answered" in said


def test_a_reader_of_stdout_who_left_ends_the_loop(monkeypatch):
    def leave(*_arguments, **_more):
        raise BrokenPipeError

    with open_outputs(given(), lambda line: None) as feed:
        monkeypatch.setattr("builtins.print", leave)
        with pytest.raises(BrokenPipeError):
            feed(answer())


def test_uncertain_frames_are_kept_one_a_second_photos_all(tmp_path):
    folder = tmp_path / "uncertain"
    with open_outputs(given("--save-uncertain", folder), print) as feed:
        feed(answer(0))  # sure
        feed(answer(1, is_sure=False))
        feed(answer(2, is_sure=False))  # in the same second
        assert len([*folder.iterdir()]) == 1
        feed(answer(3, is_sure=False, path=tmp_path / "photo.png"))
        feed(answer(4, is_sure=False, path=tmp_path / "photo.png"))
    assert len([*folder.iterdir()]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jsonl", "none/x"], "Expected to write answers to none/x"),
        (["--video-out", "none/x.avi"], "Expected to write a video"),
        (["--save-uncertain", "file"], "Expected to keep frames"),
        (["--snapshot-on-change", "file"], "Expected to keep frames"),
        (["--mqtt", "http://host"], "Expected --mqtt"),
        (
            ["--mqtt", "mqtt://host", "--mqtt-discovery", "home/#"],
            "without [+] and # in --mqtt-discovery, got 'home/#'",
        ),
        (["--mqtt", "mqtts://host", "--mqtt-ca", "none.pem"], "Expected a CA's certificate at none.pem: No such file"),
    ],
)
def test_a_wrong_path_at_the_start_is_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=message), open_outputs(given(*arguments, "--jsonl-keep", 2), print):
        pass


@pytest.mark.parametrize(
    "arguments",
    [["--threshold", "2"], ["--threshold", "x"], ["--keep-mb", "0"], ["--keep-mb", "nan"], ["--smooth", "0"]],
)
def test_odd_numbers_are_bad_flags(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        given(*arguments)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_all_outputs_at_once_from_the_loop(int8_model, video, tmp_path, capsys):
    argv = ["--model", str(int8_model), "--source", str(video), "--every-frame", "--verify", "--top-k", "3"]
    argv += ["--smooth", "3", "--jsonl", str(tmp_path / "a.jsonl"), "--jsonl-max-mb", "0.0005"]
    argv += ["--video-out", str(tmp_path / "a.avi"), "--snapshot-on-change", str(tmp_path / "changes")]
    argv += ["--save-uncertain", str(tmp_path / "uncertain"), "--threshold", "0.99"]
    assert main(argv) == 0
    assert "8 golden samples answered as when it was converted" in capsys.readouterr().err
    line = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[-1])
    assert len(line["top"]) == 3
    assert line["decision"] is None
    assert (tmp_path / "a.jsonl.1").exists()
    assert (tmp_path / "a.avi").stat().st_size > 1000
    assert len([*(tmp_path / "changes").iterdir()]) == 1
    assert [*(tmp_path / "uncertain").iterdir()]
