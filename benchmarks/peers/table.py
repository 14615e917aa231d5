"""The table of benchmarks.peers."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_table(results: dict[str, Any]) -> None:
    """Print the rows of `benchmarks.peers`, a table a file, to stdout."""
    console, rows = Console(), results["rows"]
    for run, model in dict.fromkeys((row["run"], row["model"]) for row in rows):
        console.print(_table([row for row in rows if (row["run"], row["model"]) == (run, model)], f"{run}/{model}"))
    console.print(
        "In ms from a 640x480 frame in memory to the best class; all on as many cores as threads. over ours: its time "
        "by ours, lap by lap, with the range of the middle 80 %.",
        style="dim",
    )
    for row in rows:
        if "skipped" in row:
            console.print(f"skipped: {row['runtime']} ({row['model']}): {row['skipped']}", markup=False, style="yellow")


def _table(rows: list[dict[str, Any]], name: str) -> Table:
    """Build the table of a file, the quickest first."""
    height, width = rows[0]["image_size"]
    threads = rows[0]["num_threads"]
    title = f"{escape(name)}, {width}x{height}, {threads} thread{'s' if threads > 1 else ''}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
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
