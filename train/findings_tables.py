"""The pre-flight's findings as tables and lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from train.dataset import SPLITS
from train.examine import ODDITIES

_LINES = 20  # of each kind of finding; the JSON has all
_NAMES = 2  # examples beside a count
_UNEVEN = 3.0  # the largest class by the smallest, from where on it is worth a word


def print_findings(found: dict[str, Any], console: Console) -> None:
    """Print findings: the classes, a count of each kind of finding, and the names of what is wrong."""
    licence = f", licence {found['licence']}" if found["licence"] else ""
    photos = found["photos"]
    console.print(
        f"{found['name']}: {photos['found']:,} photos found, {photos['used']:,} used in {len(found['classes'])} "
        f"classes{licence}",
        soft_wrap=True,
    )
    console.print(_classes(found))
    console.print(_counts(found))
    for line in (*_problem_lines(found), *_near_lines(found)):
        console.print(line, soft_wrap=True)


def tell(found: dict[str, Any], console: Console) -> None:
    """Print what a training says of its photos: what is wrong, by name, and the size of each class in each split."""
    for line in _problem_lines(found):
        console.print(line)
    photos, near = found["photos"], found["near_duplicates"]
    if photos["quarantined"]:
        console.print(f"{photos['quarantined']:,} left out, untouched; listed in dataset.json")
    licence = f", licence {found['licence']}" if found["licence"] else ""
    console.print(f"{found['name']}: {photos['used']:,} photos, {len(found['classes'])} classes{licence}")
    for split in SPLITS:
        counts = {label: each[split] for label, each in found["classes"].items()}
        parts = ", ".join(f"{label} {count:,}" for label, count in counts.items())
        console.print(f"  {split:<10} {sum(counts.values()):>6,}  ({parts})")
    if near["count"]:
        across = f"{near['across_splits']:,} of them across splits"
        console.print(f"{near['count']:,} pairs of photos look alike, {across}; python -m train.inspect shows them")


def _problem_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong, by name."""
    yield from _at_most(_LINES, [f"left out: {each['path']}: {each['reason']}" for each in found["quarantined"]])
    yield from _at_most(_LINES, [_leak(pair) for pair in found["leaks"]["pairs"]])
    groups = found["straddling_groups"].items()
    yield from _at_most(_LINES, [f"group in several splits: {group}: {', '.join(splits)}" for group, splits in groups])


def _near_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the photos that look alike, those across splits first."""
    near = found["near_duplicates"]
    yield from _at_most(_LINES // 2, [_near(pair) for pair in near["pairs"]], near["count"])


def _at_most(most: int, lines: Sequence[str], count: int | None = None) -> Iterator[str]:
    """Yield the first lines, then how many of `count` there are besides, by default of the lines."""
    count = len(lines) if count is None else count
    yield from lines[:most]
    if count > most:
        listed = "all" if count == len(lines) else f"{len(lines):,}"
        yield f"... and {count - most:,} more; train.inspect --json has {listed}"


def _leak(pair: dict[str, Any]) -> str:
    """Name a pair of copies in two splits."""
    (copy, kept), (split, judging) = pair["paths"], pair["splits"]
    return f"in two splits, same {pair['identical']}: {copy} ({split}) = {kept} ({judging})"


def _near(pair: dict[str, Any]) -> str:
    """Name a pair that looks alike."""
    (one, other), (its, others) = pair["paths"], pair["splits"]
    labels = "" if len(set(pair["labels"])) == 1 else f", {pair['labels'][0]} and {pair['labels'][1]}"
    return f"look alike, {pair['distance']} of 64 bits differ{labels}: {one} ({its}) ~ {other} ({others})"


def _classes(found: dict[str, Any]) -> Table:
    """Build the table of photos a class and split."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("class", overflow="fold")
    for title in (*SPLITS, "all", "share"):
        table.add_column(title, justify="right", no_wrap=True)
    used = found["photos"]["used"]
    for label, counts in found["classes"].items():
        total = sum(counts.values())
        table.add_row(Text(label), *(f"{counts[split]:,}" for split in SPLITS), f"{total:,}", f"{total / used:.1%}")
    table.add_section()
    totals = [sum(counts[split] for counts in found["classes"].values()) for split in SPLITS]
    table.add_row("all", *(f"{total:,}" for total in totals), f"{used:,}", "")
    return table


def _counts(found: dict[str, Any]) -> Table:
    """Build the table of what was found how often."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("finding", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("about", overflow="fold")
    for name, count, about, style in _rows(found):
        table.add_row(name, f"{count:,}", Text(about if count else ""), style=style if count else "dim")
    return table


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, int, str, str]]:
    """Yield each kind of finding: name, count, what about it, style."""
    leaks, near, identical = found["leaks"], found["near_duplicates"], found["identical"]
    handling = {"refuse": "an error", "allow": "allowed", "drop": "dropped from the split that doesn't judge"}
    yield "left out", found["photos"]["quarantined"], "named below; the files stay as they are", "red"
    yield "copies in two splits", leaks["count"], f"a leak: {handling[leaks['handling']]}", "red"
    yield "copies under two classes", len(found["conflicts"]), "left out, as examples of neither", "red"
    if found["straddling_groups"]:
        yield "groups in two splits", len(found["straddling_groups"]), "a leak", "red"
    yield "photos with copies", identical["groups"], f"{identical['photos']:,} files, dealt together", ""
    across = f"{near['across_splits']:,} pairs across splits, {near['across_classes']:,} across classes"
    yield "look alike", near["count"], f"{across}; {near['distance']} of 64 bits differ at most", "yellow"
    for name, explanation in ODDITIES.items():
        odd = found["oddities"][name]
        if odd["count"]:
            names = f": {', '.join(odd['examples'][:_NAMES])}" if odd["count"] <= _LINES else ""
            yield name, odd["count"], explanation + names, ""
    strays = found["strays"]
    if strays["count"]:
        yield "stray files", strays["count"], ", ".join(strays["examples"][:_NAMES]), "yellow"
    uneven = found["imbalance"]
    if uneven["ratio"] >= _UNEVEN:
        yield (
            "imbalance",
            round(uneven["ratio"]),
            f"times as many {uneven['largest']} as {uneven['smallest']}",
            "yellow",
        )
