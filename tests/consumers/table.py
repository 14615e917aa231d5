"""Shows the matrix: on a terminal, in Markdown, as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.consumers.matrix import Row

_STATES = {"same": "yes", "close": "close", "differs": "NO", "skipped": "skipped"}


def print_table(rows: Sequence[Row]) -> None:
    """Print a table a file, and below them in words what is red, skipped or proves little."""
    console = Console()
    for file, asked in groupby(rows, lambda row: row.file):
        cells = [_cells(row) for row in asked]
        table = Table(title=file, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
        for heading in ("consumer", "version"):
            table.add_column(heading)
        for heading in ("photos", "same top-1", "labels seen", "largest difference", "as expected"):
            table.add_column(heading.replace(" ", "\n"), justify="right")
        for row in cells:
            table.add_row(*(escape(text) for heading, text in row.items() if heading != "file"))
        console.print(table)
    for note in notes(rows):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the table and its notes in Markdown."""
    cells = [_cells(row) for row in rows]
    headings = list(cells[0])
    sides = [":--" if heading in ("consumer", "version", "file") else "--:" for heading in headings]
    lines = [headings, sides, *(list(row.values()) for row in cells)]
    # A file's name may hold what would end a cell.
    table = ["| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines]
    listed = [f"- {note}" for note in notes(rows)]
    return "\n".join([*table, "", *listed] if listed else table)


def to_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what --json writes."""
    return {"rows": [dataclasses.asdict(row) for row in rows]}


def notes(rows: Sequence[Row]) -> list[str]:
    """Say in words what the table can't: each reason once, with all whom it concerns."""
    concerned: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for reason in row.reasons:
            concerned.setdefault((row.state, f"{row.consumer}: {reason}"), []).append(row.file)
    said = [f"{state}: {what} ({', '.join(files)})" for (state, what), files in concerned.items()]
    single = [row.file for row in rows if row.answers == 1 and row.largest_difference is None and row.same_top1]
    if single:
        said.append(
            f"proves little: {', '.join(single)} give one answer to all photos; take a run that tells them apart"
        )
    return said


def _cells(row: Row) -> dict[str, str]:
    """Return what the table says of a row, by heading."""
    is_asked, is_compared = row.state != "skipped", row.same_top1 is not None
    is_reference = is_compared and row.largest_difference is None
    return {
        "consumer": row.consumer,
        "version": row.version,
        "file": row.file,
        "photos": f"{row.photos:,}" if is_asked else "",
        "same top-1": "reference" if is_reference else f"{row.same_top1:,}" if is_compared else "",
        "labels seen": "" if not row.version else "no way to" if row.labels is None else f"{row.labels:,}",
        "largest difference": "" if row.largest_difference is None else f"{row.largest_difference:.1g}",
        "as expected": _STATES[row.state],
    }
