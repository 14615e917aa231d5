import math

import numpy as np
import pytest

from train.evaluate import evaluate, expected_calibration_error

# Ten photos of three classes; worked by hand below.
TRUTH = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
ANSWERS = np.array([0, 0, 0, 0, 1, 1, 1, 0, 0, 1])


def scores_of(answers, confidence=0.8, classes=3):
    rest = (1 - confidence) / (classes - 1)
    return np.where(np.eye(classes)[answers] == 1, confidence, rest).astype(np.float32)


def test_every_figure_by_hand():
    report = evaluate(scores_of(ANSWERS), TRUTH, ["a", "b", "c"])
    assert report["n"] == 10
    assert report["accuracy"] == 0.6
    assert report["majority"] == 0.5
    assert report["confusion_matrix"] == [[4, 1, 0], [1, 2, 0], [1, 1, 0]]
    assert report["per_class"]["a"] == pytest.approx({"precision": 4 / 6, "recall": 4 / 5, "f1": 8 / 11, "n": 5})
    assert report["per_class"]["b"] == pytest.approx({"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7, "n": 3})
    assert report["per_class"]["c"] == {"precision": 0, "recall": 0, "f1": 0, "n": 2}
    assert report["macro_f1"] == pytest.approx((8 / 11 + 4 / 7 + 0) / 3)
    assert report["ece"] == pytest.approx(0.8 - 0.6)


def test_the_interval_is_wilsons():
    low, high = evaluate(scores_of(ANSWERS), TRUTH, ["a", "b", "c"])["accuracy_interval"]
    z, n, p = 1.959963984540054, 10, 0.6
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (low, high) == pytest.approx((middle - half, middle + half))


def test_a_tie_goes_to_the_lower_index():
    report = evaluate(np.full((1, 2), 0.5, np.float32), np.array([0]), ["a", "b"])
    assert report["accuracy"] == 1


def test_calibration_error_over_two_bins_by_hand():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]], np.float32)
    truth = np.array([0, 0, 1, 0])  # at 0.9: two of three right; at 0.6: the one
    assert expected_calibration_error(scores, truth) == pytest.approx((3 * abs(2 / 3 - 0.9) + abs(1 - 0.6)) / 4)


def test_certain_and_right_is_perfectly_calibrated():
    assert expected_calibration_error(np.eye(3, dtype=np.float32), np.arange(3)) == 0
