import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import UserError
from train.model_settings import fill_in
from train.settings import Settings, run_flags, settings_of_json
from train.unfinished import (
    check_file,
    check_same,
    find_unfinished,
    hash_beginning,
    is_unfinished,
    read_settings,
)


def settings(*flags):
    given = vars(run_flags().parse_args(["--output", "runs/one", *flags]))
    for name in ("cache", "force", "resume", "checkpoint_seconds"):
        del given[name]
    fill_in(given)
    return Settings(**given)


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Return a function that makes a run which began with some flags, in runs/ of the current folder."""
    monkeypatch.chdir(tmp_path)

    def begin(name, *flags):
        run = Path("runs", name)
        run.mkdir(parents=True)
        (run / "config.json").write_text(json.dumps(settings(*flags).to_json() | {"device": "CPU"}))
        (run / "dataset.json").write_text("{}")
        return run

    return begin


def test_settings_come_back_from_json(tmp_path):
    for flags in ([], ["--teacher", "runs/a b", "--image-size", "96x128", "--clip-norm", "1", "--balance"]):
        one = settings(*flags)
        content = json.loads(json.dumps(one.to_json() | {"device": "CPU"}))
        assert Settings(**settings_of_json(content)) == one


def test_a_run_is_unfinished_from_its_settings_to_its_metrics(begun):
    run = begun("one")
    assert is_unfinished(run)
    (run / "metrics.json").touch()
    assert not is_unfinished(run)
    (run / "metrics.json").unlink()
    (run / "config.json").unlink()
    assert not is_unfinished(run)


def test_the_newest_unfinished_run_is_found(begun):
    old, new, finished = begun("old"), begun("new"), begun("finished")
    for age, run in enumerate((finished, new, old)):
        os.utime(run / "config.json", (1e9 - age, 1e9 - age))
    (finished / "metrics.json").touch()
    Path("runs", "latest").symlink_to("new")
    assert find_unfinished(None) == new
    assert find_unfinished(old) == old


def test_nothing_to_go_on_with(begun, tmp_path):
    with pytest.raises(UserError, match="unfinished run in runs/, found none"):
        find_unfinished(None)
    with pytest.raises(UserError, match=r"in elsewhere, found none; train: python -m train\.run"):
        find_unfinished(Path("elsewhere"))
    run = begun("one")
    (run / "metrics.json").touch()
    with pytest.raises(UserError, match="found a finished one"):
        find_unfinished(run)


def test_equal_settings_pass_wherever_the_folder_lies(begun):
    run = begun("one", "--epochs", "5")
    check_same(run, replace(settings("--epochs", "5"), output=Path("moved")))


def test_what_differs_is_named(begun):
    run = begun("one", "--epochs", "5", "--image-size", "96x128")
    with pytest.raises(UserError) as error:
        check_same(run, settings("--epochs", "6"))
    assert str(error.value) == (
        "The unfinished run in runs/one began with image_size [96, 128], not [128, 128]; epochs 5, not 6; "
        "go on with its settings: --resume, begin anew: --force, or choose another --output"
    )


def test_its_settings_stand_in_for_the_defaults(begun):
    run = begun("one", "--epochs", "5", "--split", "60/20/20", "--drop-leaks", "--no-deterministic")
    given = run_flags().parse_args(["--resume"], argparse.Namespace(**read_settings(run)))
    assert (given.epochs, given.split, given.leaks, given.deterministic) == (5, (60, 20, 20), "drop", False)
    given = run_flags().parse_args(["--resume", "--epochs", "7"], argparse.Namespace(**read_settings(run)))
    assert given.epochs == 7


def test_another_teacher_is_refused(begun):
    run = begun("one")
    check_file(run, {"teacher_sha256": "a"}, "teacher", "a")
    check_file(run, {}, "teacher", None)
    with pytest.raises(UserError, match="another model at --teacher"):
        check_file(run, {"teacher_sha256": "a"}, "teacher", "b")


def test_the_hash_hangs_on_settings_and_photos(begun):
    run = begun("one")
    before = hash_beginning(run)
    assert hash_beginning(run) == before
    (run / "dataset.json").write_text("[]")
    assert hash_beginning(run) != before
