"""Replays a model file's golden samples on this very machine, stage by stage, and says where it answers otherwise.

The PNG is the image as the model takes it, so it judges the model alone; the photo judges decoding and resizing, within
the difference that the file allows for sound decoders. See `edge.golden`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge.classifier import Classifier
from edge.errors import UserError
from edge.extras import install_line
from edge.golden import GoldenSample, read_golden
from edge.preprocess import decode, to_image
from edge.runtimes import TFLITE_RUNTIME

Stage = Literal["decode", "resize", "scores", "label"]
STAGES: tuple[Stage, ...] = ("decode", "resize", "scores", "label")
_FLOAT_TOLERANCE = 1e-3
# A dynamic-range file quantizes activations anew in each layer, by other kernels on a processor with dot products than
# on one without: MobileNetV2 on a Pi 5 differs from x86 by 0.03.
_HYBRID, _HYBRID_TOLERANCE = "dynamic_range", 1 / 8
_ROUNDING = 1e-4  # of a step: expected scores were written with eight decimals


@dataclass(frozen=True)
class Check:
    """One stage of one sample.

    Attributes:
        sample: The sample's name.
        stage: "decode": the photo and the PNG decode. "resize": the photo's image is the PNG's. "scores": the model
            says of the PNG what it said. "label": so does its likeliest class.
        passed: Whether it is as it should be.
        found: What was found and what was allowed, to read.
    """

    sample: str
    stage: Stage
    passed: bool
    found: str


def replay(classifier: Classifier) -> list[Check]:
    """Replay all golden samples; a stage that can't be reached is left out.

    Raises:
        UserError: If the file carries none, or damaged ones.
    """
    samples = read_golden(classifier.embedded)
    if not samples:
        raise UserError(
            f"Expected golden samples in {classifier.path}, it carries none; convert it again without --no-golden"
        )
    return [check for sample in samples for check in _replay(classifier, sample)]


def require_same(classifier: Classifier) -> str:
    """Return a line that says how much was replayed.

    Raises:
        UserError: If anything differs; the line names the first stage that does, and by how much.
    """
    checks = replay(classifier)
    failed = [check for check in checks if not check.passed]
    count = len({check.sample for check in checks})
    if failed:
        first = failed[0]
        raise UserError(
            f"{classifier.path} answers otherwise here: sample {first.sample}, {first.stage}: {first.found}; "
            f"{explain(classifier, failed) or f'see python -m edge.verify {classifier.path}'}"
        )
    return f"{classifier.path}: {count} golden samples answered as when it was converted"


def explain(classifier: Classifier, failed: Sequence[Check]) -> str:
    """Return why checks failed and what to do, where that is known; empty where it isn't."""
    is_quantized = classifier.metadata.get("scheme") in ("int8", "int8_qat", "dynamic_range")
    if not (is_quantized and classifier.runtime.startswith(TFLITE_RUNTIME)):
        return ""
    if any(check.stage in ("decode", "resize") for check in failed):
        return ""
    return f"{TFLITE_RUNTIME} rounds int8 layers in its own way; for the same scores: {install_line('ai_edge_litert')}"


def _replay(classifier: Classifier, sample: GoldenSample) -> list[Check]:
    """Check one sample, stage by stage."""
    try:
        given, photo = decode(sample.png), decode(sample.photo)
    except UserError as error:
        return [Check(sample.name, "decode", False, str(error))]
    checks = [Check(sample.name, "decode", True, f"photo {photo.shape[1]}x{photo.shape[0]}")]
    if given.shape[:2] != classifier.image_size:
        found = f"the PNG is {given.shape[1]}x{given.shape[0]}, the model takes {classifier.image_size[::-1]}"
        return [*checks, Check(sample.name, "resize", False, found)]

    image = to_image(given, classifier.image_size)
    difference = int(np.abs(to_image(photo, classifier.image_size).astype(int) - image.astype(int)).max())
    allowed = sample.largest_pixel_difference
    found = f"largest pixel difference {difference}, allowed {allowed}"
    checks.append(Check(sample.name, "resize", difference <= allowed, found))

    scores, expected = classifier.scores(image), np.array(sample.scores, np.float32)
    if scores.shape != expected.shape:
        found = f"{len(scores)} scores, expected {len(expected)}"
        return [*checks, Check(sample.name, "scores", False, found)]
    step = classifier.score_step
    real = _HYBRID_TOLERANCE if classifier.metadata.get("scheme") == _HYBRID else _FLOAT_TOLERANCE
    tolerance = step * (1 + _ROUNDING) if step else real
    off = float(np.abs(scores - expected).max())
    found = f"largest difference {off / step:.2f} steps, allowed 1" if step else f"largest difference {off:.2g}"
    # Written so that a score that is no number fails.
    checks.append(Check(sample.name, "scores", off <= tolerance, found if step else f"{found}, allowed {real:g}"))

    best, wanted = int(scores.argmax()), int(expected.argmax())
    # Two classes that were as good as equal may change places: that is within what scores may differ.
    passed = best == wanted or bool(expected[wanted] - expected[best] <= 2 * tolerance)
    found = f"{classifier.labels[best]}" + ("" if best == wanted else f", expected {classifier.labels[wanted]}")
    return [*checks, Check(sample.name, "label", passed, found)]
