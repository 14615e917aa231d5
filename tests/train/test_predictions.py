from pathlib import Path

import numpy as np
import pytest

from edge.errors import UserError
from train.dataset import Manifest, Photo, SplitSettings, write_manifest
from train.predictions import read_predictions, write_predictions

FILES = tuple(
    Photo(f"{split}-{number}.png", f"{number:064x}", "ab"[number % 2], split)
    for split, count in (("train", 4), ("validation", 2), ("test", 3))
    for number in range(count)
)
MANIFEST = Manifest("letters", "", "", Path("/photos"), ("a", "b"), SplitSettings(), FILES)
SCORES = {
    "validation": np.array([[0.9, 0.1], [0.2, 0.8]], np.float32),
    "test": np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32),
}


@pytest.fixture
def run(tmp_path):
    write_manifest(MANIFEST, tmp_path / "dataset.json")
    write_predictions(tmp_path, SCORES)
    return tmp_path


def test_what_was_written_is_read(run):
    scores = read_predictions(run, MANIFEST)
    assert {*scores} == {"validation", "test"}
    assert all((scores[split] == SCORES[split]).all() and scores[split].dtype == np.float32 for split in scores)


def test_numpy_alone_reads_it(run):
    with np.load(run / "predictions.npz", allow_pickle=False) as content:
        assert content["test"].tolist() == SCORES["test"].tolist()


def refused(run):
    with pytest.raises(UserError) as error:
        read_predictions(run, MANIFEST)
    assert "\n" not in str(error.value)
    assert "python -m train.run" in str(error.value)
    return str(error.value)


def test_an_older_run_has_none(run):
    (run / "predictions.npz").unlink()
    assert "found none" in refused(run)


def test_another_dataset_is_found_out(run):
    write_manifest(Manifest(**{**vars(MANIFEST), "name": "other"}), run / "dataset.json")
    assert "another dataset.json" in refused(run)


@pytest.mark.parametrize(
    "scores", [np.ones((2, 2), np.float32), np.ones((3, 2)), np.full((3, 2), np.nan, np.float32)], ids=str
)
def test_scores_of_other_photos_are_refused(run, scores):
    with np.load(run / "predictions.npz") as content:
        arrays = {**content, "test": scores}
    np.savez(run / "predictions.npz", **arrays)
    assert "Expected scores (3, 2)" in refused(run)


def test_a_damaged_file_is_refused(run):
    path = run / "predictions.npz"
    whole = path.read_bytes()
    refusals = 0
    for cut in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        refused(run)
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_predictions(run, MANIFEST)
        except UserError:
            refusals += 1
    assert refusals > 50
    for content in (np.ones(3), np.array([{}], object)):  # the second one would be unpickled
        np.save(run / "other.npy", content)
        (run / "other.npy").replace(path)
        refused(run)
