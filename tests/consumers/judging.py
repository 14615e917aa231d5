"""Compares a consumer's answers with those of the reference: the same top-1 on every photo, scores and labels too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# Of a score of 0-1. The float kernels add up in other orders; measured differences are of 1e-7 to 1e-5.
FLOAT_TOLERANCE = 1e-4
# Of the integers that a quantized file gives.
QUANTIZED_STEPS = 1
# For who rounds otherwise in each quantized layer: how far a score may lie off, how far apart two classes may be for
# one to pass the other, and on what share of the photos that may happen. Measured on EfficientNet-Lite0, 164 photos:
# 17/256 off, one photo turned at 8/256.
OWN_INT8_TOLERANCE, OWN_INT8_SHARE = 1 / 8, 0.02


@dataclass(frozen=True)
class Answer:
    """What a consumer gave back.

    Attributes:
        version: Of the consumer.
        scores: Real scores (photos, classes), 0-1.
        quantization: (scale, zero_point) of the integers that they came from; (0, 0) where they came as floats.
        is_calibrated: Whether the consumer passed them through the file's score calibration, as MediaPipe does.
        labels: The classes' names as the consumer saw them, in the order of the scores; None where it has no way to.
    """

    version: str
    scores: npt.NDArray[np.float64]
    quantization: tuple[float, int]
    is_calibrated: bool
    labels: list[str] | None


@dataclass(frozen=True)
class Verdict:
    """How an answer stands to the reference's.

    Attributes:
        photos: How many were asked about.
        same_top1: On how many of them both say the same; of equal scores the lower index counts.
        largest_difference: Of any score, 0-1.
        faults: What is wrong, in words; empty where all is well.
        turned: On how many photos another class passed one that was close, by kernels that round otherwise; no fault.
    """

    photos: int
    same_top1: int
    largest_difference: float
    faults: tuple[str, ...]
    turned: int = 0


def read_answer(told: dict[str, Any], photos: int, classes: int, quantization: tuple[float, int]) -> Answer:
    """Read what a consumer's program wrote.

    Args:
        told: "version"; "scores", a list a photo; "integers", whether they are as a quantized file gives them, then
            with "scale" and "zero_point" where the consumer knows; "calibrated" where they are; "labels".
        photos: How many it was asked about.
        classes: How many the model tells apart.
        quantization: (scale, zero_point) for a consumer that gives integers but can't say of which, as LiteRT.js.

    Raises:
        ValueError: If the scores are not finite, or too few or many.
    """
    scores = np.asarray(told["scores"], np.float64)
    if scores.shape != (photos, classes):
        raise ValueError(f"expected scores of {photos} photos and {classes} classes, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("expected finite scores, got others")
    is_calibrated = bool(told.get("calibrated"))
    if not told["integers"]:
        return Answer(told["version"], scores, (0.0, 0), is_calibrated, told["labels"])
    scale, zero_point = told.get("scale", quantization[0]), told.get("zero_point", quantization[1])
    return Answer(told["version"], (scores - zero_point) * scale, (scale, zero_point), is_calibrated, told["labels"])


def calibrate(scores: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Return what TFLite Metadata's score calibration makes of each score alone: logistic(logit(score) / temperature).

    Args:
        scores: 0-1, any shape.
        temperature: > 0.
    """
    with np.errstate(divide="ignore"):  # 0 stays 0
        return 1 / (1 + (1 / scores - 1) ** (1 / temperature))


def judge(
    answer: Answer,
    reference: Answer,
    labels: list[str],
    *,
    sees_labels: bool,
    has_own_int8: bool = False,
    is_hybrid: bool = False,
    temperature: float = 1.0,
) -> Verdict:
    """Compare an answer with the reference's.

    Args:
        answer: The consumer's.
        reference: Of the same file and photos.
        labels: The classes' true names.
        sees_labels: Whether the consumer has a way to the labels.
        has_own_int8: Whether it rounds in its own way inside a quantized file.
        is_hybrid: Whether the file quantizes activations anew in each call, where each runtime rounds in its own way.
        temperature: What the file says, for a consumer that calibrates by it.
    """
    given, expected = answer.scores.argmax(axis=1), reference.scores.argmax(axis=1)  # of a tie the lower index
    others = np.flatnonzero(given != expected)
    told = calibrate(reference.scores, temperature) if answer.is_calibrated else reference.scores
    difference = float(np.abs(answer.scores - told).max())
    step = reference.quantization[0]
    allowed = QUANTIZED_STEPS * step or FLOAT_TOLERANCE
    turned = 0
    if (step and has_own_int8) or is_hybrid:
        allowed = OWN_INT8_TOLERANCE
        apart = reference.scores[others, expected[others]] - reference.scores[others, given[others]]
        if (apart <= OWN_INT8_TOLERANCE).all() and others.size <= max(1, OWN_INT8_SHARE * len(given)):
            turned = int(others.size)
    faults = []
    if others.size > turned:
        first = others[0]
        faults.append(
            f"answers otherwise on {others.size} of {len(given)} photos; photo {first}: "
            f"{labels[given[first]]}, not {labels[expected[first]]}"
        )
    if difference > allowed * (1 + 1e-6):  # floats of one step are not one step to the bit
        faults.append(f"scores differ by up to {difference:.2g}, at most {allowed:.2g} was expected")
    if sees_labels and answer.labels != labels:
        faults.append(f"sees the labels {answer.labels}, not {labels}" if answer.labels else "sees no labels")
    return Verdict(len(given), len(given) - int(others.size), difference, tuple(faults), turned)
