"""Which model, how large, from which weights: the flags, and what stands where one is left out."""

from __future__ import annotations

import argparse
from typing import Any

from edge.errors import UserError
from train.models import MODELS, SMALLEST_SIDE, check_shape, find_model


def add_model_flags(flags: argparse._ArgumentGroup) -> None:
    """Add --model, --image-size, --alpha, --weights and --head-only."""
    flags.add_argument("--model", default="cnn", metavar="NAME", help=f"one of {', '.join(MODELS)}")
    flags.add_argument(
        "--image-size",
        type=image_size,
        metavar="N|HxW",
        help=f"what photos are squashed to (default: {_sides()})",
    )
    flags.add_argument(
        "--alpha", type=float, default=1.0, metavar="X", help="width of mobilenet_v2; 0.35 has a third of the channels"
    )
    flags.add_argument(
        "--weights",
        metavar="imagenet|none|FILE",
        help="what the model starts from (default: imagenet where there are such weights)",
    )
    flags.add_argument(
        "--head-only",
        action="store_true",
        help="train the layer of scores alone, on features that are worked out once; seconds instead of minutes",
    )


def fill_in(given: dict[str, Any]) -> None:
    """Give the settings that were left out the values that suit the model.

    Args:
        given: Settings by their names; `image_size`, `weights` and `learning_rate` may be None, and are not afterwards.

    Raises:
        UserError: If there is no such model, or not in that size or width, or the settings contradict each other.
    """
    spec = find_model(given["model"])
    if given["image_size"] is None:
        given["image_size"] = (spec.image_size, spec.image_size)
    check_shape(given["model"], given["image_size"], given["alpha"])
    if given["weights"] is None:
        given["weights"] = "imagenet" if spec.pretrained else "none"
    starts_trained = given["weights"] != "none"
    if given["head_only"] and not starts_trained:
        raise UserError(f"Expected trained weights for --head-only, got none for {given['model']}; leave it out")
    if given["head_only"] and given["teacher"] is not None:
        raise UserError("Expected one of --head-only and --teacher, got both; a teacher teaches on augmented photos")
    if given["learning_rate"] is None:
        given["learning_rate"] = spec.fine_tuning_rate if starts_trained else spec.learning_rate


def image_size(text: str) -> tuple[int, int]:
    """Parse N or HxW, as an argparse type; returns (height, width)."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and SMALLEST_SIDE <= int(part) <= 4096 for part in parts):
        raise argparse.ArgumentTypeError(
            f"expected N or HxW of {SMALLEST_SIDE} to 4096 pixels, such as 128 or 96x128, got {text!r}"
        )
    return int(parts[0]), int(parts[-1])


def _sides() -> str:
    """Return the models' own sizes in words."""
    by_side: dict[int, list[str]] = {}
    for name, spec in MODELS.items():
        by_side.setdefault(spec.image_size, []).append(name)
    return "; ".join(f"{side} for {', '.join(names)}" for side, names in by_side.items())
