"""The settings that say which photos are used and how they are split, and their flags: the same for every command."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from edge.command import seed
from edge.errors import UserError

LEAKS = ("refuse", "allow", "drop")
NEAR_DUPLICATES = ("report", "error")


@dataclass(frozen=True)
class DataSettings:
    """Which photos are used, and how they are split.

    Attributes:
        data: Name of a known data set, kaggle:OWNER/NAME, a CSV or a folder.
        split: Percent of train, validation, test.
        seed: Which of the possible deals.
        group_by: Column of a CSV or regular expression on the files' names, whose groups are kept together; or None.
        leaks: What is done about a photo in two given splits, one of LEAKS.
        near_duplicates: What is done about photos that look alike, one of NEAR_DUPLICATES.
    """

    data: str = "solar-cells"
    split: tuple[int, int, int] = (70, 15, 15)
    seed: int = 0
    group_by: str | None = None
    leaks: str = "refuse"
    near_duplicates: str = "report"


def add_data_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags whose values are those of DataSettings, by the same names."""
    flags.add_argument(
        "--data",
        default="solar-cells",
        metavar="NAME|FOLDER|CSV",
        help="solar-cells, fashion-mnist, kaggle:OWNER/NAME; a folder: one per class, or train/valid/test above them; "
        "a CSV with columns such as filepath, label, split",
    )
    flags.add_argument(
        "--split", type=split_ratios, default="70/15/15", metavar="A/B/C", help="percent train/validation/test"
    )
    flags.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of everything random")
    flags.add_argument(
        "--group-by",
        type=pattern,
        metavar="COLUMN|REGEX",
        help="keep photos together that are alike in this column of the CSV, or in what this regular expression "
        "matches of the file's name (its first group, or all)",
    )
    leaks = flags.add_mutually_exclusive_group()
    leaks.add_argument(
        "--allow-leaks",
        dest="leaks",
        action="store_const",
        const="allow",
        default="refuse",
        help="train although the same photo is in two splits",
    )
    leaks.add_argument(
        "--drop-leaks",
        dest="leaks",
        action="store_const",
        const="drop",
        default="refuse",
        help="leave out copies of a photo that is in two splits: test keeps it, then validation",
    )
    flags.add_argument(
        "--near-duplicates",
        choices=NEAR_DUPLICATES,
        default="report",
        help="whether photos that look alike are an error",
    )


def split_ratios(text: str) -> tuple[int, int, int]:
    """Parse A/B/C, percents of train, validation, test, as an argparse type.

    Raises:
        UserError: If they don't make 100.
    """
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected three percents above 0, such as 70/15/15, got {text!r}")
    train, validation, test = map(int, parts)
    if train + validation + test != 100:
        sum_of_all = train + validation + test
        raise UserError(f"Expected a --split of percents that make 100, got {text}, which makes {sum_of_all}")
    return train, validation, test


def pattern(text: str) -> str:
    """Check a regular expression, as an argparse type."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"expected a column or a regular expression, got {text!r}: {error}") from error
    return text
