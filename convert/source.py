"""What a conversion starts from: a finished run's model, its manifest and its splits as the device sees them."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras as keras

import edge
from edge.errors import UserError
from edge.run_folder import read_json
from train.dataset import Manifest, read_manifest
from train.pixels import load_images

TRAIN = "python -m train.run"


@dataclass(frozen=True)
class Source:
    """A finished run, ready to convert.

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
    def test_split(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Images (N, height, width, 3) uint8 RGB and labels (N,) of the test split."""
        return load_images(self.manifest, "test", self.image_size)

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
