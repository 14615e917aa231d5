import os
import stat

import pytest

from edge.errors import UserError
from edge.run_folder import model_files, read_json, resolve_run, write_json, write_whole


def test_latest_is_resolved_once(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    latest = tmp_path / "latest"
    latest.symlink_to("first")
    run = resolve_run(latest)
    latest.unlink()
    latest.symlink_to("second")
    assert run == (tmp_path / "first").resolve()


def test_a_missing_run_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(UserError, match=r"found none; train one: python -m train\.run"):
        resolve_run(tmp_path / "none")


def test_json_comes_back_as_it_was_written(tmp_path):
    content = {"labels": ["Äpfel", "b\n"], "n": 3}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json", "make it") == content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "could not read it: No such file or directory; write it: make it"),
        ("{", "is no JSON .*write it again: make it"),
        ("[1]", "Expected a JSON object .*write it again: make it"),
    ],
)
def test_json_that_is_none_names_the_command_that_makes_it(text, message, tmp_path):
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_json(path, "make it")


def test_models_are_listed_tflite_first(tmp_path):
    for name in ("model_b.onnx", "model_z.tflite", "model_a.tflite", "model.keras", "other.tflite"):
        (tmp_path / name).touch()
    assert [path.name for path in model_files(tmp_path)] == ["model_a.tflite", "model_z.tflite", "model_b.onnx"]


def test_a_run_without_models_names_the_command_that_makes_them(tmp_path):
    with pytest.raises(UserError, match=r"convert: python -m convert\.quantize"):
        model_files(tmp_path)


def test_a_file_is_replaced_whole_with_usual_permissions(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_whole(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"x.bin": b"old"}
