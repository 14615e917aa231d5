"""What a model's confidence is worth: its temperature and its "unknown" threshold, both chosen on validation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

Scores = npt.NDArray[np.float32]
Truth = npt.NDArray[np.int64]

_TEMPERATURES = (0.1, 10.0)
_GRID = 41  # starting points, so that no dip between the bounds is missed

# Of the right answers of validation at most this share is given up to turn away what the model is unsure about.
_RIGHT_GIVEN_UP = 0.01


def negative_log_likelihood(scores: Scores, truth: Truth, temperature: float = 1.0) -> float:
    """Return the mean surprise at the truth, in nats, of scores at a temperature.

    Args:
        scores: (N, classes), rows sum to 1; N > 0. A score of 0 counts as the smallest float32.
        truth: Index of each image's class, (N,).
        temperature: > 0.
    """
    return _surprise(_logarithms(scores), truth, temperature) / len(truth)


def fit_temperature(scores: Scores, truth: Truth) -> float:
    """Return the temperature at which scores say best how often they are right: Guo et al. 2017, arXiv 1706.04599.

    The sum of the surprises is minimised with a weak pull towards 1: as if, before any photo was seen, the
    temperature's logarithm were normal with a deviation of 1. A few hundred photos outweigh it by far; on a handful,
    or on a split without a mistake, which alone would ask for 0, it keeps the temperature sane. At what is returned
    the surprise is never larger than at 1.

    Args:
        scores: Of the validation split, (N, classes), rows sum to 1; N > 0.
        truth: Index of each image's class, (N,).

    Returns:
        Temperature, 0.1 to 10.
    """
    logs = _logarithms(scores)

    def cost(log_temperature: float) -> float:
        return _surprise(logs, truth, math.exp(log_temperature)) + log_temperature**2 / 2

    low, high = map(math.log, _TEMPERATURES)
    grid = np.linspace(low, high, _GRID)
    start, step = min(grid, key=cost), grid[1] - grid[0]
    refined = minimize_scalar(cost, bounds=(max(low, start - step), min(high, start + step)), method="bounded").x
    return math.exp(min((0.0, start, refined), key=cost))


def choose_threshold(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], false_accept_rate: float
) -> tuple[float, bool]:
    """Return the confidence below which an answer should be "unknown".

    It is the lowest, so the one that accepts the most answers, at which

    - of the accepted answers at most `false_accept_rate` are wrong: what a user means who says that the answers he
      gets may be wrong once in twenty. One more wrong answer is counted than there is, so that a few right ones at
      the top don't show such a rate, and what was chosen on one split is less often missed on another;
    - and the least sure answers are out, as many as go for 1 % of the right ones: so that a model without mistakes
      too has a threshold, for photos that show none of its classes.

    Args:
        confidence: Calibrated confidence of each answer of the validation split, (N,); N > 0.
        right: Whether the answer is right, (N,).
        false_accept_rate: Wrong answers among the accepted that the user puts up with, 0-1 exclusive.

    Returns:
        Threshold, 0-1: an answer is accepted where its confidence is equal or higher. Halfway between the least
        sure accepted answer and the surest one turned away; where none is turned away, the least sure itself.
        And whether it keeps the rate; where none does, it is that of the lowest rate.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, rights = confidence[order], np.cumsum(right[order])
    # How many answers a threshold can accept: equal confidences are accepted together.
    counts = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True)) + 1
    enough = rights[counts - 1] >= (1 - _RIGHT_GIVEN_UP) * rights[-1]
    counts = counts[: np.argmax(enough) + 1]
    rates = (counts - rights[counts - 1] + 1) / (counts + 1)
    lowest = float(rates.min())
    count = int(counts[rates <= max(false_accept_rate, lowest)][-1])
    value = ranked[count - 1] if count == len(ranked) else (ranked[count - 1] + ranked[count]) / 2
    return float(value), lowest <= false_accept_rate


def apply_threshold(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], threshold: float
) -> dict[str, Any]:
    """Return what a threshold does to the answers of a split, as metrics.json has it.

    Args:
        confidence: Calibrated confidence of each answer, (N,); N > 0.
        right: Whether the answer is right, (N,).
        threshold: Answers below it are "unknown".

    Returns:
        n; accepted, the share of answers that stand; false_accept_rate, the share of wrong ones among them, and
        accuracy_of_accepted, both None where none stands; wrong_rejected, the share of all wrong answers that became
        "unknown", None where none was wrong.
    """
    stands = confidence >= threshold
    accepted, wrong = int(stands.sum()), int((~right).sum())
    accuracy = float((right & stands).sum() / accepted) if accepted else None
    return {
        "n": len(right),
        "accepted": accepted / len(right),
        "false_accept_rate": None if accuracy is None else float((~right & stands).sum() / accepted),
        "accuracy_of_accepted": accuracy,
        "wrong_rejected": float((~right & ~stands).sum() / wrong) if wrong else None,
    }


def _logarithms(scores: Scores) -> npt.NDArray[np.float64]:
    """Return the scores' logarithms, finite ones."""
    smallest = float(np.finfo(np.float32).tiny)
    logs: npt.NDArray[np.float64] = np.log(np.maximum(scores.astype(np.float64), smallest))
    return logs


def _surprise(logs: npt.NDArray[np.float64], truth: Truth, temperature: float) -> float:
    """Return the summed negative logarithm of the true class's confidence."""
    tempered = logs / temperature
    return float((logsumexp(tempered, axis=1) - tempered[np.arange(len(truth)), truth]).sum())
