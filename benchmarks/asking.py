"""Loads converted files and asks them about photos, all of them about one photo after the other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.photos import Photos
from edge.answers import printable
from edge.classifier import Classifier
from edge.decisions import Judge, calibrate
from edge.errors import UserError
from edge.preprocess import Image
from edge.run_folder import MODEL_SUFFIXES

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class File:
    """A loaded model file.

    Attributes:
        path: The file, as it was named.
        classifier: Gives its scores.
        num_threads: Threads of the runtime.
        temperature: What its scores are tempered by, from its metadata.
        threshold: The confidence below which an answer is "unknown"; 0 where it has none.
    """

    path: Path
    classifier: Classifier
    num_threads: int
    temperature: float
    threshold: float

    @property
    def scheme(self) -> str:
        """The scheme that the file names; a stranger's may name anything, and it reaches the terminal."""
        scheme = self.classifier.metadata.get("scheme")
        return scheme if isinstance(scheme, str) and re.fullmatch(r"\w{1,32}", scheme, re.ASCII) else "unknown"

    def describe(self) -> dict[str, Any]:
        """Return what the file is, as every row has it."""
        data = self.path.read_bytes()
        return {
            "run": self.path.resolve().parent.name,
            "model": self.path.name,
            "scheme": self.scheme,
            "runtime": self.classifier.runtime,
            "num_threads": self.num_threads,
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }

    def ask(self, image: Image) -> Scores:
        """Return the scores (classes,) of an image.

        Raises:
            UserError: If one is not finite.
        """
        scores = self.classifier.scores(image)
        if not np.isfinite(scores).all():
            raise UserError(f"{self.path} gave scores that are not finite; train or convert the model again")
        return scores

    def temper(self, scores: Scores) -> Scores:
        """Return the calibrated confidences of scores (N, classes)."""
        return np.array([calibrate(each, self.temperature) for each in scores])


def load(path: Path, num_threads: int, runtime: str | None) -> File:
    """Load a model file.

    Raises:
        UserError: If it can't be, or its metadata is damaged.
    """
    classifier = Classifier(path, num_threads, runtime=runtime)
    judge = Judge(classifier)
    return File(path, classifier, num_threads, judge.temperature, judge.threshold)


def load_all(
    paths: Iterable[Path], num_threads: int, runtime: str | None, report: Callable[[str], None] | None
) -> list[File]:
    """Load model files.

    Args:
        paths: The files.
        num_threads: Threads of the runtime.
        runtime: One of `edge.runtimes.RUNTIMES`; None for each file's first that is installed.
        report: Is told about a file that can't be loaded, which is then left out; None makes it an error.

    Raises:
        UserError: If a file can't be loaded, or none where broken ones are left out.
    """
    files, broken = [], UserError("Expected a model to judge, got none; name one")
    for path in paths:
        try:
            files.append(load(path, num_threads, runtime))
        except UserError as error:
            if report is None:
                raise
            broken = error
            report(f"left out {path.name}: {error}")
    if not files:
        raise broken
    return files


def add_references(files: Sequence[File], runtime: str | None) -> dict[Path, File]:
    """Find the float32 file that each file is held against: of the same folder and classes, best of the same format.

    Returns:
        By a file's path its reference, which may be none of `files`. No entry for a float32 file itself, nor where
        there is no reference that loads.
    """
    loaded = {file.path: file for file in files}
    references: dict[Path, File] = {}
    for file in files:
        stem = file.path.with_name("model_float32")
        suffixes = sorted(MODEL_SUFFIXES, key=lambda suffix: suffix != file.path.suffix)
        candidates = [stem.with_suffix(suffix) for suffix in suffixes if stem.with_suffix(suffix).exists()]
        if file.path in candidates:
            continue
        for candidate in candidates:
            if candidate not in loaded:
                try:
                    loaded[candidate] = load(candidate, file.num_threads, runtime)
                except UserError:  # a run's own broken file was reported already; this one was not asked for
                    continue
            reference, its = loaded[candidate].classifier, file.classifier
            if (reference.labels, reference.image_size) == (its.labels, its.image_size):
                references[file.path] = loaded[candidate]
                break
    return references


@dataclass(frozen=True)
class Asked:
    """What files said about photos.

    Attributes:
        scores: Of each file (photos, classes), in the order of the files.
        positions: Of the photos that could be read.
        unreadable: Of each other photo, by its position, why it could not be, in a line.
    """

    scores: list[Scores]
    positions: list[int]
    unreadable: dict[int, str]


def ask_all(files: Sequence[File], photos: Photos, chosen: Sequence[int], advance: Callable[[], object]) -> Asked:
    """Ask every file about every chosen photo, which is decoded once.

    Args:
        files: Of one image size.
        photos: What they are asked about.
        chosen: Positions among the photos.
        advance: Called after each photo.

    Raises:
        UserError: If no photo can be read.
    """
    scores: list[list[Scores]] = [[] for _ in files]
    positions: list[int] = []
    unreadable: dict[int, str] = {}
    for position in chosen:
        try:
            image = photos.read(position)
        except UserError as error:
            unreadable[position] = str(error)
        else:
            positions.append(position)
            for file, its in zip(files, scores, strict=True):
                its.append(file.ask(image))
        advance()
    if not positions:
        reason = unreadable[chosen[0]]
        raise UserError(f"Expected photos in {photos.origin}, none of {len(chosen)} can be read: {printable(reason)}")
    return Asked([np.array(its) for its in scores], positions, unreadable)
