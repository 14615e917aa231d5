"""Deals photos into train, validation and test: stratified, seeded, and never one photo or one group on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge.errors import UserError


class Unit(NamedTuple):
    """Photos that are dealt as one: copies of a photo, or a group.

    Attributes:
        lot: What its place in the seeded order is drawn from; no two units have the same.
        labels: Label -> number of different photos.
    """

    lot: str
    labels: Mapping[str, int]


def deal(labels: Mapping[str, str], parts: Mapping[str, int], seed: int) -> dict[str, str]:
    """Deal photos into parts, each class by itself.

    The deal depends on the photos' content and the seed alone, not on names or on the order they are found in.

    Args:
        labels: sha256 of each different photo -> its label.
        parts: Name of each part -> percent of it; sum 100. The first takes what rounding leaves over.
        seed: Which of the possible deals.

    Returns:
        sha256 -> name of its part.

    Raises:
        UserError: If a class has fewer different photos than there are parts.
    """
    dealt: dict[str, str] = {}
    for label in sorted(set(labels.values())):
        photos = sorted((sha256 for sha256, its in labels.items() if its == label), key=lambda each: _draw(each, seed))
        _check_enough(label, len(photos), "different usable photos", parts)
        for name, count in zip(parts, _counts(len(photos), list(parts.values())), strict=True):
            dealt.update(dict.fromkeys(photos[:count], name))
            photos = photos[count:]
    return dealt


def deal_groups(units: Sequence[Unit], parts: Mapping[str, int], seed: int) -> dict[str, str]:
    """Deal groups of photos into parts, as near to the percents of each class as whole groups allow.

    The largest first, each to the part where it brings the classes nearest to their percents, as long as enough groups
    are left to give every part some of each class.

    Args:
        units: The groups.
        parts: Name of each part -> percent of it; sum 100.
        seed: Which of the possible deals.

    Returns:
        The unit's lot -> name of its part.

    Raises:
        UserError: If a class has photos in fewer groups than there are parts, or they can't be dealt so that each part
            has some.
    """
    totals = sum((Counter(unit.labels) for unit in units), Counter[str]())
    waiting = Counter(label for unit in units for label in unit.labels)
    for label in sorted(totals):
        _check_enough(label, waiting[label], "groups with usable photos", parts)
    counts = {part: Counter[str]() for part in parts}
    dealt: dict[str, str] = {}

    def cost(part: str, unit: Unit) -> float:
        """Return by how much the classes' squared distances from their percents would grow."""
        growth = 0.0
        for label, number in unit.labels.items():
            wanted = max(totals[label] * parts[part] / 100, 1)
            before = counts[part][label] / wanted - 1
            growth += (before + number / wanted) ** 2 - before**2
        return growth

    def starves(part: str, unit: Unit) -> int:
        """Return how many classes would be left with fewer groups than there are parts without them."""
        lacking = {label: sum(not counts[each][label] for each in parts if each != part) for label in unit.labels}
        return sum(waiting[label] - 1 < lacking[label] for label in unit.labels)

    for unit in sorted(units, key=lambda each: (-sum(each.labels.values()).bit_length(), _draw(each.lot, seed))):
        part = min(parts, key=lambda each: (starves(each, unit), cost(each, unit)))
        dealt[unit.lot] = part
        counts[part].update(unit.labels)
        waiting.subtract(unit.labels.keys())
    for label in sorted(totals):
        for part in parts:
            if not counts[part][label]:
                raise UserError(
                    f"Expected groups that can be dealt so that each part has photos of each class, {part} would have "
                    f"none of {label!r}; group less, or add photos"
                )
    return dealt


def _check_enough(label: str, count: int, things: str, parts: Mapping[str, int]) -> None:
    """Raise a UserError where a class has fewer of what is dealt than there are parts."""
    if count < len(parts):
        raise UserError(
            f"Expected at least {len(parts)} {things} of each class, to deal into {', '.join(parts)}; "
            f"{label!r} has {count}: add photos or take the class away"
        )


def _draw(sha256: str, seed: int) -> bytes:
    """Return a photo's lot: its place in the seeded order."""
    return hashlib.sha256(f"{seed}:{sha256}".encode()).digest()


def _counts(total: int, percents: Sequence[int]) -> list[int]:
    """Divide `total` by percents, at least 1 to each; the first takes the rest."""
    rest = [max(1, round(total * percent / 100)) for percent in percents[1:]]
    while sum(rest) >= total:  # so few photos that rounding up left none for the first
        rest[rest.index(max(rest))] -= 1
    return [total - sum(rest), *rest]
