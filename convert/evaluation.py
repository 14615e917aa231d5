"""Judges converted files as the device will run them: each photo of a split through its runtime, beside Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras as keras

from convert.answering import Images, Scores, open_file
from edge.timing import time_alternating

Truth = npt.NDArray[np.int64]

_PORTION = 32  # images that Keras gets at a time: as float32 a whole split is four times its size


@dataclass(frozen=True)
class Split:
    """Photos that a model is judged on.

    Attributes:
        images: (N, height, width, 3) uint8 RGB, N > 0.
        truth: Class indices (N,); None where nobody told what the photos show.
    """

    images: Images
    truth: Truth | None


@dataclass(frozen=True)
class Verdict:
    """What a converted file does on a split.

    Attributes:
        n: Photos.
        agreement: Share of photos with the same top-1 as Keras, 0-1; equal scores go to the lower index.
        largest_difference: Largest difference of a score from Keras's.
        accuracy: Share of right answers, 0-1; None, as what follows, where the truth isn't known.
        drop_points: Accuracy lost against Keras, in points of 100; negative when it gained.
        drop_interval: 95 % interval of drop_points, paired photo by photo.
    """

    n: int
    agreement: float
    largest_difference: float
    accuracy: float | None = None
    drop_points: float | None = None
    drop_interval: tuple[float, float] | None = None

    def describe(self) -> dict[str, Any]:
        """Return the verdict as conversion.json has it."""
        described: dict[str, Any] = {"n": self.n}
        if self.drop_interval is not None:
            described["accuracy"] = self.accuracy
        described["agreement"] = self.agreement
        if self.drop_interval is not None:
            described["drop_points"] = self.drop_points
            described["drop_interval"] = list(self.drop_interval)
        return {**described, "largest_difference": self.largest_difference}


def run_model(model: keras.Model, images: Images, advance: Callable[[], object] = lambda: None) -> Scores:
    """Return Keras's scores (N, classes) for images (N, height, width, 3) of raw pixels."""
    portion = model.input_shape[0] or _PORTION
    return _in_portions(lambda some: model.predict_on_batch(some.astype(np.float32)), images, portion, advance)


def run_file(
    path: Path,
    images: Images,
    num_threads: int = 1,
    advance: Callable[[], object] = lambda: None,
    batch: int | None = 1,
) -> Scores:
    """Return the scores (N, classes) of a converted file for images (N, height, width, 3), by the device's runtime.

    Args:
        path: .tflite or .onnx.
        images: uint8 RGB of raw pixels, N > 0.
        num_threads: Threads of the runtime.
        advance: Called after each call of the file.
        batch: Images in a call, as it was converted for; None where that is free.
    """
    answerer = open_file(path, batch, num_threads)
    return _in_portions(answerer.scores, images, answerer.batch, advance)


def judge(scores: Scores, reference: Scores, truth: Truth | None) -> Verdict:
    """Compare a file's scores with Keras's and, where it is known, with the truth, photo by photo.

    Args:
        scores: The converted file's, (N, classes).
        reference: Keras's, (N, classes).
        truth: Class indices (N,), or None.
    """
    answers, expected = scores.argmax(axis=1), reference.argmax(axis=1)  # argmax takes the lower index of a tie
    agreement, difference = float((answers == expected).mean()), float(np.abs(scores - reference).max())
    if truth is None:
        return Verdict(len(scores), agreement, difference)
    lost = (expected == truth).astype(float) - (answers == truth).astype(float)
    mean = float(lost.mean())
    half = 1.96 * float(lost.std(ddof=1)) / len(lost) ** 0.5 if len(lost) > 1 else 1.0  # one photo says nothing
    interval = 100 * (mean - half), 100 * (mean + half)
    return Verdict(len(scores), agreement, difference, float((answers == truth).mean()), 100 * mean, interval)


def latency_ratios(
    paths: Sequence[Path], images: Images, num_threads: int = 1, batch: int | None = 1
) -> dict[str, float]:
    """Time the files in turn; return each one's median over that of the float32 file of its format."""
    opened = [open_file(path, batch, num_threads) for path in paths]
    actions = [partial(each.scores, images[np.arange(each.batch) % len(images)]) for each in opened]
    times = time_alternating(actions, warmup_s=0.2, min_s=0.5)
    medians = {path.name: float(np.median(each)) for path, each in zip(paths, times, strict=True)}
    return {path.name: medians[path.name] / medians[f"model_float32{path.suffix}"] for path in paths}


def _in_portions(ask: Callable[[Images], Scores], images: Images, size: int, advance: Callable[[], object]) -> Scores:
    """Return the scores of all images, asked for `size` at a time; the last portion is filled up from the front."""
    scores: Scores | None = None
    for start in range(0, len(images), size):
        chosen = np.arange(start, start + size)
        some = ask(images[chosen % len(images)])
        if scores is None:
            scores = np.empty((len(images), some.shape[1]), np.float32)
        kept = chosen[chosen < len(images)]
        scores[kept] = some[: len(kept)]
        advance()
    if scores is None:
        raise ValueError("Expected at least one image")
    return scores
