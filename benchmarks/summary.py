"""One table of a run or several: each file with its size, accuracy, agreement with the Keras model, and latency.

    python -m benchmarks.summary --run runs/latest
    python -m benchmarks.summary --run runs/demo runs/demo-head --markdown README.md

Only reads what train.run, convert.quantize and `benchmarks.latency --json` wrote.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import add_run_flag, command, parser
from edge.errors import UserError
from edge.run_folder import read_json, resolve_run, write_whole

if TYPE_CHECKING:
    from rich.table import Table


_BEGIN, _END = "<!-- summary -->", "<!-- end of summary -->"


@dataclass(frozen=True)
class FileSummary:
    """A line of the table; None is what nobody measured.

    Attributes:
        model: Name of the architecture.
        file: The file's name.
        size_bytes: Its size.
        accuracy: On the test split, 0-1.
        agreement: Share of the test photos on which it answers as model.keras does, 0-1.
        invoke_ms: Median time of an inference.
        frame_to_label_ms: Median time from a decoded camera frame to its label.
    """

    model: str
    file: str
    size_bytes: int
    accuracy: float
    agreement: float | None
    invoke_ms: float | None
    frame_to_label_ms: float | None


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    flags = parser("python -m benchmarks.summary", "Show the files of runs: size, accuracy, agreement, latency.")
    add_run_flag(flags, nargs="+")
    flags.add_argument(
        "--latency", type=Path, metavar="FILE", help="JSON of benchmarks.latency (default: latency.json in each run)"
    )
    flags.add_argument(
        "--markdown", type=Path, metavar="FILE", help=f"also put the table into FILE, between {_BEGIN} and {_END}"
    )
    arguments = flags.parse_args(argv)
    counts: set[int] = set()
    lines: list[FileSummary] = []
    machines: set[str] = set()
    if arguments.latency and len(arguments.run) > 1:
        raise UserError(
            "Expected one --run with --latency, which is about one; leave it out: each has its latency.json"
        )
    for run in arguments.run:
        resolve_run(run)  # only to say so where it isn't there: advice names the folder as the user typed it
        latency = _find_latency(run, arguments.latency)
        n, its = summarize(run, latency)
        counts.add(n)
        lines += its
        if latency:
            machines.add(_read_machine(latency))
    photos = " or ".join(f"{count:,}" for count in sorted(counts))
    _print_table(photos, lines)
    if arguments.markdown:
        put_between_marks(arguments.markdown, _markdown(photos, lines, " or ".join(sorted(machines))))
    return 0


def _find_latency(run: Path, given: Path | None) -> Path | None:
    """Return the file of a run's latency; None, and say so, where nobody measured it."""
    latency = given or run / "latency.json"
    if given or latency.exists():
        return latency
    print(f"no latency measured yet; measure: {_measure(run, latency)}", file=sys.stderr)
    return None


