"""How good a model is on one split, in the keys of metrics.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

_ECE_BINS = 15  # as in Guo et al. 2017, arXiv 1706.04599


def evaluate(scores: npt.NDArray[np.float32], truth: npt.NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    """Compare scores with the truth.

    Args:
        scores: What the model gave each image, (N, classes), rows sum to 1; N > 0.
        truth: Index of each image's class, (N,).
        labels: Names of the classes.

    Returns:
        One split's part of metrics.json: n, accuracy with its Wilson 95 % interval, the accuracy of always answering
        the split's largest class (majority), macro_f1, ece, per_class, confusion_matrix (rows: truth, columns: answer).
    """
    answers = scores.argmax(axis=1)
    classes = list(range(len(labels)))
    correct = int((answers == truth).sum())
    precision, recall, f1, count = precision_recall_fscore_support(truth, answers, labels=classes, zero_division=0.0)
    low, high = binomtest(correct, len(truth)).proportion_ci(0.95, method="wilson")
    return {
        "n": len(truth),
        "accuracy": correct / len(truth),
        "accuracy_interval": [float(low), float(high)],
        "majority": float(count.max() / len(truth)),
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


def expected_calibration_error(scores: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> float:
    """Return the mean gap between confidence and accuracy, weighted over 15 equal bins of confidence.

    Args:
        scores: (N, classes), rows sum to 1; N > 0.
        truth: Index of each image's class, (N,).
    """
    confidence = scores.max(axis=1).astype(np.float64)
    correct = scores.argmax(axis=1) == truth
    bins = np.minimum((confidence * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=_ECE_BINS)
    return float(np.abs(gaps).sum() / len(truth))
