"""How good answers are, and how alike those of two files: from scores and the truth alone.

What a library has is the library's: scikit-learn's precision, recall, F1 and log loss, SciPy's binomial test with
Wilson's interval. Agreement counts photos, so it sees what equal accuracies hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binned_statistic, binomtest, sem, t
from sklearn.metrics import log_loss, precision_recall_fscore_support

Truth = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Names = Sequence[int | str]

SURE = 0.9  # a wrong answer of at least this confidence is a confident mistake
_ECE_BINS = 15  # as in Guo et al. 2017, arXiv 1706.04599
_TOP = 5
_MOST_FLIPPED = 20
_MOST_WRONG = 5


@dataclass(frozen=True)
class Answers:
    """What a file said about photos.

    Attributes:
        scores: Of each photo in each class, (N, classes), N > 0.
        confidences: Scores at the file's temperature, (N, classes), rows sum to 1.
        threshold: The confidence below which the file's answer is "unknown"; 0 where it has none.
    """

    scores: Scores
    confidences: Scores
    threshold: float = 0.0

    @property
    def best(self) -> Truth:
        """Answered classes (N,); equal scores go to the lower index, as the classifier's do."""
        best: Truth = self.scores.argmax(axis=1)
        return best


def judge(answers: Answers, truth: Truth, labels: Sequence[str], names: Names) -> dict[str, Any]:
    """Hold answers against the truth.

    Args:
        answers: Of one file.
        truth: Index of each photo's class, (N,).
        labels: Names of the classes.
        names: Of the photos.

    Returns:
        n; accuracy and accuracy_interval (Wilson, 95 %); top5 where there are more than 5 classes; macro_f1, over the
        classes that have photos; ece (of 15 bins of calibrated confidence; None of one photo); nll (of calibrated
        confidence, in nats; a confidence of 0 counts as 1.2e-7; None of one class); unknown (threshold, rate,
        rate_of_wrong; None where the file has no threshold); confident_mistakes (confidence, n, the worst few);
        per_class (label -> precision, recall, f1, n; None for classes without photos).
    """
    best, confidence = answers.best, answers.confidences.max(axis=1)
    right = best == truth
    per_class = _per_class(best, truth, labels)
    return {
        "n": len(truth),
        "accuracy": float(right.mean()),
        "accuracy_interval": interval(int(right.sum()), len(truth)),
        **({f"top{_TOP}": _top_accuracy(answers.scores, truth)} if len(labels) > _TOP else {}),
        "macro_f1": float(np.mean([each["f1"] for each in per_class.values() if each["n"]])),
        "ece": _calibration_error(confidence, right) if len(truth) > 1 else None,
        "nll": float(log_loss(truth, answers.confidences, labels=range(len(labels)))) if len(labels) > 1 else None,
        "unknown": _unknown(confidence, right, answers.threshold) if answers.threshold else None,
        "confident_mistakes": _confident_mistakes(best, confidence, truth, labels, names),
        "per_class": per_class,
    }


def compare(answers: Answers, reference: Answers, truth: Truth, labels: Sequence[str], names: Names) -> dict[str, Any]:
    """Hold a file's answers against those of the float32 file, photo by photo.

    Args: as of `judge`; `reference` is the float32 file's, of the same photos and classes.

    Returns:
        agreement, the share of equal answers, and agreement_interval (Wilson, 95 %); flipped (n, and the first photos
        with truth, float32, answer); mcnemar, his exact test of whether one of the two is right more often
        (only_float32_right, only_this_right, p_value).
    """
    best, expected = answers.best, reference.best
    same = best == expected
    only_float32 = int(((expected == truth) & (best != truth)).sum())
    only_this = int(((expected != truth) & (best == truth)).sum())
    different = only_float32 + only_this
    return {
        "agreement": float(same.mean()),
        "agreement_interval": interval(int(same.sum()), len(truth)),
        "flipped": {
            "n": int((~same).sum()),
            "photos": [
                {
                    "photo": names[photo],
                    "truth": labels[truth[photo]],
                    "float32": labels[expected[photo]],
                    "answer": labels[best[photo]],
                }
                for photo in np.flatnonzero(~same)[:_MOST_FLIPPED]
            ],
        },
        "mcnemar": {
            "only_float32_right": only_float32,
            "only_this_right": only_this,
            "p_value": float(binomtest(only_this, different).pvalue) if different else 1.0,
        },
    }


