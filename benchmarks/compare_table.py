"""The columns of a comparison, and the same table on a terminal, in Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.candidates import Candidate
from benchmarks.choice import Choice

DASH = "\N{EN DASH}"  # what nobody measured
_NOISE = 0.05  # a ratio within 5 % of 1 is no difference


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: What stands above it.
        text: What it says of a candidate; empty for what nobody measured.
        is_name: Whether it says what the line is about, and so stands left.
    """

    heading: str
    text: Callable[[Candidate], str]
    is_name: bool = False


def choose_columns(candidates: Sequence[Candidate]) -> list[Column]:
    """Return the columns that tell these candidates apart, and those of figures of which any was measured."""

    def differ(values: Sequence[object]) -> bool:
        return len({value for value in values if value is not None}) > 1

    def has(value: Callable[[Candidate], object]) -> bool:
        return any(value(each) is not None for each in candidates)

    columns = [
        (differ([each.run for each in candidates]), Column("run", lambda each: each.run, True)),
        (differ([each.architecture for each in candidates]), Column("model", lambda each: each.architecture, True)),
        (True, Column("file", lambda each: each.model, True)),
        (_has_several_runtimes(candidates), Column("runtime", lambda each: each.runtime or "", True)),
        (differ([each.num_threads for each in candidates]), Column("threads", _threads)),
        (True, Column("size, MB", lambda each: _megabytes(each.size_bytes))),
        (has(lambda each: each.gzip_bytes), Column("gzip, MB", lambda each: _megabytes(each.gzip_bytes))),
        (has(lambda each: each.peak_rss_bytes), Column("memory, MB", lambda each: _megabytes(each.peak_rss_bytes, 0))),
        (True, Column("accuracy", lambda each: _percent(each.accuracy))),
        (True, Column("95 % interval", _interval)),
        (True, Column("agreement", lambda each: _percent(each.agreement))),
        (has(lambda each: each.robustness), Column("corrupted", lambda each: _percent(each.robustness))),
        (True, Column("invoke, ms", lambda each: _milliseconds(each, each.invoke_ms))),
        (True, Column("frame to label, ms", lambda each: _milliseconds(each, each.frame_to_label_ms))),
        (has(lambda each: each.frame_to_label_p90_ms), Column("p90, ms", lambda each: _p90(each))),
        (has(lambda each: each.latency_ratio), Column("against float32", describe_ratio)),
    ]
    return [column for is_wanted, column in columns if is_wanted]


def print_choice(choice: Choice, columns: Sequence[Column]) -> None:
    """Print the table of a data set, its name above it."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), title=title(choice), title_justify="left")
    for column in columns:
        table.add_column(
            column.heading,
            justify="left" if column.is_name else "right",
            overflow="fold",
            no_wrap=not column.is_name,
        )
    for candidate in choice.candidates:
        cells = [escape(column.text(candidate) or DASH) for column in columns]
        style = "bold" if candidate is choice.picked else None
        table.add_row(*cells, style=style)
    console = Console()
    needed = console.measure(table, options=console.options.update(max_width=300)).maximum
    console.width = max(console.width, needed)  # a narrow terminal wraps lines: better than names cut in two
    console.print(table)


def to_markdown(choices: Sequence[Choice], columns: Sequence[Column], machine: str | None) -> str:
    """Return the tables in Markdown, one a data set, and what they are of below each."""
    parts = []
    for choice in choices:
        lines = [[column.heading for column in columns]]
        lines += [[_plain(c.text(each) or DASH) for c in columns] for each in choice.candidates]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        rows = [_markdown_row(line, columns, widths) for line in lines]
        rule = [("-" * width) + ("-" if column.is_name else ":") for column, width in zip(columns, widths, strict=True)]
        rows.insert(1, "|" + "|".join("-" + dashes for dashes in rule) + "|")
        threads = _describe_threads([choice])
        where = f"Medians of {threads} on {machine}" if machine and threads else "No latency was measured yet"
        parts.append("\n".join([*rows, "", f"{where}; {_plain(title(choice))}.{noise_note([choice])}"]))
    return "\n\n".join(parts)


def to_csv(choices: Sequence[Choice]) -> str:
    """Return every figure as CSV, a line a candidate; nothing where nobody measured."""
    file = io.StringIO()
    names = [field.name for field in fields(Candidate)]
    names[names.index("accuracy_interval")] = "accuracy_low"
    names.insert(names.index("accuracy_low") + 1, "accuracy_high")
    writer = csv.DictWriter(file, [*names, "on_front", "picked", "refused"], lineterminator="\n")
    writer.writeheader()
    for row in to_rows(choices):
        low, high = row.pop("accuracy_interval") or (None, None)
        writer.writerow({**row, "accuracy_low": low, "accuracy_high": high, "refused": "; ".join(row["refused"])})
    return file.getvalue()


def to_rows(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """Return every candidate's figures with "on_front", "picked" and "refused", the limits that it broke."""
    rows = []
    for choice in choices:
        refused = {id(candidate): list(reasons) for candidate, reasons in choice.refused}
        front = {id(candidate) for candidate in choice.front}
        rows += [
            {
                **asdict(each),
                "on_front": id(each) in front,
                "picked": each is choice.picked,
                "refused": refused.get(id(each), []),
            }
            for each in choice.candidates
        ]
    return rows


