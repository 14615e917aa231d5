import json

import pytest

from edge.errors import UserError
from train import output
from train.dataset import Manifest, SplitSettings, write_manifest


def finished(folder):
    folder.mkdir(parents=True)
    for name in ("config.json", "metrics.json", "model.keras", "model_int8.tflite", "eval.npz"):
        (folder / name).write_text("{}")
    write_manifest(Manifest("none", "here", "", folder, ("a", "b"), SplitSettings(), ()), folder / "dataset.json")
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


@pytest.mark.parametrize("force", [False, True])
def test_a_dataset_json_of_somebody_else_makes_no_run(tmp_path, force):
    (tmp_path / "dataset.json").write_text('{"mine": 1}')
    (tmp_path / "plots").mkdir()
    with pytest.raises(UserError, match="holds other things"):
        output.check_output(tmp_path, force)


def test_what_a_killed_run_was_writing_does_not_matter_but_other_hidden_files_do(tmp_path):
    (tmp_path / ".dataset.json.x1_y2z3w").touch()
    (tmp_path / ".partial-model.keras").touch()
    output.check_output(tmp_path, force=False)
    (tmp_path / ".settings.json.backup").touch()
    with pytest.raises(UserError, match="holds other things"):
        output.check_output(tmp_path, force=False)
    output.clear_output(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".settings.json.backup"]


def test_clearing_takes_the_old_run_and_nothing_else(tmp_path):
    run = finished(tmp_path / "run")
    (run / "notes.txt").write_text("mine")
    output.clear_output(run)
    assert [path.name for path in run.iterdir()] == ["notes.txt"]


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


def test_two_trainings_do_not_share_a_folder(tmp_path):
    run = tmp_path / "new" / "run"
    with output.alone(run), pytest.raises(UserError, match=r"A training is at work in .*run; wait"), output.alone(run):
        pass
    with output.alone(run):
        assert list(run.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="another --output"), output.alone(tmp_path / "file" / "run"):
        pass
