"""The folder that a run is written to: may it be used, what is cleared away, what `latest` points at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import edge
from edge.errors import UserError
from edge.run_folder import write_json
from train.dataset import read_manifest

_LIBRARIES = ("tensorflow", "tf-keras", "numpy", "opencv-python-headless", "opencv-python", "pillow", "scikit-learn")

# What a run's folder holds. Where it is overwritten, converted files of the old model must not stay beside the new one.
_OF_A_RUN = (
    *("config.json", "model.keras", "history.csv", "predictions.npz", "metrics.json", "plots"),
    *("preflight.json", "report.html", "train.log", "tensorboard", "checkpoints"),
    *("model_*.tflite", "model_*.onnx", "conversion.json", "eval.npz", "convert.log", "latency.json"),
    *("quantization.html", "quantization.json"),
    "dataset.json",  # last: by it the folder is known as a run's
)

# The passing names of what a killed run was writing: those of write_whole and of save_model.
_HALF_WRITTEN = (*(f".{name}.????????" for name in _OF_A_RUN if "." in name), ".partial-model.keras", ".converting-*")


def check_output(output: Path, force: bool) -> None:
    """Look whether a run may be written to `output`.

    Raises:
        UserError: If there is a finished run and not `force`, or anything that is no run.
    """
    if output.is_symlink() and not output.exists():
        raise UserError(f"Expected a folder as --output, got {output}, a link to nowhere; remove it")
    if not output.exists():
        return
    if not output.is_dir():
        raise UserError(f"Expected a folder as --output, got {output}, which is a file; choose another name")
    if (output / "metrics.json").exists() and not force:
        raise UserError(f"There is a finished run in {output}; choose another --output, or overwrite it: --force")
    half_written = {path for pattern in _HALF_WRITTEN for path in output.glob(pattern)}
    if set(output.iterdir()) - half_written and not _is_run(output):
        raise UserError(f"Expected a new folder, an empty one or a run's as --output; {output} holds other things")


def _is_run(folder: Path) -> bool:
    """Tell a run's folder by a manifest of ours: others too have a file named dataset.json."""
    try:
        read_manifest(folder / "dataset.json")
    except UserError:
        return False
    return True


def clear_output(output: Path) -> None:
    """Remove the files of a run that was in a run's folder."""
    clear_half_written(output)
    for pattern in _OF_A_RUN:
        for path in output.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextlib.contextmanager
def alone(output: Path) -> Iterator[None]:
    """Make the run's folder and keep other trainings out of it while the block runs; a killed one keeps nobody out.

    Raises:
        UserError: If the folder can't be made, or another training is at work in it.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        folder = os.open(output, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"Expected to make the folder {output}: {error.strerror}; choose another --output") from error
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(f"A training is at work in {output}; wait for it or choose another --output") from error
        yield
    finally:
        os.close(folder)


def clear_half_written(output: Path) -> None:
    """Remove what a killed run was writing."""
    for pattern in _HALF_WRITTEN:
        for path in output.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def write_config(output: Path, content: Mapping[str, Any]) -> None:
    """Write config.json: `content`, and when and with what the run was made."""
    libraries = {}
    for library in _LIBRARIES:
        try:
            libraries[library] = metadata.version(library)
        except metadata.PackageNotFoundError:  # one of the two OpenCVs
            continue
    made = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tinysight": edge.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": libraries,
    }
    write_json(output / "config.json", {**content, **made})


def point_latest(output: Path) -> bool:
    """Make `latest`, beside the run's folder, a link to it; a real file or folder of that name stays.

    Returns:
        Whether `latest` now is that link.
    """
    run = output.resolve()
    latest = run.parent / "latest"
    if latest == run or (latest.exists() and not latest.is_symlink()):
        return False
    with tempfile.TemporaryDirectory(prefix=".latest-", dir=run.parent) as folder:
        link = Path(folder, "latest")
        link.symlink_to(run.name)
        os.replace(link, latest)  # noqa: PTH105 - in one step, so that there always is a latest
    return True
