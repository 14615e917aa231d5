"""Where things lie in a run's folder: what crosses from one package to the next is a file in it."""

from __future__ import annotations

import json
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
