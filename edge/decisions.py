"""What is decided on top of an answer: how sure it is, whether it counts as unknown, what the latest frames agree on.

The classifier always names a real class. A decision may be None, which is "unknown".
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.confidence import temper
from edge.errors import UserError

if TYPE_CHECKING:
    from edge.classifier import Classifier, Prediction
    from edge.preprocess import Frame


_SURE = 0.5  # what a file without a threshold calls sure


@dataclass(frozen=True)
class Judgement:
    """What is thought of a frame.

    Attributes:
        predictions: The likeliest classes with calibrated confidences, the likeliest first.
        decision: The label that is to be acted upon, after threshold and vote; None is unknown.
        is_sure: Whether this very frame's confidence reached the threshold, or a half where the file has none.
    """

    predictions: tuple[Prediction, ...]
    decision: str | None
    is_sure: bool


class Judge:
    """Judges frame after frame with a classifier's own temperature and threshold.

    Attributes:
        temperature: What the scores are tempered by, > 0; 1 where the file has none.
        threshold: The confidence, 0-1, below which an answer is unknown.
    """

    def __init__(
        self, classifier: Classifier, *, top_k: int = 1, threshold: float | None = None, smooth: int = 1
    ) -> None:
        """Prepare to judge.

        Args:
            classifier: Gives the scores.
            top_k: How many classes a judgement names.
            threshold: Overrides the file's; a file without one calls nothing unknown.
            smooth: Frames that vote on the decision, see `Vote`.

        Raises:
            UserError: If the file's temperature or threshold is no sane number.
        """
        self._classifier, self._top_k, self._vote = classifier, top_k, Vote(smooth)
        self.temperature = _number(classifier, "temperature", 1.0, 1e-3, 1e3)
        self.threshold = _number(classifier, "threshold", 0.0, 0.0, 1.0) if threshold is None else threshold

    def __call__(self, frame: Frame) -> Judgement:
        """Judge a frame, BGR (H, W, 3) uint8."""
        confidences = calibrate(self._classifier.scores_of(frame), self.temperature)
        predictions = tuple(self._classifier.rank(confidences, self._top_k))
        best = predictions[0]
        decided = self._vote(best.index if best.confidence >= self.threshold else None)
        label = None if decided is None else self._classifier.labels[decided]
        return Judgement(predictions, label, best.confidence >= (self.threshold or _SURE))


class Vote:
    """Lets the latest frames vote: the decision changes only where another one has more than half of their votes.

    That a tie, or a crowd of many opinions, changes nothing is the hysteresis. Until the window is full those vote
    that came.
    """

    def __init__(self, window: int) -> None:
        """Begin without votes; a window of 1 follows every frame."""
        self._votes: deque[int | None] = deque(maxlen=window)
        self._counts: Counter[int | None] = Counter()
        self._decision: int | None = None

    def __call__(self, vote: int | None) -> int | None:
        """Count a frame's vote, None for unknown, and return the decision."""
        if len(self._votes) == self._votes.maxlen:
            self._counts[self._votes[0]] -= 1
        self._votes.append(vote)
        self._counts[vote] += 1
        # Only the class that just got a vote can have come over a half.
        if 2 * self._counts[vote] > len(self._votes):
            self._decision = vote
        return self._decision


def calibrate(scores: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Return confidences (classes,) that sum to 1, given a model's scores (classes,).

    Scores below 0 or above 1 are taken for logits, as models of other makers may end in them. Scores that are not
    finite stay, for `Classifier.rank` to refuse.
    """
    low, high = float(scores.min()), float(scores.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return scores
    if low < 0 or high > 1.001:  # a softmax's own rounding is smaller
        scores = np.exp(scores - high)
    elif temperature == 1 and abs(float(scores.sum()) - 1) < 1e-6:
        return scores
    return temper(scores, temperature).astype(np.float32)


def _number(classifier: Classifier, key: str, default: float, low: float, high: float) -> float:
    """Return a number of the file's metadata."""
    value: Any = classifier.metadata.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UserError(f"The {key} in {classifier.path} is damaged: {str(value)[:40]!r}; convert the model again")
    return float(value)
