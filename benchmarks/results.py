"""The file of a machine's figures: what each benchmark measured there, a section of rows for each.

    {"machine": {...}, "latency": {"created", "machine", "rows": [...], ...}, "accuracy": {...}, ...}

A benchmark's own `--json FILE` holds its section alone; `--results FILE` puts the section into such a file, beside what
others measured before: rows about the same thing are replaced, all others stay.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.errors import UserError
from edge.run_folder import read_json, write_json

SECTIONS = (
    *("latency", "sustained", "accuracy", "robustness", "size"),
    *("peers", "training_peers", "serving", "cold_start"),
)
# What a row is about; a row may lack some of them.
KEY = ("run", "model", "runtime", "num_threads", "case", "photos", "sample")


def add_output_flags(flags: argparse.ArgumentParser) -> None:
    """Add --json and --results."""
    flags.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    flags.add_argument(
        "--results", type=Path, metavar="FILE", help="put the figures into this machine's results file, beside others"
    )


def check_outputs(given: argparse.Namespace) -> None:
    """Refuse files that can't be written before anything is measured.

    Raises:
        UserError: If --json or --results names a folder, a place that can't be written to, or no results file.
    """
    for flag, path in _outputs(given):
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise UserError(f"Expected a file in a folder that can be written to for --{flag}, got {path}")
    if given.results and given.results.exists():
        read_results(given.results)


def write_outputs(given: argparse.Namespace, section: str, content: dict[str, Any]) -> None:
    """Write what was measured where --json and --results say.

    Args:
        given: Parsed flags, of `add_output_flags` among others.
        section: One of SECTIONS.
        content: "machine", "rows" and whatever else belongs to the section; "created" is added.

    Raises:
        UserError: If a file can't be written.
    """
    content = {"created": datetime.now(timezone.utc).isoformat(timespec="seconds"), **content}
    for flag, path in _outputs(given):
        try:
            if flag == "json":
                write_json(path, content)
                continue
            with _alone(path.parent):
                before = read_results(path) if path.exists() else {}
                write_json(path, merge(before, section, content))
        except OSError as error:
            raise UserError(f"Could not write {path}: {error.strerror}; name another --{flag} FILE") from error


def merge(results: dict[str, Any], section: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return results with a section's content put in: its rows replace those of equal KEY, other rows stay.

    The machine of the file is that of the newest section.
    """
    rows = {key_of(row): row for row in results.get(section, {}).get("rows", [])}
    rows |= {key_of(row): row for row in content["rows"]}
    others = {name: each for name, each in results.items() if name != "machine"}
    others[section] = {**content, "rows": list(rows.values())}
    ordered = {name: others[name] for name in SECTIONS if name in others}
    return {"machine": content["machine"], **ordered}


def read_results(path: Path) -> dict[str, Any]:
    """Read a results file.

    Raises:
        UserError: If it is missing, or something else.
    """
    results = read_json(path, "any benchmark with --results")
    for name, section in results.items():
        rows = section.get("rows") if isinstance(section, dict) else None
        is_section = name in SECTIONS and isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        if name != "machine" and not is_section:
            raise UserError(f"Expected a results file at {path}, found {name!r:.60} in it; name another --results FILE")
    if not isinstance(results.get("machine"), dict):
        raise UserError(f"Expected a results file at {path}, it names no machine; name another --results FILE")
    return results


def find_rows(results: dict[str, Any], section: str, **wanted: Any) -> Sequence[dict[str, Any]]:
    """Return the rows of a section that have these values, such as model="model_int8.tflite"."""
    rows = results.get(section, {}).get("rows", [])
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]


def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a row is about; empty where it doesn't say. A newer version of a runtime is the same runtime."""
    values = {**row, "runtime": re.sub(r" \d[^ )]*", "", str(row.get("runtime") or ""))}
    return tuple("" if values.get(name) is None else str(values[name]) for name in KEY)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others that write results into a folder waiting: of two that read and then write, one's rows would be lost.

    Where a folder can't be locked (Windows, some network drives) nobody waits.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which unlocks it


def _outputs(given: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Give the flags that name files, with the files."""
    for flag in ("json", "results"):
        path: Path | None = getattr(given, flag)
        if path:
            yield flag, path
