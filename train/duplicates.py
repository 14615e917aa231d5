"""Finds pairs of photos that look alike, by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

NEAR = 4  # bits of 64 in which photos that look alike differ at most

_BLOCK = 1 << 20  # pairs at a time, some 30 MB of memory
_BITS = 64

Indices = npt.NDArray[np.intp]
Hashes = npt.NDArray[np.uint64]


def near_pairs(looks: Hashes, distance: int = NEAR) -> Iterator[tuple[Indices, Indices, npt.NDArray[np.uint8]]]:
    """Yield all pairs of hashes that differ in few bits, each pair once, in blocks.

    The bits are cut into one band more than may differ, so a pair is equal in at least one band: only hashes of an
    equal band are compared, which leaves a small part of n * n / 2 comparisons.

    Args:
        looks: Hashes, (N,).
        distance: Bits in which a pair differs at most, 0 to 63.

    Yields:
        Index of the one, index of the other, and their distance; each of the same length, the first below the second.
    """
    bounds = np.linspace(0, _BITS, distance + 2).astype(int)
    masks = [np.uint64(sum(1 << bit for bit in range(low, high))) for low, high in pairwise(bounds)]
    for number, mask in enumerate(masks):
        bands = looks & mask
        order = np.argsort(bands, kind="stable")
        starts = np.flatnonzero(np.diff(bands[order], prepend=bands[order][:1] + np.uint64(1)))
        for start, end in pairwise([*starts, len(order)]):
            for left, right in _compared(order[start:end]):
                difference = looks[left] ^ looks[right]
                found = np.bitwise_count(difference) <= distance
                for earlier in masks[:number]:  # a pair that is equal in two bands was yielded at the first
                    found &= (difference & earlier) != 0
                if found.any():
                    left, right, difference = left[found], right[found], difference[found]
                    yield np.minimum(left, right), np.maximum(left, right), np.bitwise_count(difference)


def _compared(members: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Yield all pairs of a bucket's members, in blocks of bounded size."""
    count = len(members)
    rows = max(1, _BLOCK // max(1, count))
    for start in range(0, count - 1, rows):
        left, right = np.triu_indices(min(rows, count - start), 1, count - start)
        yield members[start + left], members[start + right]
