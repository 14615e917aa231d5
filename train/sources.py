"""Finds the photos of a data set, without opening them: the built-in data sets and folders of the user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError
from edge.preprocess import PHOTO_SUFFIXES
from train.dataset import Quarantined

SOLAR_CELLS = "solar-cells"

_SPLIT_NAMES = {
    "train": "train",
    "valid": "validation",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Candidate:
    """A photo that was found.

    Attributes:
        path: Relative to the source's root.
        label: Name of its class.
        split: The split that the data set put it in, or None.
    """

    path: Path
    label: str
    split: str | None = None


@dataclass(frozen=True)
class Source:
    """A data set as it was found.

    Attributes:
        name: Short name.
        origin: Where the photos are from.
        licence: Their licence; empty where it isn't known.
        root: Absolute folder.
        labels: Names of the classes, in the order of the model's output.
        candidates: The photos, sorted by path.
        unreadable: Folders that could not be listed.
        notes: What the user should know about how the folder was read.
    """

    name: str
    origin: str
    licence: str
    root: Path
    labels: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    unreadable: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()


def find_source(data: str) -> Source:
    """Find a built-in data set by its name, or read a folder.

    Raises:
        UserError: If there is neither, or the folder isn't one folder per class.
    """
    if data == SOLAR_CELLS and not Path(data).is_dir():
        return find_solar_cells()
    root = Path(data)
    if not root.is_dir():
        raise UserError(f"Expected a folder of photos or {SOLAR_CELLS!r} as data, got {data!r}, which is neither")
    return read_folder(root)


def find_solar_cells() -> Source:
    """Find the solar cells of the package elpv-dataset: defective at a probability of at least 0.5.

    2,624 grey photos, 300x300, by electroluminescence: Buerhop-Lutz et al. 2018, Deitsch et al. 2019.
    """
    import elpv_dataset

    root = Path(elpv_dataset.__file__).resolve().parent / "data"
    rows = [line.split() for line in (root / "labels.csv").read_text(encoding="utf-8").splitlines()]
    return Source(
        name=SOLAR_CELLS,
        origin="elpv-dataset, https://github.com/zae-bayern/elpv-dataset",
        licence="CC BY-NC-SA 4.0",
        root=root,
        labels=("functional", "defective"),
        candidates=tuple(
            Candidate(Path(path), "defective" if float(probability) >= 0.5 else "functional")
            for path, probability, _kind in sorted(rows)
        ),
    )


def read_folder(root: Path) -> Source:
    """Read a folder that holds one folder per class, or train / valid / test above them.

    Raises:
        UserError: If it holds no photos in class folders, or a class's name can't be written down.
    """
    root = root.resolve()
    unreadable: list[Quarantined] = []
    notes: list[str] = []
    folders = _subfolders(root, root, unreadable)
    splits = {folder: _SPLIT_NAMES[folder.name.lower()] for folder in folders if folder.name.lower() in _SPLIT_NAMES}
    is_split = any(split == "train" and _holds_classes(folder) for folder, split in splits.items())
    candidates: list[Candidate] = []
    if is_split:
        notes += [f"Left out, neither train, valid nor test: {escape(f.name)}/" for f in folders if f not in splits]
        for folder, split in splits.items():
            found = list(_in_class_folders(root, folder, split, unreadable))
            if not found:
                notes.append(f"Left out, no photos in class folders: {escape(folder.name)}/")
            candidates += found
    else:
        candidates += _in_class_folders(root, root, None, unreadable)
    labels = tuple(sorted({c.label for c in candidates if c.split in (None, "train")}))
    _check_labels(root, labels, candidates)
    return Source(
        name=escape(root.name) or "photos",
        origin="a folder of the user",
        licence="",
        root=root,
        labels=labels,
        candidates=tuple(sorted(candidates, key=lambda each: each.path.as_posix())),
        unreadable=tuple(unreadable),
        notes=tuple(notes),
    )


def escape(text: str) -> str:
    """Return a file's name as it can be shown and stored: control and undecodable characters escaped."""
    encodable = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in encodable)


def _check_labels(root: Path, labels: tuple[str, ...], candidates: list[Candidate]) -> None:
    """Raise a UserError where the classes can't be trained on."""
    advice = "put the photos into one folder per class"
    if not labels:
        raise UserError(f"Expected photos in one folder per class in {root}, found none; {advice}")
    if len(labels) == 1:
        raise UserError(f"Expected at least two classes in {root}, found only '{escape(labels[0])}'; {advice}")
    for label in labels:
        if escape(label) != label:
            raise UserError(f"Expected a printable UTF-8 name of a class, got '{escape(label)}'; rename the folder")
    strange = sorted({candidate.label for candidate in candidates} - set(labels))
    if strange:
        raise UserError(f"Expected only classes that train/ has too, got '{escape(strange[0])}'; rename or remove it")


def _in_class_folders(root: Path, above: Path, split: str | None, unreadable: list[Quarantined]) -> Iterator[Candidate]:
    """Yield the photos of each class's folder in `above`."""
    for folder in _subfolders(above, root, unreadable):
        for path in _walk(folder, root, unreadable, frozenset()):
            yield Candidate(path.relative_to(root), folder.name, split)


def _walk(folder: Path, root: Path, unreadable: list[Quarantined], above: frozenset[str]) -> Iterator[Path]:
    """Yield what is named like a photo in a folder and below; follows links, but never into a circle."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in _list(folder, root, unreadable):
        if path.is_dir():
            yield from _walk(path, root, unreadable, above | {real})
        elif path.suffix.lower() in PHOTO_SUFFIXES:
            yield path


def _subfolders(folder: Path, root: Path, unreadable: list[Quarantined]) -> list[Path]:
    """Return the folders in a folder, sorted by name."""
    return [path for path in _list(folder, root, unreadable) if path.is_dir()]


def _holds_classes(folder: Path) -> bool:
    """Tell a split's folder, with folders in it, from a class's: trains are photographed too."""
    paths = _list(folder, folder, [])
    photos = any(path.suffix.lower() in PHOTO_SUFFIXES and not path.is_dir() for path in paths)
    return any(path.is_dir() for path in paths) and not photos


def _list(folder: Path, root: Path, unreadable: list[Quarantined]) -> list[Path]:
    """Return what is in a folder, sorted by name, without hidden things and what archives of macOS leave behind."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
    except OSError as error:
        unreadable.append(
            Quarantined(escape(folder.relative_to(root).as_posix()), f"can't be listed: {error.strerror}")
        )
        return []
    return [folder / name for name in names if not name.startswith(".") and name != "__MACOSX"]
