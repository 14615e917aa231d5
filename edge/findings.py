"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in a word.
        state: "warning" where something is slower or worse than it could be, "error" where the loop can't run.
        found: What was found, to read.
        mend: What to do, in one line; empty where nothing is to be done.
    """

    name: str
    state: Literal["ok", "warning", "error"]
    found: str
    mend: str = ""
