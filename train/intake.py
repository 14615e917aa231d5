"""Takes a data set in: opens every photo, sets aside what can't be used, deals the rest into splits."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image

from edge import preprocess
from edge.errors import UserError
from train.dataset import SPLITS, Manifest, Photo, Quarantined, SplitSettings
from train.sources import Candidate, Source, escape
from train.split import deal

# Never all that Pillow knows: some of its formats start other programs.
_PILLOW_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")


@dataclass(frozen=True)
class _Checked:
    """A candidate after it was opened: its hash, or why it can't be used."""

    candidate: Candidate
    sha256: str = ""
    reason: str = ""


def take_in(source: Source, settings: SplitSettings, advance: Callable[[], None] = lambda: None) -> Manifest:
    """Open every photo of a source and lock the usable ones into a manifest.

    Args:
        source: The photos as they were found.
        settings: Ratios and seed of the splits that the source doesn't give itself.
        advance: Called after each photo.

    Raises:
        UserError: If fewer than two classes, or too few photos of one, are left.
    """
    checked = _check_all(source, advance)
    usable, quarantined = _set_aside(checked)
    _check_classes(source, {each.candidate.label for each in usable}, quarantined)
    given = tuple(split for split in SPLITS if any(each.candidate.split == split for each in usable))
    files = sorted(_split(usable, settings, given), key=lambda photo: photo.path)
    return Manifest(
        name=source.name,
        source=source.origin,
        licence=source.licence,
        root=source.root,
        labels=source.labels,
        split=SplitSettings(settings.ratios, settings.seed, given),
        files=tuple(files),
        quarantined=tuple(sorted((*source.unreadable, *quarantined), key=lambda each: each.path)),
    )


def _check_classes(source: Source, left: set[str], quarantined: Iterable[Quarantined]) -> None:
    """Raise a UserError that tells the first trouble of a class of which nothing is left."""
    labels = {escape(candidate.path.as_posix()): candidate.label for candidate in source.candidates}
    for label in source.labels:
        if label not in left:
            first = next(each for each in quarantined if labels.get(each.path) == label)
            raise UserError(
                f"Expected usable photos of each class, {label!r} has none in {source.root}; mend them or take the "
                f"folder away. The first is {first.path}: {first.reason}"
            )


def _check_all(source: Source, advance: Callable[[], None]) -> list[_Checked]:
    """Open every candidate, in as many threads as there are processors."""

    def check(candidate: Candidate) -> _Checked:
        checked = _check(source, candidate)
        advance()
        return checked

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of oddities in photos that it reads all the same
        return list(pool.map(check, source.candidates))


def _check(source: Source, candidate: Candidate) -> _Checked:
    """Decode a photo with Pillow, which finds cut files, and by the road that training and device take."""
    path = source.root / candidate.path
    if escape(str(candidate.path)) != str(candidate.path):
        return _Checked(candidate, reason="its name isn't printable UTF-8; rename it")
    try:
        if not path.is_file():  # a pipe would block for ever
            return _Checked(candidate, reason="no regular file, or a link to nowhere")
        data = path.read_bytes()
    except OSError as error:
        return _Checked(candidate, reason=f"can't be read: {error.strerror}")
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as photo:
            photo.load()
        preprocess.decode(data)
    except UserError as error:
        return _Checked(candidate, reason=str(error))
    except Exception as error:  # on broken files Pillow raises seven kinds that share no other base
        return _Checked(candidate, reason=_reason(error))
    return _Checked(candidate, sha256=hashlib.sha256(data).hexdigest())


def _reason(error: Exception) -> str:
    """Return Pillow's complaint in one printable line, without the address of its buffer."""
    text = str(error).partition(" <_io.BytesIO")[0]
    return escape(f"does not decode: {text or type(error).__name__}")


def _set_aside(checked: Iterable[_Checked]) -> tuple[list[_Checked], list[Quarantined]]:
    """Part what is usable from what is broken, contradicts itself, or would leak from one split into another."""
    checked = list(checked)
    quarantined = [Quarantined(escape(each.candidate.path.as_posix()), each.reason) for each in checked if each.reason]
    whole = [each for each in checked if not each.reason]
    labels: dict[str, set[str]] = {}
    strictest: dict[str, int] = {}  # a photo in several given splits stays in the one that judges
    for each in whole:
        labels.setdefault(each.sha256, set()).add(each.candidate.label)
        strictest[each.sha256] = max(strictest.get(each.sha256, 0), _rank(each))
    usable: list[_Checked] = []
    for each in whole:
        path = each.candidate.path.as_posix()
        if len(labels[each.sha256]) > 1:
            several = ", ".join(sorted(labels[each.sha256]))
            quarantined.append(Quarantined(path, f"the same photo lies under several classes: {several}"))
        elif _rank(each) < strictest[each.sha256]:
            split = SPLITS[strictest[each.sha256]]
            quarantined.append(Quarantined(path, f"the same photo is in the {split} split"))
        else:
            usable.append(each)
    return usable, quarantined


def _rank(checked: _Checked) -> int:
    """Return the index of a photo's given split; 0 where none is given."""
    return SPLITS.index(checked.candidate.split or "train")


def _split(usable: list[_Checked], settings: SplitSettings, given: tuple[str, ...]) -> list[Photo]:
    """Deal what has no split, or train where validation or test is missing beside it."""
    percents = dict(zip(SPLITS, settings.ratios, strict=True))
    carved = {name: percents[name] for name in ("validation", "test") if name not in given}
    parts = {"train": 100 - sum(carved.values()), **carved}
    pool = {each.sha256: each.candidate.label for each in usable if (each.candidate.split or "train") == "train"}
    dealt = deal(pool, parts, settings.seed)
    photos = []
    for each in usable:
        split = dealt[each.sha256] if each.sha256 in dealt else str(each.candidate.split)
        photos.append(Photo(each.candidate.path.as_posix(), each.sha256, each.candidate.label, split))
    return photos
