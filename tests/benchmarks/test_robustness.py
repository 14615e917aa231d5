from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.asking import File
from benchmarks.corruptions import CORRUPTIONS, corrupt
from benchmarks.photos import Photos
from benchmarks.robustness import ALL, Endured, endure, estimate_s, make_rows
from edge.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
TRUTH = np.array([0, 1, 1])


def model(path, ask):
    """Return a file that answers as `ask` does, a function from image to class."""
    classifier = SimpleNamespace(
        runtime="none 1", metadata={"scheme": "int8"}, scores=lambda image: np.eye(2, dtype=np.float32)[ask(image)]
    )
    path.write_bytes(b"model")
    return File(path, classifier, 1, 1.0, 0.0)


def read(number):
    if number == 9:
        raise UserError("photo 9 is broken")
    return IMAGES[number]


PHOTOS = Photos("eval.npz", np.array([0, 1, 1, *[0] * 7]), range(10), read)


def test_each_copy_is_asked_about_once_and_in_its_place(tmp_path):
    seen = []
    spy = model(tmp_path / "spy.tflite", lambda image: (seen.append(image.copy()), int(image.mean() > 127))[1])
    endured = endure([spy], PHOTOS, [0, 9, 2], 5, lambda: None)
    assert len(seen) == 2 * (1 + 12 * 5)
    assert endured.truth.tolist() == [0, 1]
    assert endured.unreadable == {9: "photo 9 is broken"}
    for number, position in enumerate((0, 2)):
        assert endured.clean[spy.path][number] == int(IMAGES[position].mean() > 127)
        for row, corruption in enumerate(CORRUPTIONS):
            for column in range(5):
                worse = corrupt(IMAGES[position], corruption, column + 1, index=position, seed=5)
                assert endured.corrupted[spy.path][row, column, number] == int(worse.mean() > 127)


def test_photos_that_all_are_broken_are_one_line(tmp_path):
    with pytest.raises(UserError, match="photo 9 is broken"):
        endure([model(tmp_path / "m.tflite", lambda image: 0)], PHOTOS, [9], 0, lambda: None)


def test_the_time_is_estimated_from_one_photo(tmp_path):
    asked = []
    file = model(tmp_path / "m.tflite", lambda image: len(asked.append(1) or ()))
    assert estimate_s([file], PHOTOS, [9, 1, 2]) > 0
    assert len(asked) == 12
    assert estimate_s([file], PHOTOS, [9]) == 0


def test_hand_worked_figures(tmp_path):
    float32, int8 = model(tmp_path / "model_float32.tflite", None), model(tmp_path / "model_int8.tflite", None)
    right = np.broadcast_to(TRUTH, (12, 5, 3))
    worse = right.copy()
    worse[1, :, 0] = 1  # one photo of three wrong, under one corruption
    worse[1, 4] = 1 - TRUTH  # and all, at its worst
    endured = Endured(
        TRUTH,
        {float32.path: TRUTH, int8.path: np.array([1, 1, 1])},
        {float32.path: right, int8.path: worse},
        {},
    )
    rows = make_rows([float32, int8], {int8.path: float32}, endured, {"photos": "eval.npz"})
    assert all(row["photos"] == "eval.npz" for row in rows)
    cases = [row["case"] for row in rows]
    assert cases == [ALL, *CORRUPTIONS] * 2
    over_all, shot = rows[13], rows[13 + 1 + 1]
    assert (over_all["model"], over_all["n"], over_all["reference"]) == ("model_int8.tflite", 3, "model_float32.tflite")
    assert over_all["clean_accuracy"] == pytest.approx(2 / 3)
    assert over_all["clean_agreement"] == pytest.approx(2 / 3)
    assert over_all["clean_gap_points"] == pytest.approx(-100 / 3)
    assert over_all["corrupted_accuracy"] == pytest.approx(1 - 7 / 180)
    assert over_all["agreement"] == pytest.approx(1 - 7 / 180)
    assert over_all["gap_points"] == pytest.approx(-700 / 180)
    # of the photos' means: -5/60, -1/60, -1/60 of 100
    means = np.array([-500, -100, -100]) / 60
    half = 4.3027 * means.std(ddof=1) / np.sqrt(3)  # t(2)
    assert over_all["gap_interval"] == pytest.approx([means.mean() - half, means.mean() + half], abs=1e-2)
    assert shot["case"] == "shot_noise"
    assert shot["accuracy"] == pytest.approx([2 / 3] * 4 + [0])
    assert shot["agreement"] == pytest.approx([2 / 3] * 4 + [0])
    assert shot["gap_points"] == pytest.approx(-700 / 15)
    assert rows[0]["corrupted_accuracy"] == 1
    assert "gap_points" not in rows[0]
