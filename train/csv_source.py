"""Reads a list of photos: a CSV with a column of paths, one of labels and, where it has it, one of splits."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath

from edge.errors import UserError
from train.dataset import Quarantined
from train.sources import SPLIT_NAMES, Candidate, Source, check_labels, escape

# What columns are called, first the names that say most; capitals, "_" and "-" make no difference.
_NAMES = {
    "path": (
        *("filepaths", "filepath", "file path", "image path", "paths", "path"),
        *("filenames", "filename", "file name", "files", "file", "images", "image"),
    ),
    "label": ("labels", "label", "classes", "class", "class name", "categories", "category"),
    "split": ("data set", "dataset", "splits", "split", "subset"),
}
_DELIMITERS = ",;\t|"

_MOST_BYTES = 512 << 20
_LONGEST_PATH = 4096
_LONGEST_LABEL = 200
_MOST_COLUMNS_TOLD = 20


@dataclass
class _List:
    """A list of photos while it is read.

    Attributes:
        name: The file's name, as it can be shown.
        root: Folder that the paths start from.
        photos: Each photo once, in the rows' order.
        refused: Rows that can't lead to a photo.
        repeated: Rows that say what an earlier one said.
    """

    name: str
    root: Path
    photos: dict[Candidate, None] = field(default_factory=dict)
    refused: list[Quarantined] = field(default_factory=list)
    repeated: int = 0

    def take(self, line: int, fields: dict[str, str]) -> None:
        """Take a row in, or keep why not."""
        try:
            candidate = _candidate(self.root, fields)
        except ValueError as error:
            where = f"{self.name}, line {line}"
            self.refused.append(Quarantined(escape(fields["path"][:_LONGEST_LABEL]) or where, f"{where}: {error}"))
            return
        self.repeated += candidate in self.photos
        self.photos[candidate] = None


def read_csv(path: Path, group_by: str | None = None) -> Source:
    """Read a list of photos whose paths start from the folder that the list lies in.

    Rows that can't lead to a photo are told in `unreadable`; whether the file is there shows when it is opened.

    Args:
        path: The list; comma, semicolon, tab or bar between columns; UTF-8, UTF-16 with its mark, or Windows-1252.
        group_by: Column that tells which photos belong together; it counts for nothing where there is no such column.

    Raises:
        UserError: If it is no list with paths and labels, or its classes can't be trained on.
    """
    found = _List(escape(path.name), path.resolve().parent)
    text, notes = _read_text(path, found.name)
    delimiter, header = _read_header(text, found.name)
    columns = {key: _find(header, names) for key, names in _NAMES.items()}
    columns["group"] = _find(header, (_plain(group_by),)) if group_by else None
    for line, row in islice(_rows(text, delimiter, found.name), 1, None):
        at = {key: index for key, index in columns.items() if index is not None}
        found.take(line, {key: row[index].strip() if index < len(row) else "" for key, index in at.items()})
    unused = [escape(title) or "(no name)" for at, title in enumerate(header) if at not in columns.values()]
    if unused:
        notes.append(f"Columns of {found.name} that aren't used: {', '.join(unused[:_MOST_COLUMNS_TOLD])}")
    if found.repeated:
        notes.append(f"Rows of {found.name} that repeat another: {found.repeated:,}")
    if found.refused and not found.photos:
        first = found.refused[0]
        raise UserError(f"Expected rows that lead to photos in {found.name}, got none; {first.path}: {first.reason}")
    photos = sorted(found.photos, key=lambda each: (each.path.as_posix(), each.label, each.split or ""))
    labels = tuple(sorted({each.label for each in photos if each.split in (None, "train")}))
    check_labels(f"in {found.name}", labels, photos, "name the class of each photo in a column such as label")
    return Source(
        name=escape(path.stem),
        origin=f"a list of the user, {found.name}",
        licence="",
        root=found.root,
        labels=labels,
        candidates=tuple(photos),
        unreadable=tuple(found.refused),
        notes=tuple(notes),
    )


def _read_text(path: Path, name: str) -> tuple[str, list[str]]:
    """Return a list's text, and what is to be told of how it was read."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _MOST_BYTES else b""
    except OSError as error:
        raise UserError(f"Expected a list of photos at {name}, could not read it: {error.strerror}") from error
    if size > _MOST_BYTES:
        raise UserError(
            f"Expected a list of photos of at most {_MOST_BYTES >> 20} MB, {name} has {size >> 20}; divide it"
        )
    notes = []
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = data.decode("utf-16")
        else:
            try:
                text = data.decode("utf-8-sig")
            except UnicodeDecodeError:
                text = data.decode("cp1252")
                notes.append(f"{name} isn't UTF-8; read as Windows-1252")
    except UnicodeDecodeError as error:
        raise UserError(
            f"Expected a list of photos in UTF-8, {name} is in no known encoding; save it as UTF-8"
        ) from error
    if "\0" in text:
        raise UserError(f"Expected a list of photos (CSV), {name} holds NUL characters and is no text; save it as CSV")
    return text, notes


