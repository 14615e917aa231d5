"""What is left of accuracy and of agreement with float32 when photos get worse: every file over the same bad copies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.asking import File
from benchmarks.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from benchmarks.judging import Truth, interval, mean_interval
from benchmarks.photos import Photos
from edge.errors import UserError

ALL = "all"  # the case of the row that is about all corruptions together
_TRIED = 3  # severity at which the time is estimated
_Right = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Endured:
    """What files answered.

    Attributes:
        truth: Index of each photo's class, (N,).
        clean: Answers to the photos as they are, (N,), by the file's path.
        corrupted: Answers to corrupted copies, (corruptions, severities, N), by the file's path.
        unreadable: Of each photo that could not be read, by its position, why, in a line.
    """

    truth: Truth
    clean: Mapping[Path, Truth]
    corrupted: Mapping[Path, Truth]
    unreadable: Mapping[int, str]


def estimate_s(files: Sequence[File], photos: Photos, chosen: Sequence[int]) -> float:
    """Return about how many seconds `endure` will take, from one photo corrupted in each way; 0 if none can be read."""
    for position in chosen:
        try:
            image = photos.read(position)
        except UserError:
            continue
        break
    else:
        return 0.0
    start = time.perf_counter()
    for corruption in CORRUPTIONS:
        worse = corrupt(image, corruption, _TRIED)
        for file in files:
            file.ask(worse)
    return (time.perf_counter() - start) * len(SEVERITIES) * len(chosen)


def endure(
    files: Sequence[File], photos: Photos, chosen: Sequence[int], seed: int, advance: Callable[[], object]
) -> Endured:
    """Ask every file about every chosen photo, as it is and corrupted in all ways.

    Args:
        files: Of one image size and the same classes.
        photos: What they are asked about.
        chosen: Positions among the photos.
        seed: Fixes the noise.
        advance: Called after each photo.

    Raises:
        UserError: If no photo can be read.
    """
    clean: dict[Path, list[int]] = {file.path: [] for file in files}
    corrupted: dict[Path, list[list[int]]] = {file.path: [] for file in files}  # a list of all copies a photo
    kept, unreadable = [], {}
    for position in chosen:
        try:
            image = photos.read(position)
        except UserError as error:
            unreadable[position] = str(error)
        else:
            kept.append(position)
            for file in files:
                clean[file.path].append(int(file.ask(image).argmax()))
                corrupted[file.path].append([])
            for corruption in CORRUPTIONS:
                for severity in SEVERITIES:
                    worse = corrupt(image, corruption, severity, index=position, seed=seed)
                    for file in files:
                        corrupted[file.path][-1].append(int(file.ask(worse).argmax()))
        advance()
    if not kept:
        raise UserError(f"Expected photos in {photos.origin}, none can be read: {unreadable[chosen[0]]}")
    shape = len(CORRUPTIONS), len(SEVERITIES), len(kept)
    return Endured(
        photos.truth[kept],
        {path: np.array(answers, np.int64) for path, answers in clean.items()},
        {path: np.array(answers, np.int64).T.reshape(shape) for path, answers in corrupted.items()},
        unreadable,
    )


def make_rows(
    files: Sequence[File], references: Mapping[Path, File], endured: Endured, about: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the figures of each file.

    Args:
        files: The files.
        references: Path of a file -> its float32 file.
        endured: What they answered.
        about: What every row shall say about the photos.

    Returns:
        For each file a row of `case` "all": what `File.describe` returns; n photos; clean_accuracy and its interval
        (Wilson, 95 %); corrupted_accuracy, the mean over corruptions and severities; reference, the name of the float32
        file or None. Where there is one, agreement with it on clean and on corrupted photos (clean_agreement,
        agreement), and gap_points, accuracy lost (below 0) or won against it on corrupted photos in points of 100, with
        gap_interval (Student, 95 %; of the photos' means, since copies of one photo are not independent), and the same
        of clean photos (clean_gap_points, clean_gap_interval).
        Then a row for each corruption, its name the `case`: accuracy at each severity, corrupted_accuracy, their mean,
        and agreement (at each severity), mean_agreement, gap_points, gap_interval.
    """
    rows = []
    for file in files:
        reference = references.get(file.path)
        described = {
            **file.describe(),
            **about,
            "n": len(endured.truth),
            "reference": reference.path.name if reference else None,
        }
        rows.append({**described, "case": ALL, **_over_all(file, reference, endured)})
        rows += [
            {**described, "case": corruption, **_of_one(number, file, reference, endured)}
            for number, corruption in enumerate(CORRUPTIONS)
        ]
    return rows


def _over_all(file: File, reference: File | None, endured: Endured) -> dict[str, Any]:
    """Return a file's figures over all corruptions."""
    clean, corrupted, truth = endured.clean[file.path], endured.corrupted[file.path], endured.truth
    figures = {
        "clean_accuracy": float((clean == truth).mean()),
        "clean_accuracy_interval": interval(int((clean == truth).sum()), len(truth)),
        "corrupted_accuracy": float((corrupted == truth).mean()),
    }
    if reference is None:
        return figures
    its_clean, its_corrupted = endured.clean[reference.path], endured.corrupted[reference.path]
    clean_gap, clean_interval = _gap(clean == truth, its_clean == truth)
    gap, gap_interval = _gap(corrupted == truth, its_corrupted == truth)
    return {
        **figures,
        "clean_agreement": float((clean == its_clean).mean()),
        "agreement": float((corrupted == its_corrupted).mean()),
        "clean_gap_points": clean_gap,
        "clean_gap_interval": clean_interval,
        "gap_points": gap,
        "gap_interval": gap_interval,
    }


def _of_one(number: int, file: File, reference: File | None, endured: Endured) -> dict[str, Any]:
    """Return a file's figures under one corruption."""
    answers = endured.corrupted[file.path][number]
    right = answers == endured.truth
    figures = {"accuracy": right.mean(axis=1).tolist(), "corrupted_accuracy": float(right.mean())}
    if reference is None:
        return figures
    its = endured.corrupted[reference.path][number]
    gap, gap_interval = _gap(right, its == endured.truth)
    return {
        **figures,
        "agreement": (answers == its).mean(axis=1).tolist(),
        "mean_agreement": float((answers == its).mean()),
        "gap_points": gap,
        "gap_interval": gap_interval,
    }


def _gap(right: npt.NDArray[np.bool_], reference: npt.NDArray[np.bool_]) -> tuple[float, list[float]]:
    """Return the difference of two accuracies (..., N) in points, and its interval over the N photos."""
    copies = 100 * (right.astype(np.float64) - reference)
    of_photos = copies.reshape(-1, copies.shape[-1]).mean(axis=0)
    return float(of_photos.mean()), mean_interval(of_photos, widest=100.0)
