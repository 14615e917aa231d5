"""Deals photos into train, validation and test: stratified, seeded, and never one photo's bytes on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from edge.errors import UserError


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
        if len(photos) < len(parts):
            raise UserError(
                f"Expected at least {len(parts)} different usable photos of each class, to deal into "
                f"{', '.join(parts)}; {label!r} has {len(photos)}: add photos or take the class's folder away"
            )
        for name, count in zip(parts, _counts(len(photos), list(parts.values())), strict=True):
            dealt.update(dict.fromkeys(photos[:count], name))
            photos = photos[count:]
    return dealt


def _draw(sha256: str, seed: int) -> bytes:
    """Return a photo's lot: its place in the seeded order."""
    return hashlib.sha256(f"{seed}:{sha256}".encode()).digest()


def _counts(total: int, percents: Sequence[int]) -> list[int]:
    """Divide `total` by percents, at least 1 to each; the first takes the rest."""
    rest = [max(1, round(total * percent / 100)) for percent in percents[1:]]
    while sum(rest) >= total:  # so few photos that rounding up left none for the first
        rest[rest.index(max(rest))] -= 1
    return [total - sum(rest), *rest]
