"""Finds data sets of Kaggle, downloaded once by kagglehub."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from edge.errors import UserError
from train.sources import Source, escape, read_folder

_HANDLE = re.compile(r"[\w.-]+/[\w.-]+(/versions/[0-9]+)?", re.ASCII)


def find_kaggle(handle: str, group_by: str | None = None) -> Source:
    """Download a data set of Kaggle, or take it from kagglehub's cache, and read it as a folder or by its list.

    Args:
        handle: OWNER/NAME, as in the data set's address, or OWNER/NAME/versions/N.
        group_by: See `train.catalogue.find_source`.

    Raises:
        UserError: If it is no handle, can't be downloaded, or holds no classes.
    """
    if not _HANDLE.fullmatch(handle):
        raise UserError(f"Expected kaggle:OWNER/NAME, as in the data set's address, got 'kaggle:{escape(handle)}'")
    import kagglehub

    try:
        root = Path(kagglehub.dataset_download(handle))
    except Exception as error:  # what it, the network and the service raise shares no base
        raise UserError(
            f"Expected to download {handle} from Kaggle, could not: {_reason(error)}; "
            "download it by hand and pass its folder as --data"
        ) from error
    owner, name = handle.split("/")[:2]
    return replace(_read(root, group_by), name=name, origin=f"https://www.kaggle.com/datasets/{owner}/{name}")


def _read(root: Path, group_by: str | None) -> Source:
    """Read a download: many lie one or two folders deeper, some as a list."""
    while len(below := [path for path in root.iterdir() if not path.name.startswith(".")]) == 1 and below[0].is_dir():
        root = below[0]
    try:
        return read_folder(root)
    except UserError as error:
        from train.csv_source import read_csv

        for path in sorted(root.glob("*.csv")):
            try:
                return read_csv(path, group_by)
            except UserError:
                continue
        raise error


def _reason(error: Exception) -> str:
    """Return one line of what went wrong."""
    if any(each.__name__ in ("ConnectionError", "Timeout") for each in type(error).__mro__):  # Python's or requests'
        return "Kaggle can't be reached"
    text = " ".join(str(error).split()) or type(error).__name__
    return escape(text if len(text) <= 200 else f"{text[:200]}...")
