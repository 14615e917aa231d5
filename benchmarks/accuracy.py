"""Judges converted files as the device runs them: how often they are right, and how often they differ from float32.

    python -m benchmarks.accuracy                         every converted file of runs/latest over its eval.npz
    python -m benchmarks.accuracy MODEL... --data FOLDER  these files over photos in a folder per class
    python -m benchmarks.accuracy --robustness            over noisy, blurred, dark, turned, hidden copies of the photos

Runs on the device too, with the extra `bench` and without TensorFlow. Each file is held against the model_float32
beside it, photo by photo. --robustness writes robustness.json and robustness.png into the run's folder, or where
--json and --plot say.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import add_output_flags, check_outputs, write_outputs
from edge.command import add_num_threads_flag, add_run_flag, command, parser, positive_int, seed
from edge.errors import UserError

if TYPE_CHECKING:
    from benchmarks.asking import File

_CORRUPTED_PHOTOS = 100  # every file sees each of them 61 times; more photos narrow the intervals and take longer


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Judge, print a table, write the figures where asked."""
    flags = _parse(argv)
    from edge.run_folder import model_files, resolve_run

    paths: list[Path] = flags.models or model_files(resolve_run(flags.run))
    if flags.robustness:
        _set_outputs(flags, paths)
    check_outputs(flags)
    if flags.data is not None and not flags.data.is_dir():
        raise UserError(f"Expected a folder of photos at {flags.data}, there is none; name another --data FOLDER")
    from edge.extras import explained

    with explained("bench"):
        from benchmarks.asking import load_all
        from benchmarks.judging import interval  # noqa: F401 - what it needs is found missing now, not after an hour
        from benchmarks.machine import fingerprint
        from benchmarks.progress import tell
    files = load_all(paths, flags.num_threads, flags.runtime, report=None if flags.models else tell)
    section, content = _endure(flags, files) if flags.robustness else _evaluate(flags, files)
    content = {"machine": fingerprint(), **content}
    write_outputs(flags, section, content)
    _show(section, content)
    if flags.robustness:
        _draw(flags.plot, content)
    return 0


def _evaluate(flags: argparse.Namespace, files: Sequence[File]) -> tuple[str, dict[str, Any]]:
    """Return the section of accuracy."""
    from benchmarks.accuracy_rows import evaluate

    return "accuracy", {"rows": evaluate(files, flags.runtime, flags.data, flags.photos)}


def _endure(flags: argparse.Namespace, files: Sequence[File]) -> tuple[str, dict[str, Any]]:
    """Return the section of robustness."""
    from benchmarks.accuracy_rows import open_photos
    from benchmarks.asking import add_references
    from benchmarks.corruptions import PUBLISHED, SEVERITIES, nearest_published
    from benchmarks.photos import choose
    from benchmarks.progress import counting, tell
    from benchmarks.robustness import endure, estimate_s, make_rows

    first = files[0].classifier
    for file in files:
        its = file.classifier
        if (its.labels, its.image_size) != (first.labels, first.image_size):
            raise UserError(
                f"Expected files of equal classes and image size, {file.path.name} has others than "
                f"{files[0].path.name}; name those of one run"
            )
    references = add_references(files, flags.runtime)
    files = list({file.path: file for file in (*references.values(), *files)}.values())
    photos = open_photos(files[0], flags.data)
    chosen = choose(photos, flags.photos or _CORRUPTED_PHOTOS)
    seconds = estimate_s(files, photos, chosen)
    tell(f"photos: {len(chosen)} of {len(photos.truth)}, files: {len(files)}; about {_duration(seconds)}")
    with counting("photos", len(chosen)) as advance:
        endured = endure(files, photos, chosen, flags.seed, advance)
    for reason in endured.unreadable.values():
        tell(f"left out: {reason}")
    about = {"photos": photos.origin, "sample": len(chosen) if len(chosen) < len(photos.truth) else None}
    return "robustness", {
        "photos": photos.origin,
        "seed": flags.seed,
        "constants": PUBLISHED[nearest_published(first.image_size)],
        "severities": list(SEVERITIES),
        "rows": make_rows(files, references, endured, about),
    }


def _set_outputs(flags: argparse.Namespace, paths: Sequence[Path]) -> None:
    """Fill in where robustness goes: the run's folder or, where --json is given, beside that."""
    folders = {path.resolve().parent for path in paths}
    if len(folders) > 1:
        raise UserError("Expected files of one folder with --robustness, got several folders; ask about one at a time")
    flags.json = flags.json or folders.pop() / "robustness.json"
    flags.plot = flags.plot or flags.json.with_suffix(".png")
    if flags.plot.is_dir() or not os.access(flags.plot.parent, os.W_OK):
        raise UserError(f"Expected a file in a folder that can be written to for --plot, got {flags.plot}")
    if flags.plot.suffix != ".png":
        raise UserError(f"Expected a name that ends in .png for --plot, got {flags.plot}")


def _draw(path: Path, content: dict[str, Any]) -> None:
    """Draw the plot, or say what it needs."""
    from benchmarks.progress import tell
    from edge.run_folder import write_whole

    try:
        from benchmarks.robustness_plot import draw
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        from edge.extras import install_line

        tell(f"No plot; for one install matplotlib: {install_line('matplotlib', 'bench')}")
        return
    try:
        write_whole(path, draw(content))
    except OSError as error:
        raise UserError(f"Could not write {path}: {error.strerror}; name another --plot FILE") from error
    tell(f"written: {path}")


def _show(section: str, content: dict[str, Any]) -> None:
    """Print the results: a table or, without rich, JSON."""
    try:
        if section == "accuracy":
            from benchmarks.accuracy_table import print_table
        else:
            from benchmarks.robustness_table import print_table
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "rich":
            raise
        from edge.extras import install_line

        print(f"The figures as JSON; for a table install rich: {install_line('rich')}", file=sys.stderr)
        json.dump(content, sys.stdout, indent=2)
        print()
    else:
        print_table(content)


def _duration(seconds: float) -> str:
    """Write a duration as people say it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the flags."""
    flags = parser("python -m benchmarks.accuracy", "Judge converted models photo by photo.")
    flags.add_argument(
        "models", nargs="*", type=Path, metavar="MODEL", help=".tflite or .onnx file (default: every one of the run)"
    )
    add_run_flag(flags)
    flags.add_argument(
        "--data", type=Path, metavar="FOLDER", help="photos in a folder per class, instead of each run's eval.npz"
    )
    flags.add_argument(
        "--photos",
        type=positive_int,
        metavar="N",
        help=f"at most N photos, taken evenly (default: all; {_CORRUPTED_PHOTOS} with --robustness)",
    )
    flags.add_argument("--robustness", action="store_true", help="over photos made worse in 12 ways, 5 severities each")
    flags.add_argument("--seed", type=seed, default=0, metavar="N", help="fixes the noise of --robustness")
    flags.add_argument(
        "--plot", type=Path, metavar="FILE", help="PNG of --robustness (default: beside its JSON, robustness.png)"
    )
    flags.add_argument(
        "--runtime",
        choices=("ai-edge-litert", "tflite-runtime", "onnxruntime"),
        help="what runs the files; none: the first of these that takes a file and is installed",
    )
    add_num_threads_flag(flags)
    add_output_flags(flags)
    given = flags.parse_args(argv)
    if given.plot is not None and not given.robustness:
        flags.error("--plot goes with --robustness")
    return given


if __name__ == "__main__":
    sys.exit(main())
