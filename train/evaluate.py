"""How good a model is: its answers on the validation and test splits, judged in the keys of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from edge.confidence import temper
from train.confidence import Scores, Truth, apply_threshold, choose_threshold, fit_temperature
from train.confidence import negative_log_likelihood as nll
from train.dataset import Manifest
from train.mistakes import confused_pairs, most_wrong

_ECE_BINS = 15  # as in Guo et al. 2017, arXiv 1706.04599
_TOP = 5


def judge(manifest: Manifest, scores: Mapping[str, Scores], false_accept_rate: float) -> dict[str, Any]:
    """Judge a model by its scores; temperature and threshold are chosen on validation, and test only reports.

    Args:
        manifest: The data set.
        scores: "validation" and "test": what the model gave each photo, (N, classes), in the manifest's order.
        false_accept_rate: Wrong answers among the accepted that the "unknown" threshold is chosen for, 0-1.

    Returns:
        metrics.json but for "training": "test" and "validation" as `evaluate` and more (nll, ece and reliability,
        each also at the temperature; confused_pairs, most_wrong), "temperature", "threshold".
    """
    truth = {split: true_classes(manifest, split) for split in scores}
    temperature = fit_temperature(scores["validation"], truth["validation"])
    metrics: dict[str, Any] = {}
    answers: dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]] = {}
    for split in ("test", "validation"):
        raw, its = scores[split], truth[split]
        tempered = temper(raw, temperature)
        right = raw.argmax(axis=1) == its
        answers[split] = tempered.max(axis=1), right
        paths = [photo.path for photo in manifest.of(split)]
        metrics[split] = {
            **evaluate(raw, its, manifest.labels),
            "ece_calibrated": expected_calibration_error(tempered, its),
            "nll": nll(raw, its),
            "nll_calibrated": nll(raw, its, temperature),
            "reliability": {
                "raw": reliability(raw.max(axis=1), right),
                "calibrated": reliability(answers[split][0], right),
            },
            "confused_pairs": confused_pairs(tempered, its, manifest.labels, paths),
            "most_wrong": most_wrong(tempered, its, manifest.labels, paths),
        }
    threshold, reached = choose_threshold(*answers["validation"], false_accept_rate)
    figures = {split: apply_threshold(*answers[split], threshold) for split in ("validation", "test")}
    metrics["temperature"] = temperature
    metrics["threshold"] = {"value": threshold, "false_accept_rate": false_accept_rate, "reached": reached, **figures}
    return metrics


def true_classes(manifest: Manifest, split: str) -> Truth:
    """Return the index of each photo's class, (N,), in the manifest's order."""
    indices = {label: index for index, label in enumerate(manifest.labels)}
    return np.array([indices[photo.label] for photo in manifest.of(split)], np.int64)


def evaluate(scores: Scores, truth: Truth, labels: Sequence[str]) -> dict[str, Any]:
    """Compare scores with the truth.

    Args:
        scores: What the model gave each image, (N, classes), rows sum to 1; N > 0.
        truth: Index of each image's class, (N,).
        labels: Names of the classes.

    Returns:
        One split's part of metrics.json: n, accuracy with its Wilson 95 % interval, the accuracy of always answering
        the split's largest class (majority), top5 where there are more than 5 classes, macro_precision, macro_recall,
        macro_f1, ece, per_class, confusion_matrix (rows: truth, columns: answer).
    """
    answers = scores.argmax(axis=1)
    classes = list(range(len(labels)))
    correct = int((answers == truth).sum())
    precision, recall, f1, count = precision_recall_fscore_support(truth, answers, labels=classes, zero_division=0.0)
    return {
        "n": len(truth),
        "accuracy": correct / len(truth),
        "accuracy_interval": list(wilson_interval(correct, len(truth))),
        "majority": float(count.max() / len(truth)),
        **({f"top{_TOP}": top_accuracy(scores, truth, _TOP)} if len(labels) > _TOP else {}),
        "macro_precision": float(precision.mean()),
        "macro_recall": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "ece": expected_calibration_error(scores, truth),
        "per_class": {
            label: {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "n": int(count[index]),
            }
            for index, label in enumerate(labels)
        },
        "confusion_matrix": confusion_matrix(truth, answers, labels=classes).tolist(),
    }


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, 0-1; total > 0."""
    low, high = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def top_accuracy(scores: Scores, truth: Truth, k: int) -> float:
    """Return the share of images whose class is among the k likeliest; of equal scores the lower index comes first."""
    likeliest = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((likeliest == truth[:, np.newaxis]).any(axis=1).mean())


def expected_calibration_error(scores: npt.NDArray[np.floating[Any]], truth: Truth) -> float:
    """Return the mean gap between confidence and accuracy, weighted over 15 equal bins of confidence.

    Args:
        scores: (N, classes), rows sum to 1; N > 0.
        truth: Index of each image's class, (N,).
    """
    bins = reliability(scores.max(axis=1), scores.argmax(axis=1) == truth)
    return sum(each["n"] * abs(each["accuracy"] - each["confidence"]) for each in bins) / len(truth)


def reliability(
    confidence: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_]
) -> list[dict[str, float | int]]:
    """Return how often answers of like confidence are right, over 15 equal bins of confidence.

    Args:
        confidence: Of each answer, (N,), 0-1.
        right: Whether the answer is right, (N,).

    Returns:
        Of each bin that isn't empty, upwards: n, the mean confidence, the accuracy.
    """
    number = np.clip((confidence.astype(np.float64) * _ECE_BINS).astype(int), 0, _ECE_BINS - 1)
    counts = np.bincount(number, minlength=_ECE_BINS)
    sure = np.bincount(number, weights=confidence.astype(np.float64), minlength=_ECE_BINS)
    good = np.bincount(number, weights=right.astype(np.float64), minlength=_ECE_BINS)
    return [
        {"n": int(n), "confidence": float(sum_confidence / n), "accuracy": float(n_right / n)}
        for n, sum_confidence, n_right in zip(counts, sure, good, strict=True)
        if n
    ]
