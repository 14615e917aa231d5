"""What a converted file's confidence is worth: temperature and "unknown" threshold, refitted on its own scores.

Quantized scores are coarse, and other ones than the float model's: its temperature and threshold don't fit them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.confidence import temper
from train.confidence import Scores, Truth, apply_threshold, choose_threshold
from train.confidence import fit_temperature as fit_float_temperature


@dataclass(frozen=True)
class Confidence:
    """A file's temperature and threshold, as metrics.json has them of the float model.

    Attributes:
        temperature: What `edge.confidence.temper` needs to turn the file's scores into confidences.
        threshold: "value", below which an answer should be "unknown"; "false_accept_rate", what it was chosen for;
            "reached", whether it keeps that on validation; "validation" and "test": what it does there.
    """

    temperature: float
    threshold: dict[str, Any]

    @property
    def metadata(self) -> dict[str, float]:
        """Return what travels in the file."""
        return {"temperature": self.temperature, "threshold": self.threshold["value"]}


def refit(scores: Mapping[str, Scores], truth: Mapping[str, Truth], false_accept_rate: float) -> Confidence:
    """Choose temperature and threshold on validation; test only reports.

    Args:
        scores: "validation" and "test": the file's scores, (N, classes).
        truth: "validation" and "test": class indices, (N,).
        false_accept_rate: Wrong answers among the accepted that the threshold is chosen for, 0-1.
    """
    temperature = fit_temperature(scores["validation"], truth["validation"])
    answers = {
        split: (temper(scores[split], temperature).max(axis=1), scores[split].argmax(axis=1) == truth[split])
        for split in ("validation", "test")
    }
    value, reached = choose_threshold(*answers["validation"], false_accept_rate)
    figures = {split: apply_threshold(*its, value) for split, its in answers.items()}
    return Confidence(
        temperature, {"value": value, "false_accept_rate": false_accept_rate, "reached": reached, **figures}
    )


def fit_temperature(scores: Scores, truth: Truth) -> float:
    """Return the temperature at which a file's scores say best how often they are right.

    As in training, but without the photos whose true class got a score of 0, as one in 512 is in uint8. No temperature
    changes their confidence, while the likelihood takes a 0 for a surprise without end: a handful of them drove the
    temperature to its bound of 10 and the calibration error from 2 points to 22.

    Args:
        scores: Of the validation split, (N, classes), none negative.
        truth: Index of each photo's class, (N,).

    Returns:
        Temperature, 0.1 to 10; 1 where no photo is left.
    """
    seen = scores[np.arange(len(truth)), truth] > 0
    return fit_float_temperature(scores[seen], truth[seen]) if seen.any() else 1.0
