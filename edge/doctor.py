"""Says what of this machine stands in the way, and how to mend it.

    python -m edge.doctor

One line a finding: what was found and, where something is wrong, what to do. Exit code 0, whatever is found; 1 where
something keeps the camera loop from running at all. Needs neither NumPy nor OpenCV nor a model, and runs from a copy of
this folder too: `python edge/doctor.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by path: the folder above edge/ takes the place of edge/ itself
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import dataclasses
import json
from collections.abc import Sequence

from edge.command import command, parser

_DESCRIPTION = """\
Looks at this machine: Python, packages and how they go together, cameras, memory, heat and power. Says what is wrong,
and how to mend it in one line each."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see the module."""
    given = _parse_flags(argv)

    from edge.findings_board import examine_board
    from edge.findings_cameras import examine_cameras
    from edge.findings_python import examine_python

    findings = [*examine_python(), *examine_cameras(), *examine_board()]
    stopped = any(finding.state == "error" for finding in findings)
    if given.json:
        print(json.dumps({"ok": not stopped, "findings": [dataclasses.asdict(one) for one in findings]}, indent=2))
        return int(stopped)
    for finding in findings:
        mend = f"; {finding.mend}" if finding.mend else ""
        print(f"{finding.state:<8} {finding.name:<12} {finding.found}{mend}")
    return int(stopped)


def _parse_flags(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    flags = parser("edge.doctor", _DESCRIPTION)
    flags.add_argument("--json", action="store_true", help="print the findings as JSON")
    return flags.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
