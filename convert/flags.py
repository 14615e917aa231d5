"""The flags of convert.quantize; nothing here needs TensorFlow, so that --help costs no seconds."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from edge.command import add_num_threads_flag, add_run_flag, parser, positive_int, seed

# The flags of the schemes, which `convert.schemes` makes; that needs TensorFlow, --help must not.
SCHEMES = {
    "float32": "the float32 files alone; they are written in any case, as what the others are judged by",
    "float16": "weights in float16: half the size",
    "dynamic-range": "weights in int8, activations quantized in each call: no calibration",
    "int8": "full integer, uint8 in and out; what a bare call does too",
    "qat": "int8, and model_int8_qat beside it: trained further with rounding, which takes minutes",
}


def quantize_flags() -> argparse.ArgumentParser:
    """Return the command's flags."""
    flags = parser("python -m convert.quantize", "Convert a trained model for the device and check every file.")
    add_run_flag(flags)
    for name, what in SCHEMES.items():
        flags.add_argument(f"--{name}", action="store_true", help=what)
    flags.add_argument("--all", action="store_true", help="all of these")
    flags.add_argument(
        "--batch", type=_batch, default=1, metavar="N|dynamic", help="images in a call; devices want a fixed one"
    )
    flags.add_argument(
        "--calibration-size",
        type=positive_int,
        default=300,
        metavar="N",
        help="photos of the training split that set the int8 ranges",
    )
    flags.add_argument("--seed", type=seed, default=0, metavar="N", help="fixes the choice of the calibration photos")
    flags.add_argument(
        "--max-drop",
        type=_points,
        metavar="POINTS",
        help="points of accuracy that int8 may lose on validation: tries what costs more until it holds, else exit 1",
    )
    flags.add_argument(
        "--require-speedup",
        type=_positive_number,
        metavar="X",
        help="exit 1 when an int8 file isn't X times as fast as float32; all files are written first",
    )
    flags.add_argument(
        "--no-golden", action="store_true", help="no photos of the training split in the files: for private ones"
    )
    flags.add_argument(
        "--frigate",
        type=Path,
        metavar="DIR",
        help="also lay the int8 file out for Frigate: model.tflite and labelmap.txt; images of 224x224",
    )
    add_num_threads_flag(flags)
    foreign = flags.add_argument_group("a foreign model, instead of --run")
    foreign.add_argument("--model", type=Path, metavar="FILE", help="a .keras or .h5 file, or a SavedModel's folder")
    foreign.add_argument("--labels", type=Path, metavar="FILE", help="names of its classes, one a line")
    foreign.add_argument("--calibration", type=Path, metavar="FOLDER", help="photos of what it is for, in any folders")
    foreign.add_argument("--output", type=Path, metavar="DIR", help="folder for the files; runs/NAME without it")
    foreign.add_argument(
        "--input-range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what it expects of a black and a white pixel, such as 0 1 or -1 1; 0 255 without it",
    )
    return flags


def _batch(text: str) -> int | None:
    """Parse a number of images, or "dynamic", as an argparse type."""
    return None if text == "dynamic" else positive_int(text)


def _points(text: str) -> float:
    """Parse points of 100, at least 0, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"expected points, 0 to 100, got {text!r}")
    return value


def _positive_number(text: str) -> float:
    """Parse a number above 0, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def chosen_schemes(given: argparse.Namespace) -> tuple[str, ...]:
    """Return the schemes that are asked for, as `convert.schemes` names them."""
    names = [flag.replace("-", "_") for flag in SCHEMES]
    chosen = [name for name in names if given.all or getattr(given, name)]
    if "qat" in chosen:
        chosen.remove("qat")
        # beside int8 in any case, which it has to be better than
        chosen += [name for name in ("int8", "int8_qat") if name not in chosen]
        if given.model and not given.qat:  # of --all, what can be had
            chosen.remove("int8_qat")
    return tuple(chosen) or ("int8",)


def check_budget(flags: argparse.ArgumentParser, given: argparse.Namespace, schemes: Sequence[str]) -> None:
    """Refuse flags that --max-drop can't be with."""
    if given.model:
        flags.error("--max-drop needs photos whose classes are known: --run alone has them")
    if "int8" not in schemes:
        flags.error("--max-drop is about int8 files: add --int8")
    if given.batch != 1:
        flags.error("--max-drop measures layers one image at a time: leave --batch at 1")