def summarize(run: Path, latency: Path | None) -> tuple[int, list[FileSummary]]:
    """Gather the lines of the table, the Keras model's first.

    Args:
        run: The run's folder.
        latency: The JSON that benchmarks.latency wrote; of it the rows of the fewest threads count. None: no times.

    Returns:
        Number of test photos, and the lines.

    Raises:
        UserError: If a file is missing, isn't what its command writes, or times an older model.
    """
    train = "python -m train.run"
    convert = f"python -m convert.quantize --int8 --run {run}"
    measure = _measure(run, latency) if latency else ""
    metrics, conversion = read_json(run / "metrics.json", train), read_json(run / "conversion.json", convert)
    timed = read_json(latency, measure) if latency else {"rows": []}
    try:
        keras = run / "model.keras"
        n, model = int(metrics["test"]["n"]), str(read_json(run / "config.json", train)["model"])
        accuracy = float(metrics["test"]["accuracy"])
        lines = [FileSummary(model, keras.name, keras.stat().st_size, accuracy, None, None, None)]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"Expected a finished training in {run}, {_lack(error)}; train again: {train}") from error
    try:
        rows = _fewest_threads(timed["rows"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"Expected timed rows in {latency}, {_lack(error)}; measure again: {measure}") from error
    try:
        for file, entry in conversion["files"].items():
            row = rows.get(file, {})
            if row and row.get("sha256") != entry["sha256"]:
                raise UserError(f"{latency} timed another {file} than the one in {run}; measure again: {measure}")
            lines.append(
                FileSummary(
                    model,
                    file,
                    int(entry["size_bytes"]),
                    float(entry["test"]["accuracy"]),
                    float(entry["test"]["agreement"]),
                    float(row["invoke_ms"]["p50"]) if row else None,
                    float(row["frame_to_label_ms"]["p50"]) if row else None,
                )
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"conversion.json of {run} or {latency}: {_lack(error)}; write again: {convert}") from error
    return n, lines


def _measure(run: Path, latency: Path) -> str:
    """Return the command that writes a run's latency."""
    return f"python -m benchmarks.latency --run {run} --json {latency}"


def _fewest_threads(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each file's row with the fewest threads, by the file's name."""
    ordered = sorted(rows, key=lambda row: -int(row["num_threads"]))
    return {Path(row["model"]).name: row for row in ordered}  # the last of a name stays


def _lack(error: Exception) -> str:
    """Say what an error of reading a JSON's keys means."""
    return f"{error} is missing" if isinstance(error, KeyError) else f"got {error}"


def put_between_marks(path: Path, text: str) -> None:
    """Replace what stands between the marks of a Markdown file.

    Raises:
        UserError: If the file can't be read, or doesn't hold each mark once, in their order.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Expected a Markdown file at {path}, could not read it: {error}") from error
    before, begin, rest = content.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end or _BEGIN in rest or _END in before + after:
        raise UserError(f"Expected {_BEGIN} and {_END} once each in {path}; write them where the table shall stand")
    write_whole(path, f"{before}{_BEGIN}\n{text}\n{_END}{after}".encode())


def _read_machine(latency: Path) -> str:
    """Return the processor's name as benchmarks.latency saw it."""
    machine = read_json(latency, "python -m benchmarks.latency").get("machine", {})
    return f"{machine.get('cpu_model') or 'an unnamed processor'}, {machine.get('cores', '?')} cores"


def _markdown(photos: str, lines: Sequence[FileSummary], machine: str) -> str:
    """Return the table in Markdown."""
    from rich.box import MARKDOWN
    from rich.console import Console

    text = io.StringIO()
    table = _table(lines)
    table.box = MARKDOWN
    Console(file=text, width=200).print(table)
    rows = "\n".join(line.strip() for line in text.getvalue().splitlines() if line.strip())
    return f"{rows}\n\nMedians of one thread on {machine or 'no machine yet'}; {photos} test photos."


def _print_table(photos: str, lines: Sequence[FileSummary]) -> None:
    """Print the table, the number of photos above it."""
    from rich.console import Console

    table = _table(lines)
    table.title, table.title_justify, table.show_edge = f"On {photos} test photos", "left", False
    table.padding = (0, 1, 0, 0)
    console = Console()
    needed = console.measure(table, options=console.options.update(max_width=200)).maximum
    console.width = max(console.width, needed)  # a narrow terminal wraps lines: better than names cut in two
    console.print(table)


def _table(lines: Sequence[FileSummary]) -> Table:
    """Return the lines as a table of rich."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    several = len({line.model for line in lines}) > 1
    if several:
        table.add_column("model", overflow="fold")
    table.add_column("file", overflow="fold")
    for heading in ("size", "accuracy", "agreement", "invoke", "frame to label"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            *([escape(line.model)] if several else []),
            escape(line.file),
            f"{line.size_bytes / 1e6:,.2f} MB",
            f"{line.accuracy:.1%}",
            "" if line.agreement is None else f"{line.agreement:.1%}",
            "" if line.invoke_ms is None else f"{line.invoke_ms:.3f} ms",
            "" if line.frame_to_label_ms is None else f"{line.frame_to_label_ms:.3f} ms",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
