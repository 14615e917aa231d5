"""Takes a data set in: opens every photo, sets aside what can't be used, deals the rest into splits."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from edge.errors import UserError
from train.dataset import SPLITS, Manifest, Photo, Quarantined, SplitSettings
from train.examine import Examined, examine
from train.sources import Candidate, Source
from train.split import Unit, deal, deal_groups


@dataclass(frozen=True)
class Leak:
    """The same photo in two of the splits that the data set came with.

    Attributes:
        copy: In the split that gives way.
        kept: In the split that judges: test before validation before train.
    """

    copy: Examined
    kept: Examined

    @property
    def is_same_file(self) -> bool:
        """Whether the bytes are equal, not only the pixels."""
        return self.copy.sha256 == self.kept.sha256


@dataclass(frozen=True)
class Intake:
    """A data set that was taken in.

    Attributes:
        manifest: What is used, split, and what isn't.
        source: The photos as they were found.
        photos: All of them after they were opened, sorted by path.
        conflicts: The same photo under several classes: none of its copies is used.
        leaks: The same photo in several of the source's own splits.
        straddling: Groups in several of the source's own splits: name -> splits.
    """

    manifest: Manifest
    source: Source
    photos: tuple[Examined, ...]
    conflicts: tuple[tuple[Examined, ...], ...]
    leaks: tuple[Leak, ...]
    straddling: dict[str, tuple[str, ...]]


def take_in(
    source: Source, settings: SplitSettings, advance: Callable[[], None] = lambda: None, keep_leaks: bool = False
) -> Intake:
    """Open every photo of a source and lock the usable ones into a manifest.

    Args:
        source: The photos as they were found.
        settings: Ratios and seed of the splits that the source doesn't give itself.
        advance: Called after each photo.
        keep_leaks: Use a photo in each split that has it. Else the strictest split keeps it; whether to train at all
            is up to the caller.

    Raises:
        UserError: If a class has no usable photos, or too few to be dealt.
    """
    photos = _examine_all(source, advance)
    conflicts = _conflicts(photos)
    contradictory = {each.path for group in conflicts for each in group}
    usable = [each for each in photos if not each.reason and each.path not in contradictory]
    usable = list({(each.path, _rank(each)): each for each in usable}.values())  # a list may name a file twice
    leaks = _leaks(usable)
    dropped = {(leak.copy.path, leak.copy.candidate.split): leak for leak in leaks if not keep_leaks or _is_twice(leak)}
    usable = [each for each in usable if (each.path, each.candidate.split) not in dropped]
    set_aside = [
        *source.unreadable,
        *(Quarantined(each.path, each.reason) for each in photos if each.reason),
        *(_contradiction(each, group) for group in conflicts for each in group),
        *(
            Quarantined(leak.copy.path, f"the same photo is in the {leak.kept.candidate.split} split: {leak.kept.path}")
            for leak in dropped.values()
        ),
    ]
    _check_classes(source, photos, usable, set_aside)
    given = tuple(split for split in SPLITS if any(each.candidate.split == split for each in usable))
    return Intake(
        manifest=Manifest(
            name=source.name,
            source=source.origin,
            licence=source.licence,
            root=source.root,
            labels=source.labels,
            split=replace(settings, given=given),
            files=tuple(sorted(_split(usable, settings, given), key=lambda photo: photo.path)),
            quarantined=tuple(sorted(dict.fromkeys(set_aside), key=lambda each: each.path)),
        ),
        source=source,
        photos=tuple(photos),
        conflicts=tuple(conflicts),
        leaks=tuple(leaks),
        straddling=_straddling(usable) if given else {},
    )


def _examine_all(source: Source, advance: Callable[[], None]) -> list[Examined]:
    """Open every candidate, in as many threads as there are processors."""

    def check(candidate: Candidate) -> Examined:
        examined = examine(source.root, candidate)
        advance()
        return examined

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of oddities in photos that it reads all the same
        return list(pool.map(check, source.candidates))


def copies(photos: Iterable[Examined]) -> list[list[Examined]]:
    """Return the groups of photos whose pixels are equal, of two and more each."""
    groups: dict[str, list[Examined]] = {}
    for each in photos:
        if not each.reason:
            groups.setdefault(each.content, []).append(each)
    return [group for group in groups.values() if len(group) > 1]


def _conflicts(photos: Iterable[Examined]) -> list[tuple[Examined, ...]]:
    """Return the groups of copies that lie under several classes."""
    return [tuple(group) for group in copies(photos) if len({each.label for each in group}) > 1]


def _contradiction(photo: Examined, group: Sequence[Examined]) -> Quarantined:
    """Return why a photo is no example of any class."""
    labels = ", ".join(sorted({each.label for each in group}))
    return Quarantined(photo.path, f"the same photo lies under several classes: {labels}")


def _leaks(photos: Iterable[Examined]) -> list[Leak]:
    """Return each photo that a stricter split has too, with the first of its copies there."""
    leaks = []
    for group in copies(photos):
        kept = max(group, key=_rank)
        leaks += [Leak(each, kept) for each in group if _rank(each) < _rank(kept)]
    return leaks


def _is_twice(leak: Leak) -> bool:
    """Tell whether a list names one file in two splits; a manifest holds each file once."""
    return leak.copy.path == leak.kept.path


def _rank(photo: Examined) -> int:
    """Return the index of a photo's given split; 0 where none is given, since such are dealt together with train."""
    return SPLITS.index(photo.candidate.split or "train")


