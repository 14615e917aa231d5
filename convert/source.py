"""What a conversion starts from: a finished run's model, its manifest and its splits as the device sees them.

The pipeline takes whatever has the attributes that `Convertible` names; `convert.foreign` gives the other.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tf_keras as keras

import edge
from convert import calibration
from convert.evaluation import Split
from convert.golden import choose_golden
from edge.errors import UserError
from edge.golden import GoldenSample
from edge.run_folder import read_json
from train.dataset import Manifest, read_manifest
from train.pixels import Images, Labels, StreamedImages, label_indices, load_images

TRAIN = "python -m train.run"


@dataclass(frozen=True)
class Calibration:
    """What sets the ranges of an int8 model.

    Attributes:
        images: (N, height, width, 3) uint8 RGB that span 0-255.
        described: What conversion.json says of them.
    """

    images: npt.NDArray[np.uint8]
    described: dict[str, Any]


class Convertible(Protocol):
    """A model with all that its conversion needs.

    Attributes:
        folder: Where the files go.
        model: The float model: one image input (batch, height, width, 3) of raw pixels, one output of scores.
        image_size: (height, width) of its input.
        labels: Names of the classes, in the order of its output.
        reported: The split in `splits` that the table and the JSON are about.
        splits: The photos that every file is asked about, by name of the split.
        reported_names: Where each photo of the reported split lies.
        false_accept_rate: Wrong answers among the accepted that the "unknown" threshold is chosen for; None where no
            truth is known to choose it on.
        notes: What the user should know, a sentence each.
    """

    folder: Path
    model: keras.Model
    image_size: tuple[int, int]
    labels: list[str]
    reported: str
    splits: dict[str, Split]
    reported_names: Sequence[str]
    false_accept_rate: float | None
    notes: tuple[str, ...]

    def calibrate(self, size: int, seed: int) -> Calibration:
        """Return calibration images, none of which is in `splits`."""

    def training(self) -> tuple[Images, Labels]:
        """Return images and class indices to train the model further on.

        Raises:
            UserError: If there are none.
        """

    def choose_golden(self, seed: int) -> list[GoldenSample]:
        """Return samples that may travel in the files, still without scores; none where no photo may."""

    def describe(self, scheme: str) -> dict[str, Any]:
        """Return the metadata.json that travels in a model file of `scheme`; equal for equal models."""

    def describe_origin(self) -> dict[str, Any]:
        """Return what conversion.json says of the model that was converted."""


@dataclass(frozen=True)
class Source:
    """A finished run, ready to convert; see `Convertible`.

    Attributes:
        run: The run's folder.
        model: The float model: one image input (batch, height, width, 3) of raw pixels, one softmax output.
        manifest: The locked dataset of the run.
        config: The run's settings.
    """

    run: Path
    model: keras.Model
    manifest: Manifest
    config: dict[str, Any]
    reported = "test"

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.run

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        _, height, width, _ = self.model.input_shape
        return height, width

    @property
    def labels(self) -> list[str]:
        """Names of the classes, in the order of the model's output."""
        return list(self.manifest.labels)

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The validation and the test split, as the device sees them."""
        return {split: Split(*load_images(self.manifest, split, self.image_size)) for split in ("validation", "test")}

    @property
    def reported_names(self) -> list[str]:
        """Paths below the photos' folder."""
        return [photo.path for photo in self.manifest.of(self.reported)]

    @property
    def false_accept_rate(self) -> float:
        """What the training was asked for, or what it takes where nobody asks."""
        return float(self.config.get("false_accept_rate", 0.05))

    @property
    def notes(self) -> tuple[str, ...]:
        """Of photos of the training split that calibration passes over."""
        copies = len(calibration.passed_over(self.manifest))
        which = "1 photo of the training split lies" if copies == 1 else f"{copies} photos of the training split lie"
        return (
            (f"{which} in validation or test too: calibration, training and golden samples pass over copies",)
            if copies
            else ()
        )

    def calibrate(self, size: int, seed: int) -> Calibration:
        """Return a class-balanced sample of the training split, proven by hash to be in neither of the others.

        Raises:
            UserError: If there is no such photo, or one changed since the training.
        """
        sample = calibration.choose_sample(self.manifest, size, seed)
        if not sample.files:
            raise UserError(
                f"Expected photos of the training split for calibration that are not in validation or test too, "
                f"got none in {self.run}; train on other photos: {TRAIN}"
            )
        calibration.prove_unseen(sample.files, self.manifest)
        described = calibration.describe_sample(sample, self.manifest, size, seed)
        return Calibration(calibration.calibration_images(sample, self.image_size), described)

    def training(self) -> tuple[Images, Labels]:
        """Return the training split but for copies of judged photos; its images are read when they are asked for."""
        unseen = calibration.without_copies(self.manifest)
        calibration.prove_unseen(unseen.of("train"), self.manifest)
        return StreamedImages(unseen, "train", self.image_size), label_indices(unseen, "train")

    def choose_golden(self, seed: int) -> list[GoldenSample]:
        """Return samples of the training split."""
        return choose_golden(calibration.without_copies(self.manifest), self.image_size, seed=seed)

    def describe_origin(self) -> dict[str, Any]:
        """Return which model was converted."""
        return {"model": "model.keras", "sha256": _sha256(self.run / "model.keras")}

    def describe(self, scheme: str) -> dict[str, Any]:
        """Return the metadata.json that travels in a model file of `scheme`; equal for equal runs."""
        return {
            "format": "tinysight",
            "format_version": 1,
            "labels": self.labels,
            "image_size": list(self.image_size),
            "scheme": scheme,
            "dataset": {
                "name": self.manifest.name,
                "source": self.manifest.source,
                "licence": self.manifest.licence,
            },
            "provenance": {
                "run": self.run.name,
                "config_sha256": _sha256(self.run / "config.json"),
                "dataset_sha256": _sha256(self.run / "dataset.json"),
                "tinysight": edge.__version__,
            },
        }


def load_source(run: Path) -> Source:
    """Read a finished run.

    Args:
        run: The run's folder, as `edge.run_folder.resolve_run` gives it.

    Raises:
        UserError: If the run has no weights, they do not load, or they do not fit the manifest.
    """
    manifest = read_manifest(run / "dataset.json")
    config = read_json(run / "config.json", TRAIN)
    model = _load_model(run / "model.keras")
    if len(model.inputs) != 1 or len(model.input_shape) != 4 or model.input_shape[3] != 3:
        raise UserError(f"Expected a model that takes RGB images (batch, height, width, 3), got {model.input_shape}")
    if None in model.input_shape[1:]:
        raise UserError(f"Expected a model of a fixed image size, got {model.input_shape}; train with --image-size")
    if model.output_shape[-1] != len(manifest.labels):
        raise UserError(
            f"{run / 'model.keras'} has {model.output_shape[-1]} classes, dataset.json {len(manifest.labels)}; "
            f"train again: {TRAIN}"
        )
    return Source(run, model, manifest, config)


def _load_model(path: Path) -> keras.Model:
    """Load a .keras file; refuse code hidden in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not load: {str(error).splitlines()[0]}; train again: {TRAIN}") from error


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
