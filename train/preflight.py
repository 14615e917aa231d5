"""What every training looks at before it starts: whether its photos are whole, in one split each, and how alike."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.errors import UserError
from train import native_log
from train.catalogue import find_source
from train.data_settings import DataSettings
from train.dataset import SPLITS, Manifest, SplitSettings
from train.duplicates import near_pairs
from train.examine import Examined
from train.intake import Intake, take_in
from train.progress import counting

if TYPE_CHECKING:
    from rich.console import Console

_NEAR_LISTED = 10_000  # pairs that are named, so that a million alike photos don't fill the memory; all are counted


@dataclass(frozen=True)
class NearPair:
    """Two photos that look alike and aren't copies.

    Attributes:
        photos: Both, sorted by path.
        splits: The split of each.
        distance: Bits in which their perceptual hashes differ.
    """

    photos: tuple[Examined, Examined]
    splits: tuple[str, str]
    distance: int


@dataclass(frozen=True)
class NearDuplicates:
    """The photos that look alike.

    Attributes:
        pairs: How many pairs there are.
        across_splits: How many of them lie in two splits.
        across_classes: How many of them lie under two classes.
        listed: Pairs by name, those across splits first, then the closest.
    """

    pairs: int = 0
    across_splits: int = 0
    across_classes: int = 0
    listed: tuple[NearPair, ...] = ()


@dataclass(frozen=True)
class Preflight:
    """A data set that was looked at.

    Attributes:
        settings: What was asked for.
        intake: What was taken in.
        near: Photos that look alike among those that are used.
    """

    settings: DataSettings
    intake: Intake
    near: NearDuplicates

    @property
    def manifest(self) -> Manifest:
        """What is used, in which split, and what isn't."""
        return self.intake.manifest

    def check(self) -> None:
        """Refuse what would flatter the result.

        Raises:
            UserError: If a photo or a group is in two splits, or photos look alike, where that wasn't allowed.
        """
        leaks, straddling = self.intake.leaks, self.intake.straddling
        if leaks and self.settings.leaks == "refuse":
            raise UserError(
                f"Expected each photo in one split, {len(leaks):,} are in two, such as {leaks[0].copy.path} and "
                f"{leaks[0].kept.path}; keep one copy of each: --drop-leaks, or use all: --allow-leaks"
            )
        if straddling and self.settings.leaks != "allow":
            group, splits = next(iter(straddling.items()))
            raise UserError(
                f"Expected each group in one split, {len(straddling):,} are in several, such as {group!r} in "
                f"{' and '.join(splits)}; move their photos, or use them as they are: --allow-leaks"
            )
        if self.near.pairs and self.settings.near_duplicates == "error":
            one, other = (photo.path for photo in self.near.listed[0].photos)
            raise UserError(
                f"Expected no photos that look alike, {self.near.pairs:,} pairs do, {self.near.across_splits:,} of "
                f"them across splits, such as {one} and {other}; take one of each away, or --near-duplicates report"
            )


def look(settings: DataSettings, console: Console) -> Preflight:
    """Find a data set, open all its photos, deal them into splits and compare them with one another.

    Args:
        settings: Which photos, and how they are split.
        console: Where notes and progress are shown.

    Raises:
        UserError: If there is no such data set, or it can't be trained on at all; see `Preflight.check` for the rest.
    """
    source = find_source(settings.data, settings.group_by)
    for note in source.notes:
        console.print(note)
    split = SplitSettings(settings.split, settings.seed, group_by=settings.group_by)
    silence = native_log.to_file(Path(os.devnull))  # image libraries complain of broken photos; we list them ourselves
    with silence, counting(console, "checking photos", len(source.candidates)) as advance:
        intake = take_in(source, split, advance, keep_leaks=settings.leaks == "allow")
    return Preflight(settings, intake, _find_near(intake))


def _find_near(intake: Intake) -> NearDuplicates:
    """Compare the photos that are used; of copies only one, so that a pair is told once."""
    examined = {photo.path: photo for photo in intake.photos}
    used = sorted(intake.manifest.files, key=lambda file: SPLITS.index(file.split))
    different = list({examined[file.path].content: (examined[file.path], file.split) for file in used}.values())
    different.sort(key=lambda each: each[0].path)
    splits = np.array([SPLITS.index(split) for _photo, split in different])
    labels = np.array([intake.manifest.labels.index(photo.label) for photo, _split in different])
    pairs = across_splits = across_classes = waiting = 0
    rows: list[npt.NDArray[np.int64]] = []  # in one split, distance, index, index: the smaller, the more telling
    for left, right, distance in near_pairs(np.array([photo.look for photo, _split in different], np.uint64)):
        one_split = splits[left] == splits[right]
        pairs += len(left)
        across_splits += int(np.count_nonzero(~one_split))
        across_classes += int(np.count_nonzero(labels[left] != labels[right]))
        rows.append(np.stack([one_split, distance, left, right], axis=1).astype(np.int64))
        waiting += len(left)
        if waiting > 10 * _NEAR_LISTED:
            rows, waiting = [_most_telling(rows)], _NEAR_LISTED
    listed = []
    for _one_split, distance, left, right in _most_telling(rows).tolist() if rows else ():
        (one, its), (other, others) = different[left], different[right]
        listed.append(NearPair((one, other), (its, others), distance))
    return NearDuplicates(pairs, across_splits, across_classes, tuple(listed))


def _most_telling(rows: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Return the smallest rows, sorted."""
    joined = np.concatenate(rows)
    return joined[np.lexsort(joined.T[::-1])][:_NEAR_LISTED]
