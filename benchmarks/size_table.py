"""The tables of benchmarks.size on a terminal."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLUMNS = {
    "file": "size_bytes",
    "gzip -9": "gzip_bytes",
    "in an APK": "apk_bytes",
    "weights": "weights_bytes",
    "graph": "graph_bytes",
    "metadata": "metadata_bytes",
    "golden": "golden_bytes",
    "peak memory": "peak_rss_bytes",
}


def print_tables(content: dict[str, Any]) -> None:
    """Print a line a file, and what each runtime needs installed."""
    table = _table("Megabytes")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in content["rows"]:
        table.add_row(escape(row["model"]), *(_megabytes(row[key]) for key in _COLUMNS.values()))
    console = Console()
    _print(console, table)
    for runtime, footprint in content["footprint"].items():
        packages = _table(f"Installed for {runtime}")
        packages.add_column("version")
        packages.add_column("MB", justify="right")
        for name, package in footprint["packages"].items():
            packages.add_row(escape(name), escape(package["version"]), _megabytes(package["bytes"]))
        packages.add_row("in all", "", _megabytes(footprint["total_bytes"]))
        _print(console, packages)


def _table(title: str) -> Table:
    """Return an empty table with a column of names."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    return table


def _print(console: Console, table: Table) -> None:
    """Print a table as wide as it needs: a narrow terminal wraps its lines, better than names cut in two."""
    needed = console.measure(table, options=console.options.update(max_width=200)).maximum
    console.width = max(console.width, needed)
    console.print(table)
    console.print()


def _megabytes(size: int | None) -> str:
    """Write bytes in MB, to about three digits; a dash for what nobody measured."""
    if size is None:
        return "-"
    return f"{size / 1e6:,.3f}" if size < 1e6 else f"{size / 1e6:,.2f}"