def interval(count: int, total: int) -> list[float]:
    """Return Wilson's 95 % interval of a share, [low, high] within 0-1; total > 0."""
    low, high = binomtest(count, total).proportion_ci(0.95, method="wilson")
    return [float(low), float(high)]


def mean_interval(values: npt.NDArray[np.float64], widest: float) -> list[float]:
    """Return Student's 95 % interval of a mean, [low, high].

    Args:
        values: One for each photo, (N,), N > 0.
        widest: What bounds them; one photo says nothing, so its interval is -widest to widest. Where all values are
            equal, others may differ as often as Wilson's bound of none in N allows.
    """
    n = len(values)
    if n == 1:
        return [-widest, widest]
    mean, half = float(values.mean()), float(t.ppf(0.975, n - 1) * sem(values))
    if values.min() == values.max():
        half = widest * interval(0, n)[1]
    return [max(-widest, mean - half), min(widest, mean + half)]


def _per_class(best: Truth, truth: Truth, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return precision, recall, F1 and number of photos of each class by its label."""
    figures = precision_recall_fscore_support(truth, best, labels=range(len(labels)), zero_division=0.0)
    per_class = {}
    for index, (label, precision, recall, f1, n) in enumerate(zip(labels, *figures, strict=True)):
        name = label if labels.count(label) == 1 else f"{label} ({index})"  # ImageNet has two cranes
        rates = {"precision": precision, "recall": recall, "f1": f1}
        per_class[name] = {**{key: float(rate) if n else None for key, rate in rates.items()}, "n": int(n)}
    return per_class


def _top_accuracy(scores: Scores, truth: Truth) -> float:
    """Return the share of photos whose class is among the 5 likeliest; scikit-learn breaks ties the other way."""
    likeliest = np.argsort(-scores, axis=1, kind="stable")[:, :_TOP]
    return float((likeliest == truth[:, np.newaxis]).any(axis=1).mean())


def _calibration_error(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    """Return the gap between confidence and accuracy, averaged over bins by their number of photos."""
    kept = np.clip(confidence.astype(np.float64), 0, 1)
    gaps = binned_statistic(kept, right - kept, "sum", bins=_ECE_BINS, range=(0, 1)).statistic
    return float(np.abs(gaps).sum() / len(right))


def _unknown(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], threshold: float) -> dict[str, Any]:
    """Return how many answers the threshold turns into "unknown": of all, and of the wrong ones."""
    is_unknown = confidence < threshold
    rate_of_wrong = float(is_unknown[~right].mean()) if not right.all() else None
    return {"threshold": threshold, "rate": float(is_unknown.mean()), "rate_of_wrong": rate_of_wrong}


def _confident_mistakes(
    best: Truth, confidence: npt.NDArray[np.float32], truth: Truth, labels: Sequence[str], names: Names
) -> dict[str, Any]:
    """Return how many wrong answers were given with confidence, and the surest of them."""
    mistakes = np.flatnonzero((best != truth) & (confidence >= SURE))
    worst = mistakes[np.argsort(-confidence[mistakes], kind="stable")][:_MOST_WRONG]
    return {
        "confidence": SURE,
        "n": len(mistakes),
        "worst": [
            {
                "photo": names[photo],
                "truth": labels[truth[photo]],
                "answer": labels[best[photo]],
                "confidence": round(float(confidence[photo]), 6),
            }
            for photo in worst
        ],
    }
