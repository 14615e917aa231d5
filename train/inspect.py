"""Looks at photos as every training does, without training: `python -m train.inspect [--data FOLDER]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from edge.command import command, parser
from edge.errors import UserError
from edge.run_folder import write_json
from train.data_settings import DataSettings, add_data_flags

_PICTURES = (".jpg", ".jpeg", ".png")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Print what was found; exit with 1 where a training would refuse."""
    flags = parser("python -m train.inspect", "Look at a data set's photos as every training does before it starts.")
    add_data_flags(flags)
    flags.add_argument("--json", type=Path, metavar="FILE", help="write all that was found as JSON")
    flags.add_argument(
        "--contact-sheet", type=Path, metavar="FILE", help="draw examples of each class and what is wrong, .jpg or .png"
    )
    arguments = flags.parse_args(argv)
    if arguments.contact_sheet and arguments.contact_sheet.suffix.lower() not in _PICTURES:
        flags.error(f"argument --contact-sheet: expected a name that ends in {', '.join(_PICTURES)}")
    asked = DataSettings(**{each.name: getattr(arguments, each.name) for each in fields(DataSettings)})
    from rich.console import Console

    from train.contact_sheet import draw_contact_sheet
    from train.findings import findings
    from train.findings_tables import print_findings
    from train.preflight import look
    from train.progress import stderr_console

    for path in (arguments.json, arguments.contact_sheet):
        if path and not path.parent.is_dir():
            raise UserError(f"Expected to write {path}, there is no folder {path.parent}; make it first")
    preflight = look(asked, stderr_console())
    found = findings(preflight)
    print_findings(found, Console(markup=False, emoji=False, highlight=False))
    if arguments.json:
        write_json(arguments.json, found)
    if arguments.contact_sheet:
        draw_contact_sheet(preflight, arguments.contact_sheet)
    preflight.check()
    return 0


if __name__ == "__main__":
    sys.exit(main())
