"""Reads the small files that travel in a model file: labels, metadata, golden samples. Files of others are hostile.

Both formats give the same names and bytes: a .tflite has them in the zip archive that TFLite Metadata appends, a .onnx
in its `metadata_props`, pictures in base64.
"""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from edge.errors import UserError

Embedded = dict[str, bytes]

PICTURES = "golden/"  # the folder of the golden samples' pictures
_TEXT_SUFFIXES, _PICTURE_SUFFIXES = (".txt", ".json"), (".jpg", ".png")
# Labels and metadata need thousands of bytes in two files; a zip bomb wants gigabytes, in one file or in thousands.
_LARGEST_TEXT, _MOST_TEXTS = 1 << 24, 16
_LARGEST_PICTURES, _MOST_PICTURES = 1 << 22, 64


def read_appended(path: Path, data: bytes) -> Embedded:
    """Return the files of the zip archive behind a .tflite that we have a use for; empty without an archive.

    Args:
        path: The model file, for messages.
        data: Its bytes.

    Raises:
        UserError: If the archive is damaged, or what it holds would unpack to more than any model needs.
    """
    file = io.BytesIO(data)
    if not zipfile.is_zipfile(file):
        return {}
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            texts = [entry for entry in entries if entry.filename.endswith(_TEXT_SUFFIXES)]
            pictures = [entry for entry in entries if _is_picture(entry.filename)]
            _check_sizes(path, texts, "texts", _MOST_TEXTS, _LARGEST_TEXT)
            _check_sizes(path, pictures, "golden pictures", _MOST_PICTURES, _LARGEST_PICTURES)
            return {entry.filename: archive.read(entry) for entry in [*texts, *pictures]}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise UserError(f"The files appended to {path} are damaged: {error}; copy the model again") from error


def read_properties(path: Path, properties: Mapping[str, str]) -> Embedded:
    """Return the files among the `metadata_props` of a .onnx; other properties come as files of that name.

    Args:
        path: The model file, for messages.
        properties: Keys and texts; nothing in them is compressed, so they are no larger than the file.

    Raises:
        UserError: If a picture is no base64.
    """
    embedded: Embedded = {}
    for name, text in properties.items():
        try:
            embedded[name] = base64.b64decode(text, validate=True) if _is_picture(name) else text.encode()
        except (binascii.Error, ValueError) as error:
            raise UserError(f"The property {name!r} of {path} is damaged: {error}; copy the model again") from error
    return embedded


def _is_picture(name: str) -> bool:
    """Tell whether a file is a picture of a golden sample."""
    return name.startswith(PICTURES) and name.endswith(_PICTURE_SUFFIXES)


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo], what: str, most: int, largest: int) -> None:
    """Refuse a zip bomb by what its entries say; no more than that is unpacked of each."""
    size = sum(entry.file_size for entry in entries)  # of all: many small bombs are one big one
    if size > largest or len(entries) > most:
        raise UserError(
            f"Expected at most {most} {what} of {largest >> 20} MiB in all in {path}, "
            f"got {len(entries)} of {size >> 20} MiB; use a model from a source you trust"
        )
