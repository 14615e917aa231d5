"""The table of benchmarks.peers.training."""

from __future__ import annotations

import io
from typing import Any

from rich.box import MARKDOWN, SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_table(results: dict[str, Any]) -> None:
    """Print the rows of `benchmarks.peers.training` to stdout."""
    for table in _tables(results["rows"]):
        Console().print(table)


def to_markdown(results: dict[str, Any]) -> str:
    """Return the rows of `benchmarks.peers.training` as Markdown."""
    console = Console(file=io.StringIO(), width=500, color_system=None)
    for table in _tables(results["rows"]):
        table.box, table.show_edge, table.padding = MARKDOWN, True, (0, 1)
        console.print(table)
        console.print()
    machine = results["machine"]
    console.print(f"Trained on {machine['cpu_model']}, {machine['cores']} cores, from random weights, for equal time.")
    told = console.file.getvalue()  # type: ignore[attr-defined]  # the one made above
    return "\n".join(line.rstrip() for line in told.strip().splitlines())


def _tables(rows: list[dict[str, Any]]) -> tuple[Table, Table]:
    """Build the table of the trainings, a column each, since there are two, and that of their files."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for row in rows:
        table.add_column(escape(f"{row['runtime']}: {row['model']}, {row['image_size']} px"), justify="right")
    lines = {
        "parameters": lambda row: f"{row['parameters']:,}",
        "training": lambda row: f"{row['train_s']:,.0f} s, {row['epochs']} epochs",
        "training images a second": lambda row: f"{row['images_per_s']:.0f}",
        "test accuracy (95 %)": lambda row: "{:.1%} ({:.1%}-{:.1%})".format(row["accuracy"], *row["accuracy_interval"]),
    }
    for name, tell in lines.items():
        table.add_row(name, *map(tell, rows))
    files = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    files.add_column("file")
    files.add_column("MB", justify="right")
    files.add_column("photo to class, ms on 1 thread", justify="right")
    for row in rows:
        for name, size in row["files"].items():
            times = row["predict_ms"].get(name)
            said = "{median:.2f} ({min:.2f}-{max:.2f})".format(**times) if times else "not timed"
            files.add_row(escape(f"{row['runtime'].split()[0]}: {name}"), f"{size / 1e6:.2f}", said)
    return table, files
