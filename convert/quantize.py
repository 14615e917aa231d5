"""Convert a model to .tflite and .onnx, quantize it and check every file on the device's own runtime.

    python -m convert.quantize --int8
    python -m convert.quantize --model mobilenet.keras --labels labels.txt --calibration photos --int8

The first converts a run of train.run and writes model_<scheme>.tflite and .onnx, eval.npz and conversion.json into its
folder. The second converts a model from elsewhere.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convert.flags import check_budget, chosen_schemes, quantize_flags
from edge.command import command
from edge.errors import UserError

if TYPE_CHECKING:
    from convert.budget import Budget
    from convert.pipeline import Conversion
    from convert.settings import Watch
    from convert.source import Convertible


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    flags = quantize_flags()
    given = flags.parse_args(argv)
    schemes = chosen_schemes(given)
    if given.require_speedup and not any(scheme.startswith("int8") for scheme in schemes):
        flags.error("--require-speedup is about int8 files: add --int8")
    if given.frigate and "int8" not in schemes:
        flags.error("--frigate is about the int8 file: add --int8")
    if given.max_drop is not None:
        check_budget(flags, given, schemes)
    load = _foreign(flags, given) if given.model else _run(flags, given)

    def run(watch: Watch) -> Conversion:
        from convert import pipeline, report
        from convert.frigate import check_size
        from convert.settings import Settings

        settings = Settings(
            schemes=schemes,
            batch=given.batch,
            calibration_size=given.calibration_size,
            seed=given.seed,
            num_threads=given.num_threads,
            golden=not given.no_golden,
            max_drop=given.max_drop,
            require_speedup=given.require_speedup,
        )
        watch.step("Loading the model")
        source = load.source()
        if given.frigate:
            check_size(source.image_size, str(given.model or given.run))
        conversion = pipeline.convert(source, settings, watch)
        watch.step("Writing the report")
        report.write_report(conversion)
        return conversion

    conversion = _with_progress(load.folder, run)
    from convert.table import print_conversion

    print_conversion(conversion, given.num_threads)
    if given.frigate:
        from convert.frigate import write_frigate

        write_frigate(load.folder / _tflite_to_use(conversion), conversion.source.labels, given.frigate)
        print(f"Frigate's model.tflite and labelmap.txt are in {given.frigate}")
    if conversion.budget:
        _require_budget(conversion.budget)
    elif given.require_speedup:
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

    _check_writable(run)
    return _Load(run, load)


def _check_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written to, before minutes of work."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"Expected a folder that can be written, {folder} can't: {error.strerror}; copy it to another place"
        ) from error


def _foreign(flags: argparse.ArgumentParser, given: argparse.Namespace) -> _Load:
    """Return the foreign model that is meant."""
    if given.run != flags.get_default("run"):
        flags.error("--run and --model are two models: name one")
    if given.labels is None or given.calibration is None:
        flags.error("--model needs --labels FILE and --calibration FOLDER")
    from convert import foreign_request

    if given.qat:
        raise UserError(
            "Expected a run of train.run for --qat, got a foreign model, of whose photos no class is known; "
            "quantize without --qat"
        )
    low, high = given.input_range or foreign_request.RAW
    request = foreign_request.check(given.model, given.labels, given.calibration, given.output, (low, high))

    def load() -> Convertible:
        from convert.foreign import load_foreign

        return load_foreign(request, given.calibration_size, given.seed)

    _check_writable(request.folder)
    return _Load(request.folder, load)


def _with_progress(folder: Path, convert: Callable[[Watch], Conversion]) -> Conversion:
    """Convert with progress on stderr: a bar on a terminal, a line a step elsewhere."""
    from train import native_log
    from train.device import import_tensorflow
    from train.progress import progress_bar, stderr_console

    with native_log.to_file(folder / "convert.log"):
        console = stderr_console()
        with progress_bar(console) as progress:
            steps = progress.add_task("Starting TensorFlow", total=None)
            import_tensorflow()
            answers = progress.add_task("Answers of files", total=None)
            from convert.settings import Watch

            def step(description: str) -> None:
                progress.update(steps, description=description, advance=1)
                if not console.is_terminal:
                    console.print(description)

            return convert(Watch(step, lambda: progress.advance(answers), console))


def _tflite_to_use(conversion: Conversion) -> str:
    """Return the name of the int8 .tflite that is best by the budget, or of the plain one."""
    kept = conversion.budget.kept() if conversion.budget else []
    return next((each.file_name for each in kept if each.file_name.endswith(".tflite")), "model_int8.tflite")


def _require_budget(budget: Budget) -> None:
    """Say what keeps the budget; raise a UserError where nothing does. By now everything is written."""
    from convert.ladder import describe_drop

    lacking = []
    wanted = f"{budget.max_drop:g} points of {len(budget.reference):,} validation photos"
    if budget.require_speedup:
        wanted += f" at {budget.require_speedup:g} times float32's speed"
    for kept in budget.kept():
        judged = kept.attempt.judged
        lost = f"{describe_drop(judged.drop_points)}, x {judged.latency_ratio:.2f} of its latency" if judged else "?"
        if kept.attempt.holds:
            print(f"{kept.file_name} keeps within {wanted}: {lost} ({kept.attempt.name})")
        else:
            suffix = Path(kept.file_name).suffix
            lacking.append(f"the best {suffix} is {kept.file_name} with {lost} ({kept.attempt.name})")
    if lacking:
        raise UserError(
            f"Expected int8 files that lose at most {wanted}: {'; '.join(lacking)}; "
            "all files are written, allow more or try another model"
        )


def _require_speedup(conversion: Conversion, least: float) -> None:
    """Raise a UserError where an int8 file is not so many times as fast as float32; by now everything is written."""
    speeds = {file.path.name: 1 / file.latency_ratio for file in conversion.files if file.scheme.startswith("int8")}
    slow = ", ".join(f"{name} {speed:.2f}" for name, speed in speeds.items() if speed < least)
    if slow:
        raise UserError(
            f"Expected int8 files at least {least:g} times as fast as float32 on this machine, got {slow}; "
            "all files are written, try another model or a lower --require-speedup"
        )


if __name__ == "__main__":
    sys.exit(main())
