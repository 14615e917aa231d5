"""The table of benchmarks.accuracy; apart from it because rich need not be on a device."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.answers import printable

_LEGEND = (
    "agrees: same answer as float32, photo by photo; +/-: right where float32 is wrong, and the reverse. Second lines: "
    "size; 95 % intervals; calibration error (ECE); McNemar's exact p of +/-; wrong with a confidence of 90 % or more; "
    "share of the wrong answers that the file calls unknown."
)
_SIGNIFICANT = 0.05


def print_table(content: dict[str, Any]) -> None:
    """Print the figures of benchmarks.accuracy, as its JSON holds them, to stdout: one table a run."""
    console, rows = Console(), content["rows"]
    for about in dict.fromkeys((row["run"], row["photos"]) for row in rows):
        console.print(_table([row for row in rows if (row["run"], row["photos"]) == about], *about))
    console.print(_LEGEND, markup=False, highlight=False)
    for row in rows:
        _warn(console, row)


def _table(rows: list[dict[str, Any]], run: str, photos: str) -> Table:
    """Build the table of one run: two lines a file."""
    n = max(row["n"] for row in rows)
    title = f"Accuracy of {printable(run)} over {n:,} photo{'s' if n > 1 else ''} of {printable(photos)}"
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("file", overflow="fold")
    for heading in ("accuracy", "F1", "agrees", "+/-", "wrong", "unknown"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        unknown, compared = row["unknown"], row["reference"] is not None
        table.add_row(
            escape(printable(row["model"])),
            f"{row['accuracy']:.1%}",
            f"{row['macro_f1']:.3f}",
            f"{row['agreement']:.1%}" if compared else "",
            f"+{row['mcnemar']['only_this_right']} -{row['mcnemar']['only_float32_right']}" if compared else "",
            str(row["n"] - round(row["accuracy"] * row["n"])),
            f"{unknown['rate']:.1%}" if unknown else "",
        )
        table.add_row(
            f"  {row['size_bytes'] / 1e3:,.0f} KB",
            _range(row["accuracy_interval"]),
            "" if row["ece"] is None else f"{row['ece']:.3f}",
            _range(row["agreement_interval"]) if compared else "",
            f"p {row['mcnemar']['p_value']:.2g}" if compared else "",
            str(row["confident_mistakes"]["n"]),
            "" if not unknown or unknown["rate_of_wrong"] is None else f"{unknown['rate_of_wrong']:.1%}",
        )
    return table


def _warn(console: Console, row: dict[str, Any]) -> None:
    """Say in red where a file is worse than float32 beyond chance."""
    if row["reference"] is None or row["mcnemar"]["p_value"] >= _SIGNIFICANT:
        return
    won, lost = row["mcnemar"]["only_this_right"], row["mcnemar"]["only_float32_right"]
    is_worse = won < lost
    console.print(
        f"{printable(row['model'])} is {'WORSE' if is_worse else 'better'} than {row['reference']}, beyond chance: "
        f"wrong where it is right {lost} times, right where it is wrong {won} times.",
        style="red" if is_worse else None,
        markup=False,
        highlight=False,
    )


def _range(interval: list[float]) -> str:
    """Write an interval of shares in percent."""
    return f"{100 * interval[0]:.1f}-{100 * interval[1]:.1f}"
