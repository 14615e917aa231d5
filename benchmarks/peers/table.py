"""The table of benchmarks.peers."""

from __future__ import annotations

import io
from typing import Any

from rich.box import MARKDOWN, SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_LEGEND = (
    "In ms from a 640x480 frame in memory to the best class; all on as many cores as threads. over ours: its time by "
    "ours, lap by lap, with the range of the middle 80 %."
)


def print_table(results: dict[str, Any]) -> None:
    """Print the rows of `benchmarks.peers`, a table a file, to stdout."""
    console = Console()
    for name, rows in _files(results).items():
        table = _table(rows)
        table.title, table.title_justify = name, "left"
        console.print(table)
    console.print(_LEGEND, style="dim")
    for line in _skipped(results):
        console.print(line, markup=False, style="yellow")


def to_markdown(results: dict[str, Any]) -> str:
    """Return the rows of `benchmarks.peers` as Markdown."""
    machine = results["machine"]
    console = Console(file=io.StringIO(), width=500, color_system=None)
    for name, rows in _files(results).items():
        console.print(f"\n{name}\n", markup=False)
        table = _table(rows)
        table.box, table.show_edge, table.padding = MARKDOWN, True, (0, 1)
        console.print(table)
    told = console.file.getvalue().strip()  # type: ignore[attr-defined]  # the one made above
    lines = [line.rstrip() for line in told.splitlines()]
    end = [f"{_LEGEND} Measured on {machine['cpu_model']}, {machine['cores']} cores.", *_skipped(results)]
    return "\n".join([*lines, "", *end])


def _files(results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each file, by what the table calls it."""
    files: dict[str, list[dict[str, Any]]] = {}
    for row in results["rows"]:
        (height, width), threads = row["image_size"], row["num_threads"]
        name = f"{row['run']}/{row['model']}, {width}x{height}, {threads} thread{'s' if threads > 1 else ''}"
        files.setdefault(escape(name), []).append(row)
    return files


def _skipped(results: dict[str, Any]) -> list[str]:
    """Say who could not be had, and why."""
    rows = [row for row in results["rows"] if "skipped" in row]
    return [f"skipped: {row['runtime']} ({row['model']}): {row['skipped']}" for row in rows]


def _table(rows: list[dict[str, Any]]) -> Table:
    """Build the table of a file, the quickest first."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("who", overflow="fold")
    for column in ("p50", "p90", "p99", "over ours", "same label"):
        table.add_column(column, justify="right", no_wrap=True)
    timed = [row for row in rows if "skipped" not in row]
    for row in sorted(timed, key=lambda row: row["frame_to_label_ms"]["p50"]):
        times, ratio = row["frame_to_label_ms"], row.get("ratio")
        table.add_row(
            escape(row["runtime"]),
            *(f"{times[quantile]:.2f}" for quantile in ("p50", "p90", "p99")),
            f"{ratio['median']:.2f} ({ratio['p10']:.2f}-{ratio['p90']:.2f})" if ratio else "",
            f"{row['same_label']:.0%}" if "same_label" in row else "",
            style="dim" if row["is_bound"] else "bold" if row["runtime"].startswith("TinySight") else None,
        )
    return table
