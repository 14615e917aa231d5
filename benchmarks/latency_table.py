"""The tables of benchmarks.latency; apart from it because rich need not be on a device."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.percentiles import NOISE
from benchmarks.timed_model import STAGES

_QUANTILES = ("min", "p50", "p90", "p99")


def print_table(results: dict[str, Any]) -> None:
    """Print the results of benchmarks.latency, as its JSON holds them, to stdout: two tables a thread count."""
    console, rows = Console(), results["rows"]
    for num_threads in dict.fromkeys(row["num_threads"] for row in rows):
        own = [row for row in rows if row["num_threads"] == num_threads]
        console.print(_table(own, num_threads))
        console.print(_stages_table(own, num_threads))
    for peak in results["peaks"]:
        _say(console, _describe_peak(peak))
    _say(console, f"Timing a call of nothing takes {results['empty_call_ms']['p50'] * 1e3:.2f} us.")
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    _say(
        console,
        f"{machine['cpu_model']}, {machine['cores']} cores usable, {machine['memory_bytes'] / 2**30:.1f} GB, "
        f"{machine['os']}, Python {machine['python']}, {versions}",
    )
    _say(console, _describe_conditions(results["before"], results["after"]))
    if any(row["noisy"] for row in rows):
        console.print(
            f"Yellow: repeats disagree by more than {NOISE:.0%}; measure again on a quiet machine.", style="yellow"
        )
    if any(row["pixels"] == "synthetic" for row in rows):
        console.print("No eval.npz beside a model: synthetic pixels were used.", style="yellow")


def _say(console: Console, line: str) -> None:
    """Print a line as it is."""
    if line:
        console.print(line, markup=False, highlight=False)


def _table(rows: list[dict[str, Any]], num_threads: int) -> Table:
    """Build the table of one thread count: two lines a file."""
    table = _new_table(f"Latency in ms, {num_threads} thread{'s' if num_threads > 1 else ''}")
    table.add_column("measure", no_wrap=True)
    for quantile in _QUANTILES:
        table.add_column(quantile, justify="right", no_wrap=True)
    table.add_column("vs float32", no_wrap=True)
    several = len({(row["model"], row["runtime"]) for row in rows}) > len({row["model"] for row in rows})
    for row in rows:
        invoke, frame_to_label = row["invoke_ms"], row["frame_to_label_ms"]
        table.add_row(
            escape(_name(row, rows)),
            "invoke",
            *(_milliseconds(invoke[quantile]) for quantile in _QUANTILES),
            _comparison(row),
            style=_style(row),
        )
        runtime = f", {row['runtime'].partition(' ')[0]}" if several else ""
        table.add_row(
            f"  {row['size_bytes'] / 1e3:,.0f} KB{runtime}",
            "frame to label",
            *(_milliseconds(frame_to_label[quantile]) for quantile in _QUANTILES),
            "noisy" if row["noisy"] else "",
            style=_style(row),
        )
    return table


def _stages_table(rows: list[dict[str, Any]], num_threads: int) -> Table:
    """Build the table of where time and memory of a file go, and how well it uses the machine."""
    table = _new_table(f"Medians in ms from JPEG to label, and a new process, {num_threads} thread(s)")
    for heading in (*STAGES, "load", "first", "peak MB", "GMAC/s", "of peak"):
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in rows:
        memory = row["peak_rss_bytes"]
        table.add_row(
            escape(_name(row, rows)),
            *(_milliseconds(row["stages_ms"][stage]["p50"]) for stage in STAGES),
            _milliseconds(row["load_ms"]),
            _milliseconds(row["first_inference_ms"]),
            "" if memory is None else f"{memory / 1e6:.0f}",
            "" if row["gmacs"] is None else f"{row['gmacs']:.1f}",
            "" if row["peak_share"] is None else f"{row['peak_share']:.0%}",
            style=_style(row),
        )
    return table


def _name(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return a file's name, with its folder's where files of several are shown."""
    return row["model"] if len({each["run"] for each in rows}) == 1 else f"{row['run']}/{row['model']}"


def _new_table(title: str) -> Table:
    """Return an empty table with a column of files."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("file", overflow="fold")
    return table


def _style(row: dict[str, Any]) -> str:
    """Return the style of a row."""
    return "yellow" if row["noisy"] else ""


def _describe_peak(peak: dict[str, Any]) -> str:
    """Say what the machine can do at most, and what asking costs."""
    at = f"{peak['runtime']}, {peak['num_threads']} thread{'s' if peak['num_threads'] > 1 else ''}"
    if peak["empty_model_ms"] is None:
        return f"Peak of {at}: not measured, the package that makes its yardsticks isn't installed."
    return (
        f"Peak of {at}: {peak['int8_gmacs']:.1f} GMAC/s in int8, {peak['float32_gmacs']:.1f} in float32; "
        f"an empty model takes {peak['empty_model_ms']['p50'] * 1e3:.1f} us."
    )


def _describe_conditions(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Say how hot, fast and busy the machine was before and after; empty where it tells nothing."""
    parts = [
        f"{title} {_or_unknown(before[key], unit)} before, {_or_unknown(after[key], unit)} after"
        for title, key, unit in (
            ("temperature", "temperature_c", " °C"),
            ("clock", "frequency_mhz", " MHz"),
            ("throttled", "throttled", ""),
        )
        if before[key] is not None or after[key] is not None
    ]
    parts += [f"governor {before['governor']}"] if before["governor"] else []
    parts += [f"load {before['load_average']:.2f} before"] if before["load_average"] is not None else []
    return "; ".join(parts)


def _or_unknown(value: Any, unit: str) -> str:
    """Write a value with its unit."""
    return "unknown" if value is None else f"{value}{unit}"


def _milliseconds(value: float) -> str:
    """Write milliseconds to about three digits."""
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _comparison(row: dict[str, Any]) -> str:
    """Say how much faster or, in red, slower than its float32 sibling a file invokes."""
    ratio: float | None = row["latency_ratio"]
    if ratio is None or row["scheme"] == "float32":
        return ""
    if abs(ratio - 1) <= NOISE:
        return "as fast"
    if ratio < 1:
        return f"{1 / ratio:.2f}x faster"
    return f"[red]{ratio:.2f}x SLOWER[/]" if row["slower_than_float32"] else "unclear"
