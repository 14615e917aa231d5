import json

import pytest

from edge.errors import UserError
from train import output


def finished(folder):
    folder.mkdir(parents=True)
    for name in ("config.json", "dataset.json", "metrics.json", "model.keras", "model_int8.tflite", "eval.npz"):
        (folder / name).write_text("{}")
    (folder / "plots").mkdir()
    (folder / "plots" / "loss.png").touch()
    return folder


def test_a_new_an_empty_and_an_unfinished_folder_will_do(tmp_path):
    output.check_output(tmp_path / "new", force=False)
    output.check_output(tmp_path, force=False)
    run = finished(tmp_path / "run")
    (run / "metrics.json").unlink()
    output.check_output(run, force=False)


def test_a_finished_run_needs_force(tmp_path):
    run = finished(tmp_path / "run")
    with pytest.raises(UserError, match="--force"):
        output.check_output(run, force=False)
    output.check_output(run, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_run_is_never_written_to(tmp_path, force):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for path, reason in (("photos", "holds other things"), ("photos/holiday.jpg", "a file"), ("link", "nowhere")):
        with pytest.raises(UserError, match=reason):
            output.check_output(tmp_path / path, force)


def test_clearing_takes_the_old_run_and_nothing_else(tmp_path):
    run = finished(tmp_path / "run")
    (run / "notes.txt").write_text("mine")
    output.clear_output(run)
    assert [path.name for path in run.iterdir()] == ["notes.txt"]
    output.clear_output(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="another --output"):
        output.clear_output(tmp_path / "file" / "run")


def test_latest_moves_on_and_is_relative(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        assert output.point_latest(tmp_path / name)
        assert (tmp_path / "latest").readlink().as_posix() == name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "latest", "second"]


@pytest.mark.parametrize("real", ["folder", "file", "run"])
def test_a_real_latest_stays(tmp_path, real):
    latest = tmp_path / "latest"
    latest.touch() if real == "file" else latest.mkdir()
    (tmp_path / "run").mkdir()
    assert not output.point_latest(latest if real == "run" else tmp_path / "run")
    assert latest.exists()
    assert not latest.is_symlink()


def test_a_dangling_latest_is_mended(tmp_path):
    (tmp_path / "latest").symlink_to("gone")
    (tmp_path / "run").mkdir()
    assert output.point_latest(tmp_path / "run")
    assert (tmp_path / "latest").readlink().as_posix() == "run"


def test_the_config_names_what_the_run_was_made_with(tmp_path):
    output.write_config(tmp_path, {"seed": 3})
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["seed"] == 3
    assert config["libraries"]["tensorflow"]
    assert {"created", "python", "platform", "tinysight"} < config.keys()
