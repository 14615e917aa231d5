"""Convert a model to .tflite and .onnx, quantize it and check every file on the device's own runtime.

    python -m convert.quantize --int8
    python -m convert.quantize --model mobilenet.keras --labels labels.txt --calibration photos --int8

The first converts a run of train.run and writes model_<scheme>.tflite and .onnx, eval.npz and conversion.json into its
folder. The second converts a model from elsewhere.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.command import add_num_threads_flag, add_run_flag, command, parser, positive_int, seed
from edge.errors import UserError

if TYPE_CHECKING:
    from convert.pipeline import Advance, Conversion, Step
    from convert.source import Convertible

# The flags of the schemes, which `convert.schemes` makes; that needs TensorFlow, --help must not.
SCHEMES = {
    "float32": "the float32 files alone; they are written in any case, as what the others are judged by",
    "float16": "weights in float16: half the size",
    "dynamic-range": "weights in int8, activations quantized in each call: no calibration",
    "int8": "full integer, uint8 in and out; what a bare call does too",
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    flags = _flags()
    given = flags.parse_args(argv)
    schemes = _schemes(given)
    if given.require_speedup and not any(scheme.startswith("int8") for scheme in schemes):
        flags.error("--require-speedup is about int8 files: add --int8")
    if given.frigate and "int8" not in schemes:
        flags.error("--frigate is about the int8 file: add --int8")
    load = _foreign(flags, given) if given.model else _run(flags, given)

    def run(step: Step, advance: Advance) -> Conversion:
        from convert import pipeline

        settings = pipeline.Settings(
            schemes, given.batch, given.calibration_size, given.seed, given.num_threads, golden=not given.no_golden
        )
        step("Loading the model")
        return pipeline.convert(load.source(), settings, step, advance)

    conversion = _with_progress(load.folder, run)
    from convert.table import print_conversion

    print_conversion(conversion, given.num_threads)
    if given.frigate:
        from convert.frigate import write_frigate

        write_frigate(load.folder / "model_int8.tflite", conversion.source.labels, given.frigate)
        print(f"Frigate's model.tflite and labelmap.txt are in {given.frigate}")
    if given.require_speedup:
        _require_speedup(conversion, given.require_speedup)
    return 0


@dataclass(frozen=True)
class _Load:
    """What will be converted; loaded when TensorFlow is there.

    Attributes:
        folder: Where the files go.
        source: Loads it.
    """

    folder: Path
    source: Callable[[], Convertible]


def _run(flags: argparse.ArgumentParser, given: argparse.Namespace) -> _Load:
    """Return the finished run that is meant, checked before TensorFlow's seconds: a wrong path is told at once."""
    for name in ("labels", "calibration", "output", "input_range"):
        if getattr(given, name) is not None:
            flags.error(f"--{name.replace('_', '-')} is about a foreign model: add --model")
    from edge.run_folder import resolve_run

    run = resolve_run(given.run)
    for name in ("config.json", "dataset.json", "model.keras"):
        if not (run / name).is_file():
            raise UserError(f"Expected a finished run with {name} in {run}, found none; train: python -m train.run")

    def load() -> Convertible:
        from convert.source import load_source

        return load_source(run)

    return _Load(run, load)


def _foreign(flags: argparse.ArgumentParser, given: argparse.Namespace) -> _Load:
    """Return the foreign model that is meant."""
    if given.run != flags.get_default("run"):
        flags.error("--run and --model are two models: name one")
    if given.labels is None or given.calibration is None:
        flags.error("--model needs --labels FILE and --calibration FOLDER")
    from convert import foreign_request

    low, high = given.input_range or foreign_request.RAW
    request = foreign_request.check(given.model, given.labels, given.calibration, given.output, (low, high))

    def load() -> Convertible:
        from convert.foreign import load_foreign

        return load_foreign(request, given.calibration_size, given.seed)

    return _Load(request.folder, load)


def _with_progress(folder: Path, convert: Callable[[Step, Advance], Conversion]) -> Conversion:
    """Convert with progress on stderr: a bar on a terminal, a line a step elsewhere."""
    from train import native_log
    from train.device import import_tensorflow
    from train.progress import progress_bar, stderr_console

    with native_log.to_file(folder / "convert.log"):
        console = stderr_console()
        with progress_bar(console) as progress:
            steps = progress.add_task("Starting TensorFlow", total=None)
            import_tensorflow()
            photos = progress.add_task("Answers of files", total=None)

            def step(description: str) -> None:
                progress.update(steps, description=description, advance=1)
                if not console.is_terminal:
                    console.print(description)

            return convert(step, lambda: progress.advance(photos))


def _schemes(given: argparse.Namespace) -> tuple[str, ...]:
    """Return the schemes that are asked for, as `convert.schemes` names them."""
    names = [flag.replace("-", "_") for flag in SCHEMES]
    return tuple(name for name in names if given.all or getattr(given, name)) or ("int8",)


def _require_speedup(conversion: Conversion, least: float) -> None:
    """Raise a UserError where an int8 file is not so many times as fast as float32; by now everything is written."""
    speeds = {file.path.name: 1 / file.latency_ratio for file in conversion.files if file.scheme.startswith("int8")}
    slow = ", ".join(f"{name} {speed:.2f}" for name, speed in speeds.items() if speed < least)
    if slow:
        raise UserError(
            f"Expected int8 files at least {least:g} times as fast as float32 on this machine, got {slow}; "
            "all files are written, try another model or a lower --require-speedup"
        )


def _flags() -> argparse.ArgumentParser:
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


def _positive_number(text: str) -> float:
    """Parse a number above 0, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
