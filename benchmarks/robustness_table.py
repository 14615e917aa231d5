"""The tables of benchmarks.accuracy --robustness; apart from it because rich need not be on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.robustness import ALL
from edge.answers import printable


def print_table(content: dict[str, Any]) -> None:
    """Print the figures of robustness, as its JSON holds them, to stdout: all files, then each corruption."""
    console, rows = Console(), content["rows"]
    files = [row for row in rows if row["case"] == ALL]
    console.print(_summary(files, content))
    for suffix in dict.fromkeys(_suffix(row) for row in files):
        console.print()
        console.print(_details([row for row in rows if row["case"] != ALL and _suffix(row) == suffix], suffix))


def _summary(files: Sequence[dict[str, Any]], content: dict[str, Any]) -> Table:
    """Build the table of all corruptions together: two lines a file."""
    n, photos = files[0]["n"], printable(content["photos"])
    table = _new_table(
        f"{printable(files[0]['run'])}: {n:,} photo{'s' if n > 1 else ''} of {photos}, as they are and after "
        f"12 corruptions of 5 severities ({content['constants']})"
    )
    table.add_column("file", overflow="fold")
    for heading in ("photos", "accuracy", "agrees", "vs float32", "95 %"):
        table.add_column(heading, justify="left" if heading == "photos" else "right", no_wrap=True)
    for row in files:
        compared = row["reference"] is not None
        table.add_row(
            escape(printable(row["model"])),
            "clean",
            f"{row['clean_accuracy']:.1%}",
            f"{row['clean_agreement']:.1%}" if compared else "",
            _points(row["clean_gap_points"]) if compared else "",
            _range(row["clean_gap_interval"]) if compared else "",
        )
        table.add_row(
            f"  {row['size_bytes'] / 1e3:,.0f} KB",
            "corrupted",
            f"{row['corrupted_accuracy']:.1%}",
            f"{row['agreement']:.1%}" if compared else "",
            _gap(row) if compared else "",
            _range(row["gap_interval"]) if compared else "",
        )
    return table


def _details(rows: Sequence[dict[str, Any]], suffix: str) -> Table:
    """Build the table of files of one format: a line a corruption, of each file accuracy and points to float32."""
    table = _new_table(f"{suffix} by corruption: mean accuracy of 5 severities, in brackets points against float32")
    models = list(dict.fromkeys(row["model"] for row in rows))
    table.add_column("corruption", no_wrap=True)
    for model in models:
        name = printable(model).removesuffix(suffix)
        if name.startswith("model_"):  # ours: a scheme, of which a narrow heading can be made
            name = name.removeprefix("model_").replace("_", " ")
        table.add_column(escape(name), justify="right", overflow="fold")
    for corruption in dict.fromkeys(row["case"] for row in rows):
        by_model = {row["model"]: row for row in rows if row["case"] == corruption}
        table.add_row(corruption.replace("_", " "), *(_cell(by_model[model]) for model in models))
    return table


def _cell(row: dict[str, Any]) -> str:
    """Write one file's figures of one corruption."""
    accuracy = f"{row['corrupted_accuracy']:.1%}"
    return accuracy if row["reference"] is None else f"{accuracy} ({_gap(row)})"


def _gap(row: dict[str, Any]) -> str:
    """Write the points against float32, in red where they are lost beyond chance."""
    text = _points(row["gap_points"])
    return f"[red]{text}[/]" if row["gap_interval"][1] < 0 else text


def _range(interval: list[float]) -> str:
    """Write an interval of points."""
    return f"{_points(interval[0])} to {_points(interval[1])}"


def _points(value: float) -> str:
    """Write points with their sign, but nothing as nothing."""
    return f"{round(value, 1) + 0.0:+.1f}"


def _suffix(row: dict[str, Any]) -> str:
    """Return the ending of a row's file."""
    return "." + str(row["model"]).rpartition(".")[2]


def _new_table(title: str) -> Table:
    """Return an empty table in the benchmarks' style."""
    return Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
