"""Runs that died before they were finished: which there are, and whether a new start goes on with one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import UserError
from edge.run_folder import read_json
from train.settings import Settings, settings_of_json

_FIRST = ("config.json", "dataset.json")  # what must stand before there is anything to go on with
_LAST = "metrics.json"  # marks a finished run


def is_unfinished(run: Path) -> bool:
    """Tell whether a folder holds a run that began to train and isn't finished."""
    return all((run / name).is_file() for name in _FIRST) and not (run / _LAST).exists()


def find_unfinished(output: Path | None) -> Path:
    """Return the unfinished run at `output`, or where that is None the newest in runs/.

    Raises:
        UserError: If there is none.
    """
    if output is None:
        found = [path for path in Path("runs").glob("*") if not path.is_symlink() and is_unfinished(path)]
        if not found:
            raise UserError("Expected an unfinished run in runs/, found none; name its folder: --output DIR")
        return max(found, key=lambda path: (path / _FIRST[0]).stat().st_mtime)
    if not is_unfinished(output):
        found_there = "a finished one" if (output / _LAST).exists() else "none"
        raise UserError(f"Expected an unfinished run in {output}, found {found_there}; train: python -m train.run")
    return output


def read_settings(run: Path) -> dict[str, Any]:
    """Return the settings that a run began with, by their names."""
    return settings_of_json(read_json(run / _FIRST[0], "python -m train.run --force"))


def check_same(run: Path, settings: Settings) -> None:
    """Refuse to go on with a run that began with other settings; where its folder lies makes no difference.

    Raises:
        UserError: If a setting differs.
    """
    before = read_json(run / _FIRST[0], "python -m train.run --force")
    differing = [
        f"{name} {before.get(name)!r}, not {value!r}"
        for name, value in settings.to_json().items()
        if name != "output" and before.get(name) != value
    ]
    if differing:
        raise UserError(
            f"The unfinished run in {run} began with {'; '.join(differing)}; go on with its settings: --resume, "
            "begin anew: --force, or choose another --output"
        )


def check_file(run: Path, config: Mapping[str, Any], flag: str, sha256: str | None) -> None:
    """Refuse to go on with another file behind a flag than the run's config.json names.

    Args:
        run: The run's folder.
        config: Its config.json.
        flag: "teacher" or "weights".
        sha256: Hash of the file that is there now; None for none.

    Raises:
        UserError: If it differs.
    """
    if config.get(f"{flag}_sha256") != sha256:
        raise UserError(
            f"The unfinished run in {run} began with another model at --{flag}; put that back, or begin anew: --force"
        )


def hash_beginning(run: Path) -> str:
    """Return the SHA-256 of what a run began with: its settings and its photos."""
    return hashlib.sha256(b"".join((run / name).read_bytes() for name in _FIRST)).hexdigest()
