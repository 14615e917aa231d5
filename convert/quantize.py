"""Convert a run's model to .tflite and .onnx, quantize it and check every file on the device's own runtime.

    python -m convert.quantize --int8

Writes model_float32.tflite, model_int8.tflite, model_float32.onnx, eval.npz and conversion.json into the run's folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.command import add_run_flag, command, parser, positive_int, seed
from edge.errors import UserError

if TYPE_CHECKING:
    from convert.pipeline import Converted

# A file counts as slower than float32 from here on; below it the machine's noise decides.
_SLOWER = 1.1


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    flags = parser("python -m convert.quantize", "Convert a trained model for the device and check every file.")
    add_run_flag(flags)
    schemes = flags.add_mutually_exclusive_group()
    schemes.add_argument(
        "--int8", action="store_true", help="full integer, uint8 in and out; what a bare call does too"
    )
    schemes.add_argument("--float32", action="store_true", help="the float32 files alone")
    flags.add_argument(
        "--calibration-size",
        type=positive_int,
        default=300,
        metavar="N",
        help="photos of the training split that set the int8 ranges",
    )
    flags.add_argument("--seed", type=seed, default=0, metavar="N", help="fixes the choice of the calibration photos")
    given = flags.parse_args(argv)
    run = _resolve(given.run)
    files = _convert(run, int8=not given.float32, calibration_size=given.calibration_size, seed=given.seed)
    _print_table(run, files)
    return 0


def _resolve(run: Path) -> Path:
    """Return the folder of a finished run; asked before TensorFlow's seconds, so that a wrong path is told at once."""
    from edge.run_folder import resolve_run

    run = resolve_run(run)
    for name in ("config.json", "dataset.json", "model.keras"):
        if not (run / name).is_file():
            raise UserError(f"Expected a finished run with {name} in {run}, found none; train: python -m train.run")
    return run


def _convert(run: Path, *, int8: bool, calibration_size: int, seed: int) -> list[Converted]:
    """Convert with progress on stderr: bars on a terminal, a line a step elsewhere."""
    from train import native_log
    from train.device import import_tensorflow
    from train.progress import progress_bar, stderr_console

    with native_log.to_file(run / "convert.log"):
        console = stderr_console()
        with progress_bar(console) as progress:
            steps = progress.add_task("Starting TensorFlow", total=None)
            import_tensorflow()
            from convert import pipeline

            progress.update(steps, total=pipeline.STEPS)
            photos = progress.add_task("Test photos asked", total=None)

            def step(description: str) -> None:
                progress.update(steps, description=description, advance=1)
                if not console.is_terminal:
                    console.print(description)

            settings = pipeline.Settings(run, int8, calibration_size, seed)
            return pipeline.convert(settings, step, lambda: progress.advance(photos))


def _print_table(run: Path, files: list[Converted]) -> None:
    """Print what each file weighs and does, and in words what is worse than float32."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(
        title=f"{run.name}: {files[0].verdict.n} test photos through each file on the device's own runtime",
        caption="agrees: same answer as Keras, photo by photo; lost: points, with 95 %;\n"
        "x: size and latency on one thread over the float32 file of the same format",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("file", no_wrap=True)
    for column in ("size", "", "accuracy", "agrees", "lost", "latency"):
        table.add_column(column, justify="right", no_wrap=True)
    sizes = {file.path: file.path.stat().st_size for file in files}
    warnings: list[str] = []
    for file in files:
        name, verdict = file.path.name, file.verdict
        low, high = verdict.drop_interval
        table.add_row(
            name,
            f"{sizes[file.path] / 1e6:.2f} MB",
            f"x {sizes[file.path] / sizes[file.path.with_stem('model_float32')]:.2f}",
            f"{100 * verdict.accuracy:.1f} %",
            f"{100 * verdict.agreement:.1f} %",
            f"{verdict.drop_points:.1f} ± {(high - low) / 2:.1f}",
            f"x {file.latency_ratio:.2f}",
        )
        if file.latency_ratio > _SLOWER:
            warnings.append(f"{name} is slower than float32 on this machine: {file.latency_ratio:.2f} of its latency")
        if low > 0:
            warnings.append(f"{name} loses accuracy beyond chance: {verdict.drop_points:.1f} points")
    console.print(table)
    for warning in warnings:
        console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
    console.print(f"Written to {run}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
