import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import top_k_accuracy_score

from train.dataset import Manifest, Photo, SplitSettings
from train.evaluate import evaluate, expected_calibration_error, judge, reliability, true_classes

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
    assert report["macro_precision"] == pytest.approx((4 / 6 + 2 / 4 + 0) / 3)
    assert report["macro_recall"] == pytest.approx((4 / 5 + 2 / 3 + 0) / 3)
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


def test_top5_is_sklearns():
    rng = np.random.default_rng(0)
    scores, truth = rng.dirichlet(np.ones(12), 300).astype(np.float32), rng.integers(0, 12, 300)
    labels = [f"class {number}" for number in range(12)]
    assert evaluate(scores, truth, labels)["top5"] == top_k_accuracy_score(truth, scores, k=5, labels=range(12))
    assert "top5" not in evaluate(scores[:, :5], truth % 5, labels[:5])


def test_reliability_by_hand():
    confidence = np.array([0.95, 0.97, 0.61, 0.6])
    assert reliability(confidence, np.array([True, False, True, True])) == [
        {"n": 2, "confidence": pytest.approx(0.605), "accuracy": 1},
        {"n": 2, "confidence": pytest.approx(0.96), "accuracy": 0.5},
    ]


def judged(classes=6, photos=600, rate=0.05):
    """Judge a model that is too sure of itself, on photos whose classes are drawn as it should have said."""
    rng = np.random.default_rng(0)
    labels = tuple(f"class {number}" for number in range(classes))
    logits = {split: rng.normal(0, 2, (photos, classes)) for split in ("validation", "test")}
    files = []
    for split, its in logits.items():
        drawn = (softmax(its, axis=1).cumsum(axis=1) > rng.random((photos, 1))).argmax(axis=1)
        files += [Photo(f"{split}/{n:03}.png", f"{n:064x}", labels[index], split) for n, index in enumerate(drawn)]
    manifest = Manifest("drawn", "", "", Path("/photos"), labels, SplitSettings(), tuple(files))
    scores = {split: softmax(3 * its, axis=1).astype(np.float32) for split, its in logits.items()}
    return manifest, scores, judge(manifest, scores, rate)


def test_temperature_mends_the_confidence_of_the_test_split_too():
    *_, metrics = judged()
    assert metrics["temperature"] == pytest.approx(3, rel=0.1)
    for split in ("test", "validation"):
        assert metrics[split]["ece_calibrated"] < metrics[split]["ece"] / 2
        assert metrics[split]["nll_calibrated"] < metrics[split]["nll"]


def test_what_the_threshold_does_can_be_counted_again():
    manifest, scores, metrics = judged(rate=0.1)
    threshold = metrics["threshold"]
    assert threshold["reached"] is True
    assert threshold["validation"]["false_accept_rate"] <= threshold["false_accept_rate"] == 0.1
    for split in ("test", "validation"):
        powered = scores[split].astype(np.float64) ** (1 / metrics["temperature"])
        stands = powered.max(axis=1) / powered.sum(axis=1) >= threshold["value"]
        right = scores[split].argmax(axis=1) == true_classes(manifest, split)
        assert threshold[split]["accepted"] == stands.mean()
        assert threshold[split]["accuracy_of_accepted"] == pytest.approx(right[stands].mean())


def test_the_mistakes_are_named_by_their_photos():
    manifest, _, metrics = judged()
    test = metrics["test"]
    matrix = np.array(test["confusion_matrix"])
    first = test["confused_pairs"][0]
    row, column = manifest.labels.index(first["truth"]), manifest.labels.index(first["answer"])
    assert first["n"] == matrix[row, column] == (matrix - np.diag(np.diag(matrix))).max()
    truth = {photo.path: photo.label for photo in manifest.of("test")}
    for mistake in test["most_wrong"]:
        assert truth[mistake["path"]] == mistake["truth"] != mistake["answer"]


def test_the_metrics_are_json_and_say_the_same_after_it():
    *_, metrics = judged()
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_one_photo_in_each_split_can_be_judged():
    *_, metrics = judged(classes=2, photos=1)
    assert metrics["threshold"]["test"]["n"] == 1
    json.dumps(metrics, allow_nan=False)
