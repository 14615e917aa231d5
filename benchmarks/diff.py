"""Names what got worse from one results file to another; exits 1 if anything did, so that CI can stop there.

    python -m benchmarks.diff benchmarks/results/old.json new.json
    python -m benchmarks.diff old.json new.json --tolerance 10% --ratios

Both may be results files (`--results` of the benchmarks), or what one benchmark wrote with `--json`. Times and memory
of machines that differ can't be compared as they stand, so each is compared over that of the float32 file beside it;
with `--ratios` always. Load and first inference are left out: single events, which no tolerance fits. What is missing
or new is named, and is no fault.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import command, parser
from edge.errors import UserError

if TYPE_CHECKING:
    from benchmarks.differences import Differences

# A key that only the rows of a section have, for what --json wrote.
_TELLING = {
    "invoke_ms": "latency",
    "camera_to_label_ms": "sustained",
    "gzip_bytes": "size",
    "corrupted_accuracy": "robustness",
    "accuracy": "accuracy",
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print, and exit 1 where something got worse."""
    flags = parser("python -m benchmarks.diff", "Name what got worse from one results file to another.")
    flags.add_argument("old", type=Path, metavar="OLD", help="results file, or what one benchmark wrote with --json")
    flags.add_argument("new", type=Path, metavar="NEW", help="the same kind of file, which is judged")
    flags.add_argument(
        "--tolerance", type=_percent, default="5%", metavar="PERCENT", help="by how much times and bytes may differ"
    )
    flags.add_argument(
        "--ratios",
        action="store_true",
        help="compare times and memory over those of the float32 file on one machine too",
    )
    given = flags.parse_args(argv)
    from benchmarks.differences import find_differences

    old, new = read_sections(given.old), read_sections(given.new)
    if not old.keys() & new.keys():
        raise UserError(
            f"Expected results of the same benchmarks, {given.old} has {', '.join(old) or 'none'} and {given.new} "
            f"{', '.join(new) or 'none'}; name two of a kind"
        )
    try:
        found = find_differences(old, new, given.tolerance, as_ratios=given.ratios)
    except ValueError as error:
        reason = ascii(str(error))[1:-1]
        raise UserError(f"Expected figures in {given.old} and {given.new}, got {reason}; measure again") from error
    if not found.same and not found.worse and not found.better:
        raise UserError(f"Expected figures that {given.old} and {given.new} both have, found none; name two of a kind")
    _print(found)
    return 1 if found.worse else 0


def read_sections(path: Path) -> dict[str, dict[str, Any]]:
    """Read a results file, or a file of one section.

    Returns:
        Section -> its content, with "machine" and "rows".

    Raises:
        UserError: If it is neither.
    """
    from benchmarks.results import read_results
    from edge.run_folder import read_json

    content = read_json(path, "a benchmark with --json or --results")
    rows = content.get("rows")
    if rows is None:
        return {name: section for name, section in read_results(path).items() if name != "machine"}
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"Expected measured rows in {path}, found none; measure again")
    section = next((name for key, name in _TELLING.items() if key in rows[0]), None)
    if section is None:
        raise UserError(
            f"Expected rows of latency, sustained, accuracy, robustness or size in {path}; name another file"
        )
    return {section: content}


def _print(found: Differences) -> None:
    """Print what differs, the worst first, and a last line of counts."""
    headings = {
        "Worse": found.worse,
        "Better": found.better,
        "Missing": found.missing,
        "New": found.new,
        "Not compared": found.passed_over,
    }
    for heading, lines in headings.items():
        if lines:
            print("\n".join([f"{heading}:", *(f"  {line}" for line in lines)]))
    print(f"{len(found.worse)} worse, {len(found.better)} better, {found.same} as before")


def _percent(text: str) -> float:
    """Parse a percentage of 0 to 1000, such as "5%", as an argparse type."""
    number = re.fullmatch(r"(\d{1,4}(?:\.\d+)?)%?", text)
    if number is None or float(number[1]) > 1000:
        raise argparse.ArgumentTypeError(f"expected a percentage such as 5%, got {text!r}")
    return float(number[1]) / 100


if __name__ == "__main__":
    sys.exit(main())
