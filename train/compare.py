"""Sets finished runs side by side, and tells whether the best is really better.

    python -m train.compare runs/cnn runs/efficientnet_lite0
    python -m train.compare runs/* --json compare.json --markdown

Only reads what train.run wrote.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.command import command, parser
from edge.errors import UserError
from edge.run_folder import write_json

if TYPE_CHECKING:
    from train.comparison import Row

_LEGEND = (
    "Accuracy: on the test photos, with its 95 % interval. ECE: mean gap between confidence and accuracy, as trained "
    "(at the run's temperature). Against the best: difference in points on the photos that both were tested on, and p "
    "of McNemar's exact test, not corrected for several comparisons: a small p says that luck hardly explains it."
)
_NAMES = ("run", "data", "model")  # columns of words, which may be long
_WIDE = 120  # columns of a terminal that holds every cell on one line


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    flags = parser("python -m train.compare", "Set finished runs side by side, with intervals and a paired test.")
    flags.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, as train.run writes it")
    flags.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    flags.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    arguments = flags.parse_args(argv)
    if arguments.json and (arguments.json.is_dir() or not os.access(arguments.json.parent, os.W_OK)):
        raise UserError(f"Expected a file in a folder that can be written to for --json, got {arguments.json}")
    from train.comparison import compare

    rows = compare(arguments.runs)
    if arguments.json:
        write_json(arguments.json, {"best": _best(rows).run, "rows": [row.to_json() for row in rows]})
    (_print_markdown if arguments.markdown else _print_table)(rows)
    return 0


@dataclass(frozen=True)
class _Column:
    """A column of the table.

    Attributes:
        heading: What stands above it; with a line break where a narrow terminal may have one.
        cell: Text of a row's cell; as above.
        best: The row's figure, the largest of which is marked; None where none is.
    """

    heading: str
    cell: Callable[[Row], str]
    best: Callable[[Row], float] | None = None


def _columns(rows: Sequence[Row]) -> list[_Column]:
    """Return the columns; data and image size are left out where they are the same for all and in the title."""
    data, size = _Column("data", lambda row: row.data), _Column("image", _image_size)
    return [
        _Column("run", _namer(rows)),
        *([data] if _differ(rows, data.cell) else []),
        _Column("model", lambda row: row.model),
        *([size] if _differ(rows, size.cell) else []),
        _Column("params", lambda row: "" if row.parameters is None else f"{row.parameters / 1e6:.3g} M"),
        _Column("epochs", lambda row: "" if row.epochs is None else f"{row.epochs}"),
        _Column("time\n(min)", lambda row: "" if row.seconds is None else f"{row.seconds / 60:.1f}"),
        _Column("test\naccuracy", _accuracy, lambda row: row.accuracy),
        _Column("macro\nF1", lambda row: f"{row.macro_f1:.3f}", lambda row: row.macro_f1),
        _Column("ECE", _ece, lambda row: -row.ece),
        _Column("against\nthe best", _against_the_best),
    ]


def _namer(rows: Sequence[Row]) -> Callable[[Row], str]:
    """Return what names a row: its run's last folder, or all of the path where two end alike."""
    names = {Path(row.run).name for row in rows}
    return (lambda row: Path(row.run).name) if len(names) == len(rows) else (lambda row: row.run)


def _title(rows: Sequence[Row]) -> str:
    """Return what all runs share."""
    shared = [cell(rows[0]) for cell in (lambda row: row.data, _image_size) if not _differ(rows, cell)]
    differ = _differ(rows, lambda row: str(row.n))
    photos = "test splits of different sizes" if differ else f"{rows[0].n:,} test photos"
    return ", ".join([*filter(None, shared), photos])


def _differ(rows: Sequence[Row], cell: Callable[[Row], str]) -> bool:
    """Tell whether the rows don't all say the same."""
    return len({cell(row) for row in rows}) > 1


def _image_size(row: Row) -> str:
    """Return HxW."""
    return "x".join(map(str, row.image_size or ()))


def _accuracy(row: Row) -> str:
    """Return the accuracy with its interval."""
    low, high = row.accuracy_interval
    return f"{row.accuracy:.1%}\n({100 * low:.1f}-{100 * high:.1f})"


def _ece(row: Row) -> str:
    """Return the calibration error, and that at the temperature."""
    return f"{row.ece:.3f}" + ("" if row.ece_calibrated is None else f"\n({row.ece_calibrated:.3f})")


def _against_the_best(row: Row) -> str:
    """Return the paired difference."""
    if row.best:
        return "the best"
    if row.paired is None:
        return "see below"
    p = "p < 0.001" if row.paired.p_value < 0.001 else f"p = {row.paired.p_value:.3f}"
    return f"{row.paired.difference_points:+.1f},\n{p}"


def _best(rows: Sequence[Row]) -> Row:
    """Return the row of the best run."""
    return next(row for row in rows if row.best)


def _notes(rows: Sequence[Row]) -> list[str]:
    """Return a line for each run that can't be held against the best photo by photo, or on some photos only."""
    notes = []
    for row in rows:
        if row.note:
            notes.append(f"{row.run}: no paired test. {row.note}")
        elif row.paired and row.paired.n < row.n:
            notes.append(f"{row.run}: the paired test is on the {row.paired.n:,} photos that both were tested on")
    return notes


def _printable(text: str, line_break: str = " ") -> str:
    """Return a text out of somebody's files without what moves a terminal's cursor."""
    return "".join(letter if letter.isprintable() else line_break if letter == "\n" else "?" for letter in text)


def _print_table(rows: Sequence[Row]) -> None:
    """Print the rows with rich, the best figure of a column bold."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    line_break = " " if console.width >= _WIDE else "\n"
    title = Text(_printable(_title(rows)))
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    columns = _columns(rows)
    for column in columns:
        heading, named = _printable(column.heading, line_break), column.heading in _NAMES
        table.add_column(heading, justify="left" if named else "right", no_wrap=not named, overflow="fold")
    for row in rows:
        table.add_row(
            *(
                Text(_printable(column.cell(row), line_break), "bold" if _is_best(column, row, rows) else "")
                for column in columns
            )
        )
    console.print(table)
    console.print("\n".join(_printable(line) for line in [*_notes(rows), _LEGEND]), soft_wrap=not console.is_terminal)


def _print_markdown(rows: Sequence[Row]) -> None:
    """Print the rows as a Markdown table, the best figure of a column bold."""
    columns = _columns(rows)
    print(f"{_markdown(_title(rows))}\n")
    print(f"| {' | '.join(_printable(column.heading) for column in columns)} |")
    print(f"|{'|'.join(' --- ' if column.heading in _NAMES else ' ---: ' for column in columns)}|")
    for row in rows:
        cells = []
        for column in columns:
            cell = _markdown(column.cell(row))
            cells.append(f"**{cell}**" if _is_best(column, row, rows) else cell)
        print(f"| {' | '.join(cells)} |")
    print()
    for line in [*_notes(rows), _LEGEND]:
        print(f"{_markdown(line)}\n")


def _markdown(text: str) -> str:
    """Return a text as it can stand in a cell of a Markdown table."""
    marks = "\\`*_[]<>|&"
    return "".join(f"\\{letter}" if letter in marks else letter for letter in _printable(text))


def _is_best(column: _Column, row: Row, rows: Sequence[Row]) -> bool:
    """Tell whether a row has the best figure of a column."""
    return len(rows) > 1 and column.best is not None and column.best(row) == max(map(column.best, rows))


if __name__ == "__main__":
    sys.exit(main())
