"""Puts what a command measured into a Markdown file, between marks: README's tables are written, not typed."""

from __future__ import annotations

from pathlib import Path

from edge.errors import UserError
from edge.run_folder import write_whole


def put_between_marks(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end of name -->` in a Markdown file.

    Raises:
        UserError: If the file can't be read, or doesn't hold each mark once, in their order.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Expected a Markdown file at {path}, could not read it: {error}") from error
    before, found, rest = content.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended or begin in rest or end in before + after:
        raise UserError(f"Expected {begin} and {end} once each in {path}; write them where the table shall stand")
    write_whole(path, f"{before}{begin}\n{text}\n{end}{after}".encode())
