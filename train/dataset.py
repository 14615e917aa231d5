"""The locked manifest of a data set: which photo, by hash, is in which split under which label (dataset.json)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edge.errors import UserError
from edge.run_folder import read_json, write_json

SPLITS = ("train", "validation", "test")

_MADE_BY = "python -m train.run"


@dataclass(frozen=True)
class Photo:
    """A photo that is used.

    Attributes:
        path: Relative to the manifest's root, with forward slashes.
        sha256: Hash of the file's bytes, 64 hexadecimal digits.
        label: Name of its class.
        split: "train", "validation" or "test".
    """

    path: str
    sha256: str
    label: str
    split: str


@dataclass(frozen=True)
class Quarantined:
    """A photo, or a folder, that was found but can't be used; the file itself stays untouched.

    Attributes:
        path: Relative to the manifest's root; undecodable and control characters escaped.
        reason: Why, in one line.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class SplitSettings:
    """How photos were dealt into splits.

    Attributes:
        ratios: Percent of train, validation, test; sum 100.
        seed: Which of the possible deals.
        given: Splits that the data came with, as folders; the others were carved from train.
        group_by: What told which photos must stay together; None where each stands for itself.
    """

    ratios: tuple[int, int, int] = (70, 15, 15)
    seed: int = 0
    given: tuple[str, ...] = ()
    group_by: str | None = None


@dataclass(frozen=True)
class Manifest:
    """A data set, locked.

    Attributes:
        name: Short name, such as "solar-cells".
        source: Where the photos are from.
        licence: Their licence; empty where it isn't known.
        root: Absolute folder that the photos' paths start from.
        labels: Names of the classes, in the order of the model's output.
        split: How the splits came about.
        files: The photos, sorted by path.
        quarantined: What was found but can't be used.
    """

    name: str
    source: str
    licence: str
    root: Path
    labels: tuple[str, ...]
    split: SplitSettings
    files: tuple[Photo, ...]
    quarantined: tuple[Quarantined, ...] = ()

    def of(self, split: str) -> tuple[Photo, ...]:
        """Return the photos of one split, sorted by path."""
        if split not in SPLITS:
            raise ValueError(f"Expected a split of {SPLITS}. Received: {split!r}")
        return tuple(photo for photo in self.files if photo.split == split)

    def identity(self) -> list[Any]:
        """Return what makes two manifests the same data, wherever the photos lie; JSON takes it."""
        return [list(self.labels), [[photo.sha256, photo.label, photo.split] for photo in self.files]]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of photos of each class in each split: split -> label -> photos."""
        counts = Counter((photo.split, photo.label) for photo in self.files)
        return {split: {label: counts[split, label] for label in self.labels} for split in SPLITS}


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as dataset.json, whole or not at all."""
    write_json(path, {**asdict(manifest), "root": str(manifest.root)})


def read_manifest(path: Path) -> Manifest:
    """Read and check a dataset.json.

    Raises:
        UserError: If the file is missing, or isn't a manifest that agrees with itself.
    """
    content = read_json(path, _MADE_BY)
    try:
        manifest = _parse(content)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path} is no manifest of photos: {reason}; write it again: {_MADE_BY}") from error
    return manifest


def _parse(content: dict[str, Any]) -> Manifest:
    """Build a manifest from JSON; ValueError, KeyError or TypeError where it is none."""
    split = content["split"]
    ratios = tuple(int(percent) for percent in split["ratios"])
    if len(ratios) != 3:
        raise ValueError(f"expected three percents as 'ratios', got {split['ratios']}")
    manifest = Manifest(
        name=_text(content, "name"),
        source=_text(content, "source"),
        licence=_text(content, "licence"),
        root=Path(_text(content, "root")),
        labels=tuple(str(label) for label in content["labels"]),
        split=SplitSettings(
            (ratios[0], ratios[1], ratios[2]),
            int(split["seed"]),
            tuple(split.get("given", ())),
            None if split.get("group_by") is None else _text(split, "group_by"),
        ),
        files=tuple(
            Photo(_text(file, "path"), _text(file, "sha256"), _text(file, "label"), _text(file, "split"))
            for file in content["files"]
        ),
        quarantined=tuple(
            Quarantined(_text(file, "path"), _text(file, "reason")) for file in content.get("quarantined", ())
        ),
    )
    _check(manifest)
    return manifest


def _text(content: dict[str, Any], key: str) -> str:
    """Return a text of a JSON object; TypeError where it is something else."""
    value = content[key]
    if not isinstance(value, str):
        raise TypeError(f"expected text as {key!r}, got {value!r}")
    return value


def _check(manifest: Manifest) -> None:
    """Raise a ValueError where a manifest contradicts itself or leads out of its folder."""
    if not manifest.root.is_absolute():
        raise ValueError(f"expected an absolute folder as 'root', got {str(manifest.root)!r}")
    if len(manifest.labels) < 2 or len(set(manifest.labels)) != len(manifest.labels):
        raise ValueError(f"expected at least two different labels, got {list(manifest.labels)}")
    paths = [photo.path for photo in manifest.files]
    if len(set(paths)) != len(paths):
        raise ValueError("a photo is listed twice")
    labels = set(manifest.labels)
    for photo in manifest.files:
        relative = PurePosixPath(photo.path)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise ValueError(f"expected a path inside 'root', got {photo.path!r}")
        if photo.label not in labels:
            raise ValueError(f"{photo.path} has the label {photo.label!r}, which isn't among the labels")
        if photo.split not in SPLITS:
            raise ValueError(f"{photo.path} has the split {photo.split!r}, expected one of {list(SPLITS)}")
        if not re.fullmatch("[0-9a-f]{64}", photo.sha256):
            raise ValueError(f"{photo.path} has the hash {photo.sha256!r}, expected 64 hexadecimal digits")
