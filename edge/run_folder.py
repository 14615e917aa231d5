"""Where things lie in a run's folder: what crosses from one package to the next is a file in it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from edge.errors import UserError

MODEL_SUFFIXES = (".tflite", ".onnx")


def resolve_run(run: Path) -> Path:
    """Return a run's folder with links resolved, so that a newer run can't move `latest` away meanwhile.

    Raises:
        UserError: If there is no such folder.
    """
    if not run.is_dir():
        raise UserError(f"Expected a run's folder at {run}, found none; train one: python -m train.run")
    return run.resolve()


def read_json(path: Path, made_by: str) -> dict[str, Any]:
    """Read one of a run's JSON files.

    Args:
        path: The file.
        made_by: The command that writes it, for the advice where it is missing.

    Raises:
        UserError: If the file is missing or no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Expected {path}, could not read it: {error.strerror}; write it: {made_by}") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}); write it again: {made_by}") from error
    if not isinstance(content, dict):
        raise UserError(f"Expected a JSON object in {path}; write it again: {made_by}")
    return content


def model_files(run: Path) -> list[Path]:
    """Return the converted models of a run, .tflite first.

    Raises:
        UserError: If there is none.
    """
    files = [path for suffix in MODEL_SUFFIXES for path in sorted(run.glob(f"model_*{suffix}"))]
    if not files:
        raise UserError(f"Expected model_*.tflite or .onnx in {run}, found none; convert: python -m convert.quantize")
    return files


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never a part: temporary name, fsync, rename."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # noqa: PTH101 - mkstemp made it private
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write one of a run's JSON files, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
