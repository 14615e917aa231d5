"""Where things that can be made anew are kept between runs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edge.errors import UserError


def cache_folder() -> Path:
    """Return the user's cache folder of TinySight, which may not exist yet.

    Raises:
        UserError: If the user has no home and XDG_CACHE_HOME names no folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # noqa: PTH117
        return Path(base, "tinysight")
    try:
        return Path.home() / ".cache" / "tinysight"
    except RuntimeError as error:
        raise UserError(
            "Expected a home folder to keep a cache in, this user has none; set XDG_CACHE_HOME to a folder"
        ) from error


def add_cache_flags(flags: argparse.ArgumentParser) -> None:
    """Add --cache and --no-cache: where decoded pixels are kept; `cache` is None for nowhere."""
    where = flags.add_mutually_exclusive_group()
    where.add_argument(
        "--cache",
        type=Path,
        default=cache_folder() / "pixels",
        metavar="DIR",
        help="folder of decoded pixels, shared by all runs, at most 20 GB",
    )
    where.add_argument(
        "--no-cache", dest="cache", action="store_const", const=None, help="decode the photos anew in each epoch"
    )
