"""Asks models for the scores of images, here or on the emulated board: `python scores.py IMAGES OUTPUT MODEL...`.

Needs edge and benchmarks to be installed, nothing else of ours, since it runs from a copy of this file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import fingerprint
from edge import Classifier


def ask(models: Sequence[Path], images: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Return the scores of images, and by whom they were given.

    Args:
        models: Model files.
        images: RGB (N, height, width, 3) of the models' size.

    Returns:
        By a file's name its scores (N, classes) float32; "facts", JSON: "machine", and by a file's name "runtime",
        "scheme" and "step", the distance of neighbouring scores, 0 where they are real numbers.
    """
    facts: dict[str, Any] = {"machine": fingerprint()}
    scores: dict[str, Any] = {}
    for model in models:
        classifier = Classifier(model)
        scores[model.name] = np.array([classifier.scores(image).copy() for image in images])
        facts[model.name] = {
            "runtime": classifier.runtime,
            "scheme": classifier.metadata.get("scheme", ""),
            "step": classifier.score_step,
        }
    return {**scores, "facts": np.array(json.dumps(facts))}


if __name__ == "__main__":
    given = sys.argv[1:]
    np.savez(given[1], **ask([Path(name) for name in given[2:]], np.load(given[0], allow_pickle=False)))
