"""What a model answered, photo by photo (predictions.npz), so that runs can be compared on the same photos.

predictions.npz holds `validation` and `test`, scores (N, classes) float32 in the order of dataset.json's files of that
split, and `dataset_sha256`, the hash of that dataset.json.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import UserError
from edge.run_folder import write_whole
from train.dataset import Manifest

Scores = npt.NDArray[np.float32]

_SPLITS = ("validation", "test")
_NAME = "predictions.npz"
_MADE_BY = "python -m train.run"


def write_predictions(run: Path, scores: Mapping[str, Scores]) -> None:
    """Write predictions.npz beside a run's dataset.json, whole or not at all.

    Args:
        run: The run's folder.
        scores: "validation" and "test": scores (N, classes) in the manifest's order.
    """
    content = {split: scores[split].astype(np.float32) for split in _SPLITS}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, dataset_sha256=np.array(_dataset_sha256(run)), **content)
    write_whole(run / _NAME, buffer.getvalue())


def read_predictions(run: Path, manifest: Manifest) -> dict[str, Scores]:
    """Read a run's predictions.npz.

    Args:
        run: The run's folder.
        manifest: Its dataset.json.

    Returns:
        "validation" and "test": scores (N, classes) float32 in the manifest's order.

    Raises:
        UserError: If the file is missing, damaged or of other photos.
    """
    path = run / _NAME
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            sha256 = str(content["dataset_sha256"])
            scores = {split: content[split] for split in _SPLITS}
    except FileNotFoundError:
        raise UserError(
            f"Expected {_NAME} in {run}, found none: the run was trained before there was one; train again: {_MADE_BY}"
        ) from None
    except Exception as error:  # on damaged archives zipfile, zlib and NumPy raise eight kinds that share no base
        raise UserError(
            f"{path} can't be read as scores of photos ({_one_line(error)}); train again: {_MADE_BY}"
        ) from error
    if sha256 != _dataset_sha256(run):
        raise UserError(f"{path} belongs to another dataset.json than the one beside it; train again: {_MADE_BY}")
    for split, its in scores.items():
        expected = len(manifest.of(split)), len(manifest.labels)
        if its.shape != expected or its.dtype != np.float32 or not np.isfinite(its).all():
            raise UserError(
                f"Expected scores {expected} float32 of {split} in {path}, got {its.shape} {its.dtype}, "
                f"or some that are no numbers; train again: {_MADE_BY}"
            )
    return scores


def _dataset_sha256(run: Path) -> str:
    """Return the hash of a run's dataset.json."""
    return hashlib.sha256((run / "dataset.json").read_bytes()).hexdigest()


def _one_line(error: Exception) -> str:
    """Return an error's text without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
