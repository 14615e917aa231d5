"""Shows what was found on the boards: a table, sizes, what differs, JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.pi.comparison import Comparison
from tests.pi.trial import Filmed, Tested, Verified

MOST_PACKAGES_BYTES = 350_000_000  # what may be installed on a device


@dataclass(frozen=True)
class Report:
    """All that was found.

    Attributes:
        suite: The release of Debian.
        packages_bytes: What base and extra edge take on a card, pip and setuptools of the environment included.
        python_bytes: What the system's Python takes, by Debian's word.
        here: Fingerprint of this machine.
        boards: Fingerprints of the boards, by name; QEMU's speed is no board's, so there are no times.
        comparisons: Scores, a row a file and board.
        verified: Golden samples, a row a file and board.
        filmed: The camera line, a row a file and board.
        tested: The tests of edge/, where they were run.
    """

    suite: str
    packages_bytes: int
    python_bytes: int
    here: dict[str, Any]
    boards: dict[str, dict[str, Any]]
    comparisons: list[Comparison]
    verified: list[Verified]
    filmed: list[Filmed]
    tested: list[Tested]

    @property
    def faults(self) -> list[str]:
        """What isn't as it should be, in words; empty where all is well."""
        found = [
            f"{row.board}, {row.file}: scores differ by {_difference(row)}, allowed {row.allowed:g}"
            for row in self.comparisons
            if not row.passed
        ]
        for row in self.verified:
            found += [f"{row.board}, {row.file}, edge.verify: {differs}" for differs in row.differs]
        for film in self.filmed:
            if not film.passed:
                found.append(
                    f"{film.board}, {film.file}: {film.answers} answers to {film.frames} frames, "
                    f"{film.same_labels} as on x86, {film.close} nearly"
                )
        for tests in self.tested:
            found += [f"{tests.board}, tests of edge/: {failed}" for failed in tests.failed]
        if self.packages_bytes > MOST_PACKAGES_BYTES:
            found.append(f"packages take {_mb(self.packages_bytes)}, allowed {_mb(MOST_PACKAGES_BYTES)}")
        return found


def to_json(report: Report) -> dict[str, Any]:
    """Return what --json writes."""
    return {**dataclasses.asdict(report), "faults": report.faults}


def print_report(report: Report) -> None:
    """Print it to stdout."""
    console = Console()
    console.print(_table(report))
    lines = [
        f"Debian {report.suite} on arm64, in 4 KB blocks: {_mb(report.packages_bytes)} for the base and the extra edge "
        f"(at most {_mb(MOST_PACKAGES_BYTES)}), pip included; {_mb(report.python_bytes)} more for the system's Python"
    ]
    for tests in report.tested:
        lines.append(
            f"Tests of edge/ on {tests.board}: {tests.passed} passed, {len(tests.failed)} failed, "
            f"{len(tests.skipped)} skipped"
        )
        lines += [f"  skipped {each}" for each in tests.skipped]
    if any(film.close for film in report.filmed):
        lines.append("video: so many answers as on x86 + classes that x86 held for nearly as likely")
    lines += [f"DIFFERS {fault}" for fault in report.faults]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(report: Report) -> Table:
    """Build the table: a row a file and board."""
    table = Table(
        title="arm64 against x86", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False
    )
    table.add_column("file", no_wrap=True)
    table.add_column("board", no_wrap=True)
    for heading in ("photos", "equal", "largest difference", "same top-1", "golden samples", "video"):
        table.add_column(heading.replace(" ", "\n"), justify="right")
    verified = {(row.file, row.board): row for row in report.verified}
    filmed = {(row.file, row.board): row for row in report.filmed}
    for row in sorted(report.comparisons, key=lambda row: (row.file.rpartition(".")[2] != "tflite", row.file)):
        golden, film = verified.get((row.file, row.board)), filmed.get((row.file, row.board))
        table.add_row(
            escape(row.file),
            row.board,
            str(row.photos),
            f"{100 * row.equal_share:.0f} %",
            _difference(row) if row.passed else f"[red]{_difference(row)}[/]",
            str(row.same_top1),
            "" if golden is None else str(golden.samples) if golden.passed else "[red]DIFFER[/]",
            "" if film is None else _answers(film) if film.passed else "[red]DIFFERS[/]",
        )
    return table


def _difference(row: Comparison) -> str:
    """Write the largest difference in its unit."""
    return f"{row.largest_difference:.0f} steps" if row.unit == "steps" else f"{row.largest_difference:.1g}"


def _answers(film: Filmed) -> str:
    """Write how many of a video's answers are those of x86."""
    return f"{film.same_labels}+{film.close}" if film.close else str(film.same_labels)


def _mb(size: int) -> str:
    """Write bytes as MB."""
    return f"{size / 1e6:.0f} MB"
