"""Writes a finished run's report.html anew: `python -m train.report [--run DIR]`. train.run writes it by itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edge.command import add_run_flag, command, parser
from edge.run_folder import read_json, resolve_run


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Write the report and print where it is."""
    flags = parser("python -m train.report", "Write report.html of a finished run anew, from the files in its folder.")
    add_run_flag(flags)
    arguments = flags.parse_args(argv)
    from train.report_page import REPORT, write_report

    run = resolve_run(arguments.run)
    write_report(run, read_json(run / "metrics.json", "python -m train.run"))
    print(arguments.run / REPORT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
