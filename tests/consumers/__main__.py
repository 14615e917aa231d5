"""Asks everyone who reads such files about a run's files: do they see the same labels and give the same answers?

    python -m tests.consumers --run runs/latest
    python -m tests.consumers --run runs/latest --markdown docs/consumers.md

Each consumer runs in an environment of its own, made in `.venv-consumers` at the first call (a minute or two, 1 GB).
One that can't be made here is skipped, and why is said. Exits 1 where a consumer answers otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.marks import put_between_marks
from edge.command import add_run_flag, command, parser, positive_int
from edge.errors import UserError
from edge.run_folder import resolve_run, write_json
from tests.consumers.catalogue import CONSUMERS, Consumer
from tests.consumers.environments import prepare
from tests.consumers.matrix import ask_all, read_photos
from tests.consumers.table import print_table, to_json, to_markdown


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Ask, show, and exit 1 where anything differs."""
    flags = parser("python -m tests.consumers", "Ask everyone who reads such files about a run's files.")
    add_run_flag(flags)
    flags.add_argument(
        "--photos", type=positive_int, metavar="N", help="of the test split, evenly chosen (default: all)"
    )
    flags.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        default=[],
        help="ask these consumers, and those that they are compared with",
    )
    flags.add_argument("--json", type=Path, metavar="FILE", help="also write the table as JSON")
    flags.add_argument("--markdown", type=Path, metavar="FILE", help="also put the table into FILE, between its marks")
    given = flags.parse_args(argv)
    consumers = _choose(given.only)
    run = resolve_run(given.run)
    photos = read_photos(run, given.photos)
    rows = []
    for row in ask_all(run, photos, consumers, prepare):
        print(f"{row.file}, {row.consumer}: {row.state}", file=sys.stderr)
        rows.append(row)
    print_table(rows)
    if given.json:
        write_json(given.json, to_json(rows))
    if given.markdown:
        put_between_marks(given.markdown, "consumers", to_markdown(rows))
    return 1 if any(row.state == "differs" for row in rows) else 0


def _choose(names: Sequence[str]) -> list[Consumer]:
    """Return the consumers of these names, and the first of each suffix; all for no names."""
    unknown = {*names} - {each.name for each in CONSUMERS}
    if unknown:
        known = ", ".join(repr(each.name) for each in CONSUMERS)
        raise UserError(f"Expected consumers of {known}; got {', '.join(map(repr, sorted(unknown)))}")
    chosen = [each for each in CONSUMERS if not names or each.name in names]
    references = {each.suffix: each.name for each in reversed(CONSUMERS)}  # the first of a suffix stays
    needed = {name for each in chosen for name in (each.name, each.kin, references[each.suffix])}
    return [each for each in CONSUMERS if each.name in needed]


if __name__ == "__main__":
    sys.exit(main())
