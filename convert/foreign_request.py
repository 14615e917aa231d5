"""What a conversion of a foreign model is asked for, and what of it is told before TensorFlow's seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError
from edge.preprocess import PHOTO_SUFFIXES

RAW = (0.0, 255.0)


@dataclass(frozen=True)
class Request:
    """A foreign model and what its conversion needs beside it.

    Attributes:
        model: A .keras or .h5 file of either Keras, or a SavedModel's folder.
        labels: Names of the classes, in the order of the model's output.
        photos: Paths of what is named like a photo in the folder for calibration, sorted.
        calibration: That folder.
        folder: Where the files go.
        input_range: (low, high), what the model expects of a black and a white pixel.
    """

    model: Path
    labels: tuple[str, ...]
    photos: tuple[Path, ...]
    calibration: Path
    folder: Path
    input_range: tuple[float, float] = RAW


def check(
    model: Path, labels: Path, calibration: Path, output: Path | None, input_range: tuple[float, float]
) -> Request:
    """Check what the flags name, and make the folder for the files.

    Args:
        model: See `Request`.
        labels: File of the classes' names, one a line.
        calibration: Folder of photos.
        output: Where the files go; None for runs/<model's name>.
        input_range: See `Request`.

    Raises:
        UserError: If a path leads to nothing that serves, or the output to a training.
    """
    if not model.exists():
        raise UserError(f"Expected a model at {model}, found none; name a .keras or .h5 file or a SavedModel's folder")
    if not input_range[0] < input_range[1]:
        raise UserError(f"Expected an input range of a lower and a higher number, got {input_range}; see --input-range")
    names = read_labels(labels)
    photos = find_photos(calibration)
    folder = output or Path("runs", model.resolve().stem)
    for trained in ("config.json", "dataset.json", "model.keras"):
        if (folder / trained).exists():
            raise UserError(f"{folder} holds a training ({trained}), which other files would mix with; name --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Expected a folder at {folder}: {error.strerror}; name another --output") from error
    return Request(model, names, photos, calibration, folder.resolve(), input_range)


def read_labels(path: Path) -> tuple[str, ...]:
    """Read the names of the classes, one a line; empty lines at the end don't count.

    Raises:
        UserError: If the file can't be read, is no text or holds no name.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as error:
        raise UserError(f"Expected labels at {path}, could not read it: {error.strerror}; name another") from error
    except UnicodeDecodeError as error:
        raise UserError(f"Expected labels in UTF-8, one a line, in {path}, got other bytes; save it as text") from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines or not all(lines):
        raise UserError(f"Expected a label in each line of {path}, found {'an empty line' if lines else 'none'}")
    return tuple(lines)


def find_photos(folder: Path) -> tuple[Path, ...]:
    """Return what is named like a photo in a folder and below, sorted.

    Raises:
        UserError: If there is none.
    """
    found = [
        Path(above, name)
        for above, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
    ]
    if not found:
        kinds = ", ".join(sorted(PHOTO_SUFFIXES))
        raise UserError(f"Expected photos ({kinds}) for calibration in {folder}, found none; name another folder")
    return tuple(sorted(found))