def _read_header(text: str, name: str) -> tuple[str, list[str]]:
    """Return what stands between the columns, and their titles; UserError where paths or labels have no column."""
    headers = {}
    for delimiter in _DELIMITERS:
        titles = next((row for _line, row in _rows(text, delimiter, name)), [])
        headers[delimiter] = [title.strip() for title in titles]
    delimiter = max(headers, key=lambda each: (_known(headers[each]), len(headers[each])))
    header = headers[delimiter]
    for key in ("path", "label"):
        if _find(header, _NAMES[key]) is None:
            titles = ", ".join(escape(title[:40]) or "(no name)" for title in header[:_MOST_COLUMNS_TOLD])
            raise UserError(
                f"Expected a column of {key}s in {name}, named {_NAMES[key][0]}, {_NAMES[key][1]} or the like; "
                f"its first line has: {titles or 'nothing'}"
            )
    return delimiter, header


def _known(header: Sequence[str]) -> int:
    """Return how many of the columns that we look for are in a header."""
    return sum(_find(header, names) is not None for names in _NAMES.values())


def _find(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the index of the first of `names` that a column has; None where there is none."""
    plain = [_plain(title) for title in header]
    return next((plain.index(name) for name in names if name in plain), None)


def _plain(title: str) -> str:
    """Return a column's title without what makes no difference."""
    return title.strip().lower().replace("_", " ").replace("-", " ")


def _rows(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line and the fields of each row that isn't empty, the header first."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(row):
                yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"Expected a list of photos (CSV), {name} is none: line {reader.line_num}: {error}") from error


def _candidate(root: Path, fields: dict[str, str]) -> Candidate:
    """Return the photo of a row; ValueError where it can't lead to one."""
    if not fields["label"]:
        raise ValueError("no label")
    if len(fields["label"]) > _LONGEST_LABEL:
        raise ValueError(f"a label of {len(fields['label']):,} characters")
    split = fields.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise ValueError(f"the split '{escape(split[:40])}', expected train, valid or test")
    path = _path(root, fields["path"])
    return Candidate(path, fields["label"], SPLIT_NAMES[split] if split else None, fields.get("group", ""))


def _path(root: Path, text: str) -> Path:
    """Return a row's path relative to `root`; ValueError where it leads anywhere else."""
    if not text:
        raise ValueError("no path")
    if len(text) > _LONGEST_PATH:
        raise ValueError(f"a path of {len(text):,} characters")
    if "\\" in text and not os.path.exists(root / text):  # noqa: PTH110 - Path.exists raises where a name is too long
        text = text.replace("\\", "/")
    path = PurePosixPath(text)
    if path.is_relative_to(root):
        path = path.relative_to(root)
    if path.is_absolute() or PureWindowsPath(text).drive:
        raise ValueError("an absolute path; paths start from the list's folder")
    if ".." in path.parts or not path.parts:
        raise ValueError("no path inside the list's folder")
    return Path(path)
