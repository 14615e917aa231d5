"""What quantization changed, file by file: which photos, which classes, how much confidence: quantization.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.evaluation import Verdict, judge
from convert.sensitivity import LayerError
from train.evaluate import wilson_interval

Scores = npt.NDArray[np.float32]

# Edges of the confidence shifts' histogram, in points: fine about 0, where a good file has nearly all photos.
SHIFT_EDGES = (-100.0, -20.0, -10.0, -5.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 100.0)


@dataclass(frozen=True)
class Photos:
    """The photos that every file was asked about.

    Attributes:
        split: Which they are, such as "test".
        names: Where each photo lies, (N,).
        images: As the device sees them, (N, height, width, 3) uint8 RGB.
        truth: Class indices (N,); None where nobody told what the photos show.
        labels: Names of the classes, in the order of the scores.
        reference: Keras's scores (N, classes).
    """

    split: str
    names: Sequence[str]
    images: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.int64] | None
    labels: Sequence[str]
    reference: Scores


@dataclass(frozen=True)
class Measured:
    """What was measured of one converted file.

    Attributes:
        name: Such as "model_int8.tflite".
        scheme: Such as "int8".
        scores: (N, classes), of the same photos in the same order.
        size_bytes: Of the file.
        size_ratio: Size over that of the float32 file of the same format.
        latency_ratio: Latency over that of the float32 file of the same format.
        layers: Each layer's error; empty where it wasn't measured.
        slow: Which layers make it slower than float32; empty where it isn't.
        way: How it was made, where several ways were tried; else empty.
    """

    name: str
    scheme: str
    scores: Scores
    size_bytes: int
    size_ratio: float
    latency_ratio: float
    layers: Sequence[LayerError] = field(default=())
    slow: str = ""
    way: str = ""


def describe_differences(photos: Photos, files: Sequence[Measured]) -> dict[str, Any]:
    """Return quantization.json: what the float model does, and each file beside it; without truth "keras" is None.

    Args:
        photos: What was asked, N > 0.
        files: In the order of the page.
    """
    n = len(photos.reference)
    keras = None
    if photos.truth is not None:
        correct = int((photos.reference.argmax(axis=1) == photos.truth).sum())
        keras = {"accuracy": correct / n, "accuracy_interval": list(wilson_interval(correct, n))}
    return {
        "split": photos.split,
        "n": n,
        "keras": keras,
        "files": {file.name: _describe_file(photos, file) for file in files},
    }


def _describe_file(photos: Photos, file: Measured) -> dict[str, Any]:
    """Return one file's part."""
    verdict = judge(file.scores, photos.reference, photos.truth)
    n = verdict.n
    flips = find_flips(photos, file.scores)
    return {
        "scheme": file.scheme,
        "size_bytes": file.size_bytes,
        "size_ratio": file.size_ratio,
        "latency_ratio": file.latency_ratio,
        "slow": file.slow,
        "way": file.way,
        **_describe_accuracy(verdict),
        "agreement": verdict.agreement,
        "agreement_interval": list(wilson_interval(n - len(flips), n)),
        "flips": flips,
        "per_class": _per_class(photos, file.scores),
        "confidence": _confidence_shift(photos.reference, file.scores),
        "layers": [
            {
                "layer": each.title,
                "operation": each.operation,
                "sqnr_db": each.sqnr_db if math.isfinite(each.sqnr_db) else None,  # JSON knows no infinity
            }
            for each in file.layers
        ],
    }


def _describe_accuracy(verdict: Verdict) -> dict[str, Any]:
    """Return accuracy and what was lost of it, with intervals; nothing where no truth is known."""
    if verdict.accuracy is None or verdict.drop_interval is None:
        return {}
    return {
        "accuracy": verdict.accuracy,
        "accuracy_interval": list(wilson_interval(round(verdict.n * verdict.accuracy), verdict.n)),
        "drop_points": verdict.drop_points,
        "drop_interval": list(verdict.drop_interval),
    }


def find_flips(photos: Photos, scores: Scores) -> list[dict[str, Any]]:
    """Return the photos whose answer changed: those that were right first, then those that became right.

    Among each, those first whose old answer was surest. A flip is "lost" (right before, wrong now), "gained" or "other"
    (wrong before and now, or nobody knows).

    Args:
        photos: What was asked.
        scores: A file's (N, classes); of equal ones the lower index is the answer.
    """
    before, after = photos.reference.argmax(axis=1), scores.argmax(axis=1)
    flips = []
    for index in np.flatnonzero(before != after):
        old, new = int(before[index]), int(after[index])
        truth = None if photos.truth is None else int(photos.truth[index])
        flips.append(
            {
                "index": int(index),
                "path": photos.names[index],
                "truth": None if truth is None else photos.labels[truth],
                "before": photos.labels[old],
                "before_confidence": float(photos.reference[index, old]),
                "after": photos.labels[new],
                "after_confidence": float(scores[index, new]),
                "effect": "lost" if old == truth else "gained" if new == truth else "other",
            }
        )
    order = {"lost": 0, "gained": 1, "other": 2}
    return sorted(flips, key=lambda each: (order[each["effect"]], -each["before_confidence"]))


def _per_class(photos: Photos, scores: Scores) -> dict[str, dict[str, Any]]:
    """Return each class's precision and recall, 0-1, before and after; None where there is nothing to divide by.

    Nothing where no truth is known.
    """
    if photos.truth is None:
        return {}
    before, after = photos.reference.argmax(axis=1), scores.argmax(axis=1)
    described = {}
    for index, label in enumerate(photos.labels):
        true = photos.truth == index
        row: dict[str, Any] = {"n": int(true.sum())}
        for name, answers in (("before", before), ("after", after)):
            given = answers == index
            row[f"precision_{name}"] = float(true[given].mean()) if given.any() else None
            row[f"recall_{name}"] = float(given[true].mean()) if true.any() else None
        described[label] = row
    return described


def _confidence_shift(reference: Scores, scores: Scores) -> Mapping[str, Any]:
    """Return how the score of the float model's answer moved, in points: mean, percentiles, and a histogram."""
    rows, answers = np.arange(len(reference)), reference.argmax(axis=1)
    shift = 100 * (scores[rows, answers].astype(np.float64) - reference[rows, answers])
    low, middle, high = np.percentile(shift, (5, 50, 95))
    counts, _ = np.histogram(np.clip(shift, -100, 100), SHIFT_EDGES)
    return {
        "mean_points": float(shift.mean()),
        "mean_absolute_points": float(np.abs(shift).mean()),
        "largest_points": float(shift[np.abs(shift).argmax()]),
        "p5_points": float(low),
        "p50_points": float(middle),
        "p95_points": float(high),
        "histogram": {"edges_points": list(SHIFT_EDGES), "photos": counts.tolist()},
    }