def title(choice: Choice) -> str:
    """Return a data set's name and how many photos of it were asked about."""
    counts = sorted({each.n for each in choice.candidates if each.n is not None})
    photos = " or ".join(f"{count:,}" for count in counts) or "no"
    return f"{photos} test photos{f' of {choice.dataset}' if choice.dataset else ''}"


def noise_note(choices: Sequence[Choice]) -> str:
    """Return what the mark of noisy times means, with a space before it; empty where none is noisy."""
    noisy = any(each.noisy for choice in choices for each in choice.candidates)
    return " ~: times that did not repeat, on a machine that was busy." if noisy else ""


def describe_ratio(candidate: Candidate) -> str:
    """Say how much faster or, loudly, slower than its float32 sibling a file invokes."""
    ratio = candidate.latency_ratio
    if ratio is None or candidate.scheme == "float32":
        return ""
    if abs(ratio - 1) <= _NOISE or (ratio > 1 and candidate.is_slower is False):
        return "as fast"
    return f"{ratio:.2f}x SLOWER" if ratio > 1 else f"{1 / ratio:.2f}x faster" if ratio else ""


def _describe_threads(choices: Sequence[Choice]) -> str:
    """Return the numbers of threads in words; empty where nobody measured a time."""
    counts = sorted({each.num_threads for choice in choices for each in choice.candidates if each.num_threads})
    if counts == [1]:
        return "one thread"
    if not counts:
        return ""
    return f"{' or '.join(map(str, counts))} threads"


def _has_several_runtimes(candidates: Sequence[Candidate]) -> bool:
    """Tell whether files of one format ran in several runtimes."""
    pairs = {(each.model.rpartition(".")[2], each.runtime) for each in candidates if each.runtime}
    return len(pairs) > len({suffix for suffix, _ in pairs})


def _plain(text: str) -> str:
    """Return a text for Markdown: a name may hold what would end a cell, or HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _markdown_row(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    """Return a line of a Markdown table."""
    padded = [
        cell.ljust(width) if column.is_name else cell.rjust(width)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    return "| " + " | ".join(padded) + " |"


def _threads(candidate: Candidate) -> str:
    """Write the number of threads."""
    return "" if candidate.num_threads is None else str(candidate.num_threads)


def _megabytes(size: int | None, digits: int = 2) -> str:
    """Write bytes in MB."""
    return "" if size is None else f"{size / 1e6:,.{digits}f}"


def _percent(share: float | None) -> str:
    """Write a share, 0-1, in percent."""
    return "" if share is None else f"{share:.1%}"


def _interval(candidate: Candidate) -> str:
    """Write the interval of the accuracy in percent."""
    if candidate.accuracy_interval is None:
        return ""
    low, high = candidate.accuracy_interval
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _milliseconds(candidate: Candidate, value: float | None) -> str:
    """Write milliseconds, and whether they are noisy."""
    return "" if value is None else f"{'~' if candidate.noisy else ''}{value:.3f}"


def _p90(candidate: Candidate) -> str:
    """Write what nine frames of ten stay within."""
    return _milliseconds(candidate, candidate.frame_to_label_p90_ms)
