"""Holds two results against each other, row by row: what got worse, what got better, what is missing or new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.metrics import METRICS, Metric, Row, judge, judge_pairs, read_value
from benchmarks.results import KEY, key_of

# What makes two machines one: a speed may be compared as it stands.
_MACHINE = ("cpu_model", "cpu_flags", "cores", "board", "architecture", "governor")
_FLOAT32 = "float32"
Rows = Mapping[tuple[str, ...], Row]


@dataclass
class Differences:
    """What two results differ in, in words, a line each.

    Attributes:
        worse: Figures that got worse.
        better: Figures that got better.
        missing: What only the old results have.
        new: What only the new results have.
        passed_over: What could not be compared, and why.
        same: How many figures are as before, within what is allowed.
    """

    worse: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    same: int = 0


def find_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float, *, as_ratios: bool = False
) -> Differences:
    """Compare sections of results.

    Args:
        old: Section -> {"machine", "rows"}.
        new: The same, which is judged.
        tolerance: Share by which times and bytes may differ.
        as_ratios: Whether times and memory are compared over those of the float32 file, as they are anyway where the
            machines differ.

    Raises:
        ValueError: If a figure is no number.
    """
    found = Differences()
    for section in dict.fromkeys((*old, *new)):
        if section not in new:
            found.missing.append(f"{section}: all of it")
        elif section not in old:
            found.new.append(f"{section}: all of it")
        else:
            same = is_same_machine(old[section], new[section])
            if not same:
                found.passed_over.append(f"{section}: times and memory as they stand: the machines differ")
            _compare(section, _by_key(old[section]), _by_key(new[section]), tolerance, as_ratios or not same, found)
    return found


def is_same_machine(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether two sections were measured on machines that can't be told apart by what makes speed."""
    machines = [each.get("machine") for each in (old, new)]
    before, now = (each if isinstance(each, Mapping) else {} for each in machines)
    return all(before.get(key) == now.get(key) for key in _MACHINE)


def _compare(section: str, old: Rows, new: Rows, tolerance: float, ratios: bool, found: Differences) -> None:
    """Compare the rows of a section."""
    found.missing += [_name(section, key) for key in old if key not in new]
    found.new += [_name(section, key) for key in new if key not in old]
    for key in (key for key in old if key in new):
        before, now = old[key], new[key]
        name = _name(section, key)
        if before.get("n") != now.get("n") and None not in (before.get("n"), now.get("n")):
            found.passed_over.append(f"{name}: of {before['n']} and of {now['n']} photos")
            continue
        paired = judge_pairs(before, now)
        if paired:
            _note(found, paired.change, f"{name}: against float32, photo by photo ({paired.rule})")
        for metric in METRICS:
            value, its = read_value(before, metric), read_value(now, metric)
            if value is None or its is None:
                one_sided = found.missing if its is None else found.new
                one_sided += [] if value is its else [f"{name}: {metric.name}"]
                continue
            if not (ratios and metric.is_of_machine):
                judged = judge(metric, (value, before), (its, now), tolerance)
                figure = _figure(value, its, metric.unit)
                _note(found, judged.change, f"{name}: {metric.name} {figure} ({judged.rule})")
                continue
            if _FLOAT32 in (before.get("scheme"), now.get("scheme")):
                continue  # it is what the others are held against
            over = [_over_float32(rows, key, metric) for rows in (old, new)]
            if over[0] is None or over[1] is None:
                found.passed_over.append(f"{name}: {metric.name}: no float32 file beside it to hold it against")
                continue
            judged = judge(metric, over[0], over[1], tolerance)
            figure = _figure(over[0][0], over[1][0], "")
            _note(found, judged.change, f"{name}: {metric.name} over float32's {figure} ({judged.rule})")


def _note(found: Differences, change: int, line: str) -> None:
    """Put a line where its change belongs."""
    if change:
        (found.worse if change < 0 else found.better).append(line)
    else:
        found.same += 1


def _by_key(section: Mapping[str, Any]) -> dict[tuple[str, ...], Row]:
    """Return a section's rows by what they are about; a newer version of a runtime is the same runtime."""
    return {key_of(row): row for row in section["rows"]}


def _over_float32(rows: Rows, key: tuple[str, ...], metric: Metric) -> tuple[float, Row] | None:
    """Return a row's figure over that of the float32 row of its run, format, runtime and threads; None without one.

    With it comes a row that is noisy if one of the two is.
    """
    row, place = rows[key], KEY.index("model")
    value = read_value(row, metric)
    for each, other in rows.items():
        same = (*each[:place], *each[place + 1 :]) == (*key[:place], *key[place + 1 :])
        if other.get("scheme") == _FLOAT32 and same and Path(each[place]).suffix == Path(key[place]).suffix:
            reference = read_value(other, metric)
            noisy = True in (row.get("noisy"), other.get("noisy"))
            return (value / reference, {"noisy": noisy}) if value is not None and reference else None
    return None


def _name(section: str, key: tuple[str, ...]) -> str:
    """Return what a row is called; what a stranger's file says reaches the terminal as printable text."""
    parts = dict(zip(KEY, key, strict=True))
    if parts["num_threads"]:
        parts["num_threads"] += " thread" if parts["num_threads"] == "1" else " threads"
    said = f"{section}: {', '.join(part for part in parts.values() if part)}"
    return "".join(character if character.isprintable() else "?" for character in said)


def _figure(old: float, new: float, unit: str) -> str:
    """Write a figure then and now, with the change in percent."""
    change = f" ({new / old - 1:+.1%})" if old > 0 else ""
    return f"{old:.6g} -> {new:.6g}{f' {unit}' if unit else ''}{change}"
