"""The table of benchmarks.latency; apart from it because rich need not be on a device."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_QUANTILES = ("min", "p50", "p90", "p99")
_NOISE = 0.05  # two measurements of one file may differ by so much


def print_table(results: dict[str, Any]) -> None:
    """Print the results of benchmarks.latency, as its JSON holds them, to stdout: one table a thread count."""
    console, rows = Console(), results["rows"]
    for num_threads in dict.fromkeys(row["num_threads"] for row in rows):
        console.print(_table([row for row in rows if row["num_threads"] == num_threads], num_threads))
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    console.print(
        f"{machine['cpu_model']}, {machine['cores']} cores usable, {machine['memory_bytes'] / 2**30:.1f} GB, "
        f"{machine['os']}, Python {machine['python']}, {versions}",
        markup=False,
        highlight=False,
    )
    if any(row["pixels"] == "synthetic" for row in rows):
        console.print("No eval.npz beside a model: synthetic pixels were used.", style="yellow")


def _table(rows: list[dict[str, Any]], num_threads: int) -> Table:
    """Build the table of one thread count: two lines a file."""
    title = f"Latency in ms, {num_threads} thread{'s' if num_threads > 1 else ''}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("file", overflow="fold")
    table.add_column("measure", no_wrap=True)
    for quantile in _QUANTILES:
        table.add_column(quantile, justify="right", no_wrap=True)
    table.add_column("vs float32", no_wrap=True)
    for row in rows:
        invoke, frame_to_label = row["invoke_ms"], row["frame_to_label_ms"]
        table.add_row(
            escape(row["model"]),
            "invoke",
            *(_milliseconds(invoke[quantile]) for quantile in _QUANTILES),
            _comparison(row["scheme"], row["latency_ratio"]),
        )
        table.add_row(
            f"  {row['size_bytes'] / 1e3:,.0f} KB",
            "frame to label",
            *(_milliseconds(frame_to_label[quantile]) for quantile in _QUANTILES),
        )
    return table


def _milliseconds(value: float) -> str:
    """Write milliseconds to about three digits."""
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _comparison(scheme: str, ratio: float | None) -> str:
    """Say how much faster or, in red, slower than its float32 sibling a file invokes."""
    if ratio is None or scheme == "float32":
        return ""
    if abs(ratio - 1) <= _NOISE:
        return "as fast"
    return f"[red]{ratio:.2f}x SLOWER[/]" if ratio > 1 else f"{1 / ratio:.2f}x faster"
