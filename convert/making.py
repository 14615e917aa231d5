"""Makes the models of a conversion's files, in the order of the table, each from what was made before it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from convert import qat, schemes
from convert.budget import Budget
from convert.schemes import Materials, Scheme
from convert.settings import Settings, Watch
from convert.source import Calibration, Convertible
from edge.errors import UserError


@dataclass(frozen=True)
class Made:
    """The models that were made.

    Attributes:
        materials: Holds them by file name in `made`.
        seconds: How long each row of the table took, in its order.
        trained: What came of training with rounding, by the suffix of the file that it was for.
    """

    materials: Materials
    seconds: dict[Scheme, float]
    trained: dict[str, qat.QatResult]


def make_files(
    source: Convertible, calibrated: Calibration, settings: Settings, budget: Budget | None, watch: Watch
) -> Made:
    """Make the models that are asked for.

    Where a budget isn't kept without training, a row of training is made too, if that can be.

    Args:
        source: The model and its photos.
        calibrated: What sets the ranges.
        settings: What is wanted.
        budget: What int8 files have to keep; None: nothing.
        watch: Who is told.

    Raises:
        UserError: If the model can't be trained further where that is asked for.
    """
    trained: dict[str, qat.QatResult] = {}

    def train_further(suffix: str) -> qat.QatResult:
        watch.step(f"Training further, rounding as int8 of {suffix} does")
        trained[suffix] = _train_further(source, calibrated, settings, watch, suffix)
        return trained[suffix]

    materials = Materials(source.model, settings.batch, calibrated.images, train_further)
    asked = schemes.wanted(settings.schemes)
    seconds = {}
    for scheme in schemes.SCHEMES:
        is_tried = budget is not None and scheme.name == schemes.QAT and budget.needs(scheme)
        if scheme not in asked and not is_tried:
            continue
        watch.step(f"Converting to {scheme.file_name}")
        start = time.perf_counter()
        try:
            climbs = budget is not None and budget.concerns(scheme)
            content = budget.make(scheme, materials) if budget and climbs else scheme.make(materials)
        except UserError:
            if scheme in asked:
                raise
            continue  # the climb has told why
        if scheme not in asked and budget and not budget.keeps(scheme):
            continue  # training made it no better than what there is
        materials.made[scheme.file_name] = content
        seconds[scheme] = time.perf_counter() - start
    return Made(materials, seconds, trained)


def _train_further(
    source: Convertible, calibrated: Calibration, settings: Settings, watch: Watch, suffix: str
) -> qat.QatResult:
    """Train the model on, rounding as a file of a suffix does, judged on validation."""
    photos, validation = source.training(), source.splits["validation"]
    if validation.truth is None:
        raise ValueError("Expected a validation split whose truth is known")
    return qat.fine_tune(
        source.model,
        calibrated.images,
        photos,
        (validation.images, validation.truth),
        qat.Settings(seed=settings.seed, in_pairs=suffix == ".onnx"),
        watch.console,
    )
