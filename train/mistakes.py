"""What a model gets wrong: the classes that it confuses most, and the photos that it is surest and wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_PAIRS = 10
_PHOTOS_OF_A_PAIR = 4
_MOST_WRONG = 20


def confused_pairs(
    confidences: npt.NDArray[np.float64], truth: npt.NDArray[np.int64], labels: Sequence[str], paths: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the pairs of a true class and a wrong answer that come up most, at most 10.

    Args:
        confidences: Of each photo in each class, (N, classes).
        truth: Index of each photo's class, (N,).
        labels: Names of the classes.
        paths: Name of each photo.

    Returns:
        For each pair, the most photos first, between equal ones the larger share: truth, answer (names), n photos,
        share of the true class's photos, and the paths of at most 4 photos, the surest mistakes.
    """
    answers = confidences.argmax(axis=1)
    wrong = _surest_first(confidences, truth)
    found: dict[tuple[int, int], list[int]] = {}
    for photo in wrong:
        found.setdefault((int(truth[photo]), int(answers[photo])), []).append(photo)
    of_class = np.bincount(truth, minlength=len(labels))
    ranked = sorted(found.items(), key=lambda each: (-len(each[1]), -len(each[1]) / of_class[each[0][0]], each[0]))
    return [
        {
            "truth": labels[true],
            "answer": labels[answer],
            "n": len(photos),
            "share": float(len(photos) / of_class[true]),
            "photos": [paths[photo] for photo in photos[:_PHOTOS_OF_A_PAIR]],
        }
        for (true, answer), photos in ranked[:_MOST_PAIRS]
    ]


def most_wrong(
    confidences: npt.NDArray[np.float64], truth: npt.NDArray[np.int64], labels: Sequence[str], paths: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the photos with the surest wrong answers, at most 20: path, truth, answer (names), confidence.

    Args: as of `confused_pairs`.
    """
    answers = confidences.argmax(axis=1)
    return [
        {
            "path": paths[photo],
            "truth": labels[truth[photo]],
            "answer": labels[answers[photo]],
            "confidence": float(confidences[photo, answers[photo]]),
        }
        for photo in _surest_first(confidences, truth)[:_MOST_WRONG]
    ]


def _surest_first(confidences: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> list[int]:
    """Return the photos with wrong answers, the surest first; equally sure ones in order."""
    surest = np.argsort(-confidences.max(axis=1), kind="stable")
    wrong = confidences.argmax(axis=1) != truth
    return [int(photo) for photo in surest if wrong[photo]]
