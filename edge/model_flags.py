"""The flags of commands that load one model, and what loads it as they say."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge.command import add_num_threads_flag

if TYPE_CHECKING:
    from edge.classifier import Classifier


def add_model_flags(flags: argparse.ArgumentParser) -> None:
    """Add --num-threads and --runtime, and --labels and --input-range for models of other makers."""
    flags.add_argument(
        "--labels", type=Path, metavar="FILE", help="text of a label a line, instead of what the model carries"
    )
    flags.add_argument(
        "--input-range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what pixels of 0 and 255 become for a float model of another maker, such as -1 1; none: 0 255",
    )
    flags.add_argument(
        "--runtime",
        choices=("ai-edge-litert", "tflite-runtime", "onnxruntime"),
        help="what runs the model; none: the first of these that takes the file and is installed",
    )
    add_num_threads_flag(flags)


def load_classifier(given: argparse.Namespace, report: Callable[[str], None]) -> Classifier:
    """Load `--model` as the flags say, and verify it first where `--verify` asks for that.

    Args:
        given: The parsed flags; `model` and those of `add_model_flags`.
        report: Is told in a line what had to be assumed about a model of another maker.

    Raises:
        UserError: If it doesn't load, or doesn't answer as it did when it was converted.
    """
    from edge.classifier import Classifier

    input_range = None if given.input_range is None else (given.input_range[0], given.input_range[1])
    classifier = Classifier(
        given.model, given.num_threads, runtime=given.runtime, labels=given.labels, input_range=input_range
    )
    if classifier.assumption:
        report(classifier.assumption)
    if not classifier.has_labels:
        report(f"{given.model} carries no labels; answering with the numbers of its classes")
    if getattr(given, "verify", False):
        from edge.replay import require_same

        report(require_same(classifier))
    return classifier
