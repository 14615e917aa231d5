"""How sure a model is: its scores tempered, so that of the answers given at 80 % about 80 in 100 are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def temper(scores: npt.NDArray[Any], temperature: float) -> npt.NDArray[np.float64]:
    """Turn scores into calibrated confidences: softmax(logits / temperature), from the scores alone.

    The order of the classes stays, so no answer changes; a temperature above 1 makes a model less sure of itself.

    Args:
        scores: (..., classes), none negative; rows need not sum to 1.
        temperature: > 0; 1 leaves rows that sum to 1 as they are.

    Returns:
        Confidences, shape of `scores`, rows sum to 1; all equal where all scores of a row are 0, as the coarse
        scores of an int8 model with many classes can be.
    """
    peak = scores.max(axis=-1, keepdims=True).astype(np.float64)
    relative = np.divide(scores, peak, out=np.ones(scores.shape), where=peak > 0)  # 1 at the top: nothing overflows
    powered = relative ** (1 / temperature)
    confidences: npt.NDArray[np.float64] = powered / powered.sum(axis=-1, keepdims=True)
    return confidences
