"""A foreign model as a conversion's source: no manifest, no truth, a folder of photos to calibrate and compare on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras as keras

import edge
from convert import foreign_model
from convert.calibration import pin_range
from convert.evaluation import Split, run_model
from convert.foreign_request import RAW, Request
from convert.source import Calibration
from edge import preprocess
from edge.errors import UserError
from edge.golden import GoldenSample
from train.pixels import Images, Labels

# Photos held back beyond these would cost minutes and tell no more: 95 % of the time the share is 3 points right.
_MOST_HELD_BACK = 1000
_NAMED = 5  # of the photos that can't be used, in the note; conversion.json has all


@dataclass(frozen=True)
class ForeignSource:
    """A foreign model, ready to convert; see `convert.source.Convertible`.

    Attributes:
        folder: Where the files go.
        model: From raw pixels to scores.
        labels: Names of the classes.
        splits: "held_back" alone, without truth.
        reported_names: Where each of them lies.
        calibration: The other photos.
        origin: What conversion.json says of the model.
        notes: What was assumed, and which photos can't be used.
    """

    folder: Path
    model: keras.Model
    labels: list[str]
    splits: dict[str, Split]
    reported_names: list[str]
    calibration: Calibration
    origin: dict[str, Any]
    notes: tuple[str, ...]
    reported: str = field(default="held_back", init=False)
    false_accept_rate: float | None = field(default=None, init=False)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        _, height, width, _ = self.model.input_shape
        return height, width

    def calibrate(self, size: int, seed: int) -> Calibration:
        """Return the photos that were set apart when the model was loaded, for this size and seed."""
        return self.calibration

    def training(self) -> tuple[Images, Labels]:
        """Refuse: what the photos show, nobody told.

        Raises:
            UserError: Always.
        """
        raise UserError(
            "Expected a run of train.run for quantization-aware training, got a foreign model, of whose photos no "
            "class is known; quantize without --qat"
        )

    def choose_golden(self, seed: int) -> list[GoldenSample]:
        """Return none: whose the photos are, and under which licence, nobody told."""
        return []

    def describe(self, scheme: str) -> dict[str, Any]:
        """Return the metadata.json that travels in a model file of `scheme`."""
        return {
            "format": "tinysight",
            "format_version": 1,
            "labels": self.labels,
            "image_size": list(self.image_size),
            "scheme": scheme,
            "provenance": {**self.origin, "tinysight": edge.__version__},
        }

    def describe_origin(self) -> dict[str, Any]:
        """Return which model was converted, and what was assumed about it."""
        return self.origin


def load_foreign(request: Request, size: int, seed: int) -> ForeignSource:
    """Load a foreign model and its photos.

    Args:
        request: What was asked for.
        size: Photos for calibration; at most half of those that can be used are taken.
        seed: Fixes which.

    Raises:
        UserError: If the model can't be converted, has another number of classes, or the photos don't serve.
    """
    model, kind = foreign_model.load_model(request.model, request.input_range)
    classes = model.output_shape[1]
    if classes != len(request.labels):
        raise UserError(
            f"{request.model} has {classes} classes, but {len(request.labels)} labels were given; "
            "name a file with a line for each class: --labels"
        )
    _, height, width, _ = model.input_shape
    images, names, digests, broken = _read_photos(request, (height, width), size + _MOST_HELD_BACK, seed)
    count = min(size, len(images) // 2)
    held_back = images[count:]
    scores = run_model(model, held_back)
    is_logits = bool(scores.min() < 0 or scores.max() > 1 + 1e-3)
    if is_logits:
        model = foreign_model.add_softmax(model)
    origin = {
        "model": request.model.name,
        "sha256": _hash(request.model),
        "kind": kind,
        "input_range": list(request.input_range),
        "softmax_added": is_logits,
        "labels_sha256": hashlib.sha256("\n".join(request.labels).encode()).hexdigest(),
        "photos_sha256": hashlib.sha256("\n".join(digests).encode()).hexdigest(),
    }
    described = {
        "folder": request.calibration.resolve().name,
        "n": count,
        "asked": size,
        "seed": seed,
        "unusable": [{"path": path, "reason": reason} for path, reason in broken],
    }
    return ForeignSource(
        folder=request.folder,
        model=model,
        labels=list(request.labels),
        splits={"held_back": Split(held_back, None)},
        reported_names=names[count:],
        calibration=Calibration(pin_range(images[:count]), described),
        origin=origin,
        notes=tuple(_notes(request, is_logits, count, broken)),
    )


def _read_photos(
    request: Request, image_size: tuple[int, int], most: int, seed: int
) -> tuple[npt.NDArray[np.uint8], list[str], list[str], list[tuple[str, str]]]:
    """Return at most so many different photos in a seeded order, where they lie, their hashes, sorted, and the others.

    The others are those that can't be used, each with the reason.
    """
    images: list[npt.NDArray[np.uint8]] = []
    names: list[str] = []
    broken: list[tuple[str, str]] = []
    hashes: set[bytes] = set()
    for index in np.random.default_rng(seed).permutation(len(request.photos)):
        path = request.photos[index]
        try:
            data = path.read_bytes()
            digest = hashlib.sha256(data).digest()
            if digest not in hashes:  # a copy must not be calibrated on and compared on
                hashes.add(digest)
                images.append(preprocess.to_image(preprocess.decode(data), image_size))
                names.append(path.relative_to(request.calibration).as_posix())
        except (OSError, UserError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "no whole photo"
            broken.append((path.relative_to(request.calibration).as_posix(), reason))
        if len(images) == most:
            break
    if len(images) < 2:
        raise UserError(
            f"Expected at least two different photos that can be read in {request.calibration}, got {len(images)} "
            f"of {len(request.photos)}; add photos of what the model is for"
        )
    return np.stack(images), names, sorted(digest.hex() for digest in hashes), sorted(broken)


def _notes(request: Request, is_logits: bool, count: int, broken: list[tuple[str, str]]) -> list[str]:
    """Return what the user should know, a sentence each."""
    low, high = request.input_range
    assumed = (
        "assumed, not known; where it isn't so: --input-range LOW HIGH" if request.input_range == RAW else "as asked"
    )
    notes = [
        f"{request.model.name} gets RGB pixels of {low:g} to {high:g} ({assumed}); its files take raw pixels, 0-255",
        f"calibrated on {count} photos of {request.calibration} and compared on others; without labels of the photos "
        "there is no accuracy",
    ]
    if is_logits:
        notes.append("its outputs are no probabilities: a softmax was put behind them")
    if broken:
        named = ", ".join(f"{path} ({reason})" for path, reason in broken[:_NAMED])
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        notes.append(f"passed over, unreadable: {named}{more}")
    return notes


def _hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files with their names, in hex."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if path.is_dir():
            digest.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
