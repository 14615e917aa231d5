"""Tells by their names which photos belong together, so that those of one object never straddle splits."""

from __future__ import annotations

import re
from dataclasses import replace

from edge.errors import UserError
from train.sources import Source, escape


def group_by_name(source: Source, pattern: str) -> Source:
    """Group photos whose names match a pattern alike; a photo that doesn't match stands for itself.

    Args:
        source: The photos.
        pattern: Regular expression, searched for in the file's name. The group is what its first capture group matched,
            or the whole match where it has none.

    Returns:
        The source, its candidates grouped, with a note of how many groups there are.

    Raises:
        UserError: If it is no regular expression, or matches no name at all.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"Expected a column or a regular expression as --group-by, got {pattern!r}: {error}") from error
    candidates = []
    for candidate in source.candidates:
        match = expression.search(candidate.path.name)
        group = match.group(1 if expression.groups else 0) if match else None
        candidates.append(replace(candidate, group=group or ""))
    groups = {candidate.group for candidate in candidates} - {""}
    if not groups:
        example = escape(source.candidates[0].path.name)
        raise UserError(
            f"Expected --group-by to name a column of a CSV or to match names of files; {pattern!r} is no column here "
            f"and matches none, such as {example!r}"
        )
    alone = sum(not candidate.group for candidate in candidates)
    note = f"Grouped by {pattern!r}: {len(groups):,} groups" + (f"; {alone:,} photos match nothing" if alone else "")
    return replace(source, candidates=tuple(candidates), notes=(*source.notes, escape(note)))
