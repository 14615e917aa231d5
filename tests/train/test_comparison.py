import dataclasses
import json
import math
import shutil

import numpy as np
import pytest

from edge.errors import UserError
from tests.train.finished_run import make_photos, make_run
from train.comparison import compare
from train.dataset import read_manifest, write_manifest
from train.predictions import read_predictions, write_predictions


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"), ["cat", "dog"], each=50)


def answer(run, manifest, right):
    """Make a run that gets those of its 40 test photos right, and says so in its metrics."""
    make_run(run, manifest)
    truth = np.array([manifest.labels.index(photo.label) for photo in manifest.of("test")])
    answers = np.where([number in right for number in range(len(truth))], truth, 1 - truth)
    scores = read_predictions(run, manifest)
    write_predictions(run, {**scores, "test": np.eye(2, dtype=np.float32)[answers]})
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["test"]["accuracy"] = len(right) / len(truth)
    (run / "metrics.json").write_text(json.dumps(metrics))
    return run


def test_mcnemars_test_by_hand(tmp_path, manifest):
    best = answer(tmp_path / "best", manifest, {*range(36)})
    other = answer(tmp_path / "other", manifest, {*range(8, 38)})  # 8 only by the best, 2 only by this
    first, second = compare([other, best])
    assert (first.best, second.best) == (False, True)
    assert second.paired is None
    assert second.note == first.note == ""
    assert (first.paired.n, first.paired.only_best, first.paired.only_this) == (40, 8, 2)
    assert first.paired.difference_points == pytest.approx(-100 * 6 / 40)
    two_sided = 2 * sum(math.comb(10, k) for k in range(3)) / 2**10
    assert first.paired.p_value == pytest.approx(two_sided)


def test_runs_that_answer_alike_differ_by_nothing(tmp_path, manifest):
    runs = [answer(tmp_path / name, manifest, {*range(30)}) for name in ("a", "b")]
    first, second = compare(runs)
    assert first.best
    assert (second.paired.p_value, second.paired.difference_points) == (1, 0)


def test_photos_are_matched_by_their_bytes_not_by_name_or_order(tmp_path, manifest):
    best = answer(tmp_path / "best", manifest, {*range(36)})
    other = answer(tmp_path / "other", manifest, {*range(30)})
    before = compare([best, other])[1].paired
    renamed = {photo.path: f"{999 - number:03}.png" for number, photo in enumerate(manifest.files)}
    files = tuple(
        sorted((dataclasses.replace(each, path=renamed[each.path]) for each in manifest.files), key=lambda p: p.path)
    )
    scores = {split: its[::-1] for split, its in read_predictions(other, manifest).items()}
    write_manifest(dataclasses.replace(manifest, files=files), other / "dataset.json")
    write_predictions(other, scores)
    assert compare([best, other])[1].paired == before


def test_photos_that_only_one_was_tested_on_dont_count(tmp_path, manifest):
    best = answer(tmp_path / "best", manifest, {*range(36)})
    gone = {photo.path for photo in manifest.of("test")[:10]}
    fewer = dataclasses.replace(manifest, files=tuple(each for each in manifest.files if each.path not in gone))
    other = answer(tmp_path / "other", fewer, {*range(20)})
    paired = compare([best, other])[1].paired
    assert (paired.n, paired.only_best, paired.only_this) == (30, 6, 0)  # photos 30 to 35 of the best


def note_of(best, other):
    row = compare([best, other])[1]
    assert row.paired is None
    assert "\n" not in row.note
    return row.note


def test_why_a_paired_test_isnt_possible(tmp_path, manifest):
    best = answer(tmp_path / "best", manifest, {*range(36)})
    older = answer(tmp_path / "older", manifest, {*range(30)})
    (older / "predictions.npz").unlink()
    assert "trained before there was one" in note_of(best, older)
    others = make_photos(tmp_path / "others", ["cat", "eel"], each=50)
    assert note_of(best, answer(tmp_path / "classes", others, {*range(30)})).startswith("It tells other classes apart")
    swapped = {"test": "train", "train": "test", "validation": "validation"}
    files = tuple(dataclasses.replace(each, split=swapped[each.split]) for each in manifest.files)
    apart = answer(tmp_path / "apart", dataclasses.replace(manifest, files=files), {*range(20)})
    assert "no test photo in common" in note_of(best, apart)


def test_an_older_best_leaves_every_other_without_a_test(tmp_path, manifest):
    best = answer(tmp_path / "best", manifest, {*range(36)})
    (best / "predictions.npz").unlink()
    rows = compare([best, *(answer(tmp_path / name, manifest, {*range(30)}) for name in "ab")])
    assert [bool(row.note) for row in rows] == [False, True, True]


def test_what_a_run_reached_is_read_from_its_files(tmp_path, manifest):
    metrics = make_run(tmp_path / "run", manifest)
    (row,) = compare([tmp_path / "run"])
    assert (row.data, row.model, row.image_size, row.n) == ("noise", "cnn", (16, 24), 40)
    assert (row.parameters, row.epochs, row.seconds) == (12345, 5, 83.4)
    assert row.accuracy_interval == tuple(metrics["test"]["accuracy_interval"])
    assert row.ece_calibrated == metrics["test"]["ece_calibrated"]
    json.dumps(row.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: shutil.rmtree(run),
        lambda run: (run / "metrics.json").unlink(),
        lambda run: (run / "metrics.json").write_text('{"test": {}}'),
        lambda run: (run / "metrics.json").write_text('{"test": []}'),
        lambda run: (run / "config.json").write_text("{}"),
        lambda run: (run / "dataset.json").write_text("{}"),
    ],
    ids=["no run", "unfinished", "no figures", "a list", "no model", "no manifest"],
)
def test_what_is_no_finished_run_is_refused_in_one_line(tmp_path, manifest, spoil):
    make_run(tmp_path / "run", manifest)
    read_manifest(tmp_path / "run" / "dataset.json")
    spoil(tmp_path / "run")
    with pytest.raises(UserError, match=r"python -m train\.run") as error:
        compare([tmp_path / "run"])
    assert "\n" not in str(error.value)
