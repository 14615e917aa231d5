"""What a data set looks like before its photos are opened, and how a folder of photos is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import UserError
from edge.preprocess import PHOTO_SUFFIXES
from train.dataset import Quarantined

# What data sets call their splits.
SPLIT_NAMES = {
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
        group: Photos of one group, such as those of one object, are never dealt into different splits; empty where the
            photo stands for itself.
    """

    path: Path
    label: str
    split: str | None = None
    group: str = ""


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
        unreadable: Folders that could not be listed, and entries of a list that lead to no photo.
        strays: Files that lie among the photos and are none; relative to the root, as they can be shown.
        notes: What the user should know about how the data set was read.
    """

    name: str
    origin: str
    licence: str
    root: Path
    labels: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    unreadable: tuple[Quarantined, ...] = ()
    strays: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Folder:
    """A folder of the user while it is read.

    Attributes:
        root: Absolute.
        unreadable: Folders that could not be listed.
        strays: Files that are no photos, or in no class's folder.
    """

    root: Path
    unreadable: list[Quarantined] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    def entries(self, folder: Path) -> list[Path]:
        """Return what is in a folder, sorted by name, without hidden things and what archives of macOS leave behind."""
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
        except OSError as error:
            path = escape(folder.relative_to(self.root).as_posix())
            self.unreadable.append(Quarantined(path, f"can't be listed: {error.strerror}"))
            return []
        return [folder / name for name in names if not name.startswith(".") and name != "__MACOSX"]

    def subfolders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder, sorted by name; files beside them are strays."""
        folders = []
        for path in self.entries(folder):
            if path.is_dir():
                folders.append(path)
            else:
                self.stray(path)
        return folders

    def photos(self, folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
        """Yield what is named like a photo in a folder and below; follows links, but never into a circle."""
        real = os.path.realpath(folder)
        if real in above:
            return
        for path in self.entries(folder):
            if path.is_dir():
                yield from self.photos(path, above | {real})
            elif path.suffix.lower() in PHOTO_SUFFIXES:
                yield path
            else:
                self.stray(path)

    def candidates(self, above: Path, split: str | None) -> Iterator[Candidate]:
        """Yield the photos of each class's folder in `above`."""
        for folder in self.subfolders(above):
            for path in self.photos(folder):
                yield Candidate(path.relative_to(self.root), folder.name, split)

    def stray(self, path: Path) -> None:
        """Keep the name of a file that is no photo of a class."""
        self.strays.append(escape(path.relative_to(self.root).as_posix()))


def read_folder(root: Path) -> Source:
    """Read a folder that holds one folder per class, or train / valid / test above them.

    Raises:
        UserError: If it holds no photos in class folders, or a class's name can't be written down.
    """
    root = root.resolve()
    found, notes = _Folder(root), []
    candidates: list[Candidate] = []
    folders = [path for path in found.entries(root) if path.is_dir()]
    splits = {folder: SPLIT_NAMES[folder.name.lower()] for folder in folders if folder.name.lower() in SPLIT_NAMES}
    if any(split == "train" and _holds_classes(folder) for folder, split in splits.items()):
        notes += [f"Left out, neither train, valid nor test: {escape(f.name)}/" for f in folders if f not in splits]
        for folder, split in splits.items():
            photos = list(found.candidates(folder, split))
            if not photos:
                notes.append(f"Left out, no photos in class folders: {escape(folder.name)}/")
            candidates += photos
        found.subfolders(root)  # for the strays
    else:
        candidates += found.candidates(root, None)
    labels = tuple(sorted({c.label for c in candidates if c.split in (None, "train")}))
    check_labels(f"in {root}", labels, candidates, "put the photos into one folder per class")
    return Source(
        name=escape(root.name) or "photos",
        origin="a folder of the user",
        licence="",
        root=root,
        labels=labels,
        candidates=tuple(sorted(candidates, key=lambda each: each.path.as_posix())),
        unreadable=tuple(dict.fromkeys(found.unreadable)),
        strays=tuple(sorted(found.strays)),
        notes=tuple(notes),
    )


def escape(text: str) -> str:
    """Return a file's name as it can be shown and stored: control and undecodable characters escaped."""
    encodable = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in encodable)


def check_labels(where: str, labels: tuple[str, ...], candidates: list[Candidate], advice: str) -> None:
    """Check that the classes can be trained on.

    Args:
        where: Where they were found, such as "in FOLDER".
        labels: Names of the classes that train has.
        candidates: The photos.
        advice: What to do where there are no two classes.

    Raises:
        UserError: If they can't.
    """
    if not labels:
        raise UserError(f"Expected photos of at least two classes {where}, found none; {advice}")
    if len(labels) == 1:
        raise UserError(f"Expected at least two classes {where}, found only '{escape(labels[0])}'; {advice}")
    for label in labels:
        if escape(label) != label:
            raise UserError(f"Expected a printable UTF-8 name of a class, got '{escape(label)}' {where}; rename it")
    strange = sorted({candidate.label for candidate in candidates} - set(labels))
    if strange:
        raise UserError(
            f"Expected only classes that train has too, got '{escape(strange[0])}' {where}; rename or remove it"
        )


def _holds_classes(folder: Path) -> bool:
    """Tell a split's folder, with folders in it, from a class's: trains are photographed too."""
    paths = _Folder(folder).entries(folder)
    photos = any(path.suffix.lower() in PHOTO_SUFFIXES and not path.is_dir() for path in paths)
    return any(path.is_dir() for path in paths) and not photos
