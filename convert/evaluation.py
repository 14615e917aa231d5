"""Judges converted files as the device will run them: each photo of the test split through `edge`, beside Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.classifier import Classifier
from edge.timing import time_alternating

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Verdict:
    """What a converted file does on the test split.

    Attributes:
        n: Photos.
        accuracy: Share of right answers, 0-1.
        agreement: Share of photos with the same top-1 as Keras, 0-1; equal scores go to the lower index.
        drop_points: Accuracy lost against Keras, in points of 100; negative when it gained.
        drop_interval: 95 % interval of drop_points, paired photo by photo.
        largest_difference: Largest difference of a score from Keras's.
    """

    n: int
    accuracy: float
    agreement: float
    drop_points: float
    drop_interval: tuple[float, float]
    largest_difference: float


def run_file(
    path: Path, images: npt.NDArray[np.uint8], num_threads: int, progress: Callable[[], object] = lambda: None
) -> Scores:
    """Return the scores (N, classes) of a converted file for images (N, height, width, 3), by the device's runtime."""
    classifier = Classifier(path, num_threads=num_threads)
    scores = np.empty((len(images), len(classifier.labels)), np.float32)
    for row, image in zip(scores, images, strict=True):
        row[:] = classifier.scores(image)
        progress()
    return scores


def judge(scores: Scores, reference: Scores, truth: npt.NDArray[np.int64]) -> Verdict:
    """Compare a file's scores with Keras's and with the truth, photo by photo.

    Args:
        scores: The converted file's, (N, classes).
        reference: Keras's, (N, classes).
        truth: Class indices (N,).
    """
    answers, expected = scores.argmax(axis=1), reference.argmax(axis=1)  # argmax takes the lower index of a tie
    lost = (expected == truth).astype(float) - (answers == truth).astype(float)
    mean = float(lost.mean())
    half = 1.96 * float(lost.std(ddof=1)) / len(lost) ** 0.5 if len(lost) > 1 else 1.0  # one photo says nothing
    return Verdict(
        n=len(truth),
        accuracy=float((answers == truth).mean()),
        agreement=float((answers == expected).mean()),
        drop_points=100 * mean,
        drop_interval=(100 * (mean - half), 100 * (mean + half)),
        largest_difference=float(np.abs(scores - reference).max()),
    )


def latency_ratios(paths: Sequence[Path], image: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Time the files in turn on one thread; return each one's median over that of the float32 file of its format."""
    classifiers = [Classifier(path) for path in paths]
    times = time_alternating([partial(each.scores, image) for each in classifiers], warmup_s=0.2, min_s=0.5)
    medians = {path.name: float(np.median(each)) for path, each in zip(paths, times, strict=True)}
    return {path.name: medians[path.name] / medians[f"model_float32{path.suffix}"] for path in paths}


def describe_file(path: Path, scheme: str, verdict: Verdict, latency_ratio: float) -> dict[str, Any]:
    """Return a file's entry of conversion.json."""
    data = path.read_bytes()
    return {
        "scheme": scheme,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "test": {
            "n": verdict.n,
            "accuracy": verdict.accuracy,
            "agreement": verdict.agreement,
            "drop_points": verdict.drop_points,
            "drop_interval": list(verdict.drop_interval),
            "largest_difference": verdict.largest_difference,
        },
        "latency_ratio": latency_ratio,
    }
