"""Holds the scores of arm64 against those of x86, photo by photo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.consumers.judging import OWN_INT8_TOLERANCE, QUANTIZED_STEPS

FLOAT_TOLERANCE = 1e-3  # as golden samples are judged
# A dynamic-range file quantizes activations anew in each layer, by kernels that differ with the processor.
_HYBRID, HYBRID_TOLERANCE = "dynamic_range", OWN_INT8_TOLERANCE
_ROUNDING = 1e-4  # of a step: floats of one step are not one step to the bit

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """What `tests.pi.scores` found.

    Attributes:
        scores: By a file's name (N, classes).
        facts: By a file's name what is known of it and its runtime; "machine".
    """

    scores: Mapping[str, Scores]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """How a file's scores on a board stand to those of x86.

    Attributes:
        file: The model file's name.
        board: The board.
        runtime: The runtime and version there.
        photos: How many were asked about.
        equal_share: On what share of them all scores are the same to the bit, 0-1.
        largest_difference: Of any score, in `unit`.
        allowed: How much it may be.
        unit: "steps" of a quantized file, "score" where scores are real numbers of 0-1.
        same_top1: On how many photos both have the same best class; of equal scores the lower index counts.
        passed: Whether the largest difference is allowed.
    """

    file: str
    board: str
    runtime: str
    photos: int
    equal_share: float
    largest_difference: float
    allowed: float
    unit: str
    same_top1: int
    passed: bool


def read_asked(path: Path) -> Asked:
    """Read what `tests.pi.scores` wrote."""
    with np.load(path, allow_pickle=False) as file:
        scores = {name: file[name] for name in file.files if name != "facts"}
        return Asked(scores, json.loads(str(file["facts"])))


def compare(board: str, here: Asked, there: Asked) -> list[Comparison]:
    """Compare every file that the board was asked about.

    Args:
        board: Its name.
        here: What x86 answered; about at least these files.
        there: What the board answered.
    """
    found = []
    for file, scores in there.scores.items():
        facts = there.facts[file]
        found.append(
            compare_file(file, board, facts["runtime"], here.scores[file], scores, facts["step"], facts["scheme"])
        )
    return found


def compare_file(
    file: str, board: str, runtime: str, here: Scores, there: Scores, step: float, scheme: str
) -> Comparison:
    """Compare one file's scores.

    Args:
        file: Its name.
        board: Where `there` is.
        runtime: Which runtime gave them.
        here: Scores (N, classes).
        there: Scores (N, classes) of the same images.
        step: Distance of neighbouring scores of a quantized file; 0 where scores are real numbers.
        scheme: The file's scheme.
    """
    off = np.abs(here.astype(np.float64) - there)
    largest = float(off.max()) / (step or 1.0)
    allowed = QUANTIZED_STEPS if step else HYBRID_TOLERANCE if scheme == _HYBRID else FLOAT_TOLERANCE
    return Comparison(
        file=file,
        board=board,
        runtime=runtime,
        photos=len(here),
        equal_share=float((here == there).all(axis=1).mean()),
        largest_difference=largest,
        allowed=allowed,
        unit="steps" if step else "score",
        same_top1=int((here.argmax(axis=1) == there.argmax(axis=1)).sum()),
        passed=largest <= allowed * (1 + _ROUNDING),  # written so that a score that is no number fails
    )
