"""One table over the files of runs, with all that was measured of them; and which of them to take.

    python -m benchmarks.compare                                          the newest run
    python -m benchmarks.compare runs/demo runs/demo-head --output DIR    compare.html, .md, .csv and .json in DIR
    python -m benchmarks.compare --max-latency-ms 10 --max-size-mb 5 --min-accuracy 0.8
    python -m benchmarks.compare runs/demo runs/demo-head --threads 1 --markdown README.md

Measures nothing: it reads what train.run and convert.quantize wrote, and what the benchmarks put into a results file
or into latency.json, accuracy.json, robustness.json and size.json beside the models. What nobody measured is a dash.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edge.command import command, parser, thread_counts
from edge.errors import UserError

if TYPE_CHECKING:
    from benchmarks.candidates import Candidate
    from benchmarks.choice import Choice, Limits

PAGE, MARKDOWN, CSV, JSON = "compare.html", "compare.md", "compare.csv", "compare.json"
MARK = "compare"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the choice, write both where asked; exit 1 where no file keeps to the limits."""
    given = _parse(argv)
    from benchmarks.choice import Limits, choose, explain, nothing_fits
    from benchmarks.compare_table import choose_columns, noise_note, print_choice, to_markdown
    from benchmarks.marks import put_between_marks

    limits = Limits(given.max_latency_ms, given.max_size_mb, given.min_accuracy)
    candidates, machine = gather(given.runs, given.results, given.threads)
    choices, columns = choose(candidates, limits), choose_columns(candidates)
    for choice in choices:
        print_choice(choice, columns)
        print()
        if choice.picked:
            print("\n".join(explain(choice, limits)), end="\n\n")
    if machine:
        print(f"Times are medians on {machine}.{noise_note(choices)}")
    if given.markdown:
        put_between_marks(given.markdown, MARK, to_markdown(choices, columns, machine))
    if given.output:
        write_comparison(given.output, choices, limits, machine)
    for choice in choices:
        if choice.picked is None:
            raise UserError(nothing_fits(choice, limits))
    return 0


def gather(
    runs: Sequence[Path], results: Path | None = None, threads: Sequence[int] = ()
) -> tuple[list[Candidate], str | None]:
    """Read the candidates of runs.

    Args:
        runs: Their folders, as the user typed them.
        results: A results file, for what the benchmarks measured.
        threads: Only the times with so many threads; empty for all.

    Returns:
        The candidates, and the machine that the times are of; None without times.

    Raises:
        UserError: If a file is missing or isn't what its command writes, or if times of several machines meet.
    """
    from benchmarks.candidates import read_candidates
    from benchmarks.measured import measure_command
    from benchmarks.results import read_results
    from edge.run_folder import resolve_run

    content = read_results(results) if results else None
    folders: dict[Path, Path] = {}
    for run in runs:
        folders.setdefault(resolve_run(run), run)  # each once; advice names it as the user typed it
    names = [folder.name for folder in folders]
    if len({*names}) < len(names):
        raise UserError(f"Expected runs of different names, got {', '.join(map(str, runs))}; rename a folder")
    candidates: list[Candidate] = []
    machines: dict[str, Path] = {}
    for run in folders.values():
        its, machine = read_candidates(run, content, threads)
        candidates += its
        if machine:
            machines.setdefault(machine, run)
        else:
            print(f"no latency measured yet; measure: {measure_command(run, 'latency')}", file=sys.stderr)
    if len(machines) > 1:
        seen = " and ".join(f"{machine} ({run})" for machine, run in machines.items())
        raise UserError(
            f"Expected times of one machine, got those of {seen}; measure again, or name one --results FILE"
        )
    return candidates, next(iter(machines), None)


def write_comparison(folder: Path, choices: Sequence[Choice], limits: Limits, machine: str | None) -> None:
    """Write the page and the tables into a folder, which is made where it is missing.

    Raises:
        UserError: If it can't be written to.
    """
    from dataclasses import asdict

    from benchmarks.choice import explain
    from benchmarks.compare_page import render_page
    from benchmarks.compare_table import choose_columns, to_csv, to_markdown, to_rows
    from edge.run_folder import write_json, write_whole

    columns = choose_columns([each for choice in choices for each in choice.candidates])
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    parts = ["# Comparison"]
    for choice in choices:
        parts += [to_markdown([choice], columns, machine), "\n".join(f"- {line}" for line in explain(choice, limits))]
    page = render_page(choices, columns, limits, machine, created)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / PAGE, page.encode("utf-8", "backslashreplace"))
        write_whole(folder / MARKDOWN, ("\n\n".join(parts) + "\n").encode("utf-8", "backslashreplace"))
        write_whole(folder / CSV, to_csv(choices).encode("utf-8", "backslashreplace"))
        content = {"created": created, "machine": machine, "limits": asdict(limits), "rows": to_rows(choices)}
        write_json(folder / JSON, content)
    except OSError as error:
        raise UserError(f"Could not write to {folder}: {error.strerror}; name another --output DIR") from error
    print(f"wrote {folder / PAGE}, {MARKDOWN}, {CSV} and {JSON}", file=sys.stderr)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the flags."""
    flags = parser("python -m benchmarks.compare", "Compare the files of runs, and choose the best under limits.")
    flags.add_argument(
        "runs", nargs="*", type=Path, default=[Path("runs/latest")], metavar="RUN", help="folders, as train.run writes"
    )
    flags.add_argument("--output", type=Path, metavar="DIR", help="write compare.html, .md, .csv and .json there")
    flags.add_argument(
        "--results", type=Path, metavar="FILE", help="results file of a machine, of what the benchmarks measured there"
    )
    flags.add_argument(
        "--threads", type=thread_counts, default=[], metavar="N,N", help="only times with so many threads"
    )
    flags.add_argument(
        "--max-latency-ms", type=_positive, metavar="MS", help="choose within this median time from frame to label"
    )
    flags.add_argument("--max-size-mb", type=_positive, metavar="MB", help="choose among files of at most this size")
    flags.add_argument(
        "--min-accuracy", type=_share, metavar="SHARE", help="choose among files at least as accurate, 0 to 1"
    )
    flags.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help=f"also put the table into FILE, between <!-- {MARK} --> and <!-- end of {MARK} -->",
    )
    return flags.parse_args(argv)


def _positive(text: str) -> float:
    """Parse a number above 0, as an argparse type."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _share(text: str) -> float:
    """Parse a share of 0 to 1, as an argparse type."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share of 0 to 1, such as 0.9, got {text!r}")
    return value


def _number(text: str) -> float:
    """Return a number; NaN for a text that is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


if __name__ == "__main__":
    sys.exit(main())