def _straddling(photos: Iterable[Examined]) -> dict[str, tuple[str, ...]]:
    """Return the groups that are in several given splits."""
    ranks: dict[str, set[int]] = {}
    for each in photos:
        if each.candidate.group:
            ranks.setdefault(each.candidate.group, set()).add(_rank(each))
    return {group: tuple(SPLITS[rank] for rank in sorted(found)) for group, found in ranks.items() if len(found) > 1}


def _check_classes(
    source: Source, photos: Iterable[Examined], usable: Iterable[Examined], set_aside: Iterable[Quarantined]
) -> None:
    """Raise a UserError that tells the first trouble of a class of which nothing is left."""
    labels = {each.path: each.label for each in photos}
    left = {each.label for each in usable if _rank(each) == 0}
    for label in source.labels:
        if label not in left:
            first = next(each for each in set_aside if labels.get(each.path) == label)
            raise UserError(
                f"Expected usable photos of each class, {label!r} has none in {source.root}; mend them or take the "
                f"class away. The first is {first.path}: {first.reason}"
            )


def _split(usable: list[Examined], settings: SplitSettings, given: tuple[str, ...]) -> list[Photo]:
    """Deal what has no split, or train where validation or test is missing beside it."""
    percents = dict(zip(SPLITS, settings.ratios, strict=True))
    carved = {name: percents[name] for name in ("validation", "test") if name not in given}
    parts = {"train": 100 - sum(carved.values()), **carved}
    pool = [each for each in usable if _rank(each) == 0]
    dealt = _deal(pool, parts, settings.seed)
    photos = []
    for each in usable:
        split = dealt[each.path] if _rank(each) == 0 else str(each.candidate.split)
        photos.append(Photo(each.candidate.path.as_posix(), each.sha256, each.label, split))
    return photos


def _deal(pool: list[Examined], parts: dict[str, int], seed: int) -> dict[str, str]:
    """Deal photos, copies and groups together; path -> part."""
    units: dict[str, list[Examined]] = {}
    names = _unit_names(pool)
    for each in pool:
        units.setdefault(names[each.path], []).append(each)
    lots = {name: min(each.sha256 for each in photos) for name, photos in units.items()}
    if any(each.candidate.group for each in pool):
        different = {name: {each.content: each.label for each in photos} for name, photos in units.items()}
        counted = [Unit(lots[name], Counter(different[name].values())) for name in units]
        by_lot = deal_groups(counted, parts, seed)
    else:
        by_lot = deal({lots[name]: photos[0].label for name, photos in units.items()}, parts, seed)
    return {path: by_lot[lots[name]] for path, name in names.items()}


def _unit_names(pool: list[Examined]) -> dict[str, str]:
    """Name the unit of each photo, path -> name: equal for copies of a photo and for photos of one group."""
    above: dict[str, str] = {}

    def root(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for each in pool:
        content = root(f"content {each.content}")
        above[content] = root(f"group {each.candidate.group}") if each.candidate.group else content
    return {each.path: root(f"content {each.content}") for each in pool}
