import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train import duplicates
from train.duplicates import near_pairs

# Few different values in few bits, so that near ones are many and lie in one bucket and in several.
HASHES = st.lists(
    st.integers(0, 2**64 - 1) | st.integers(0, 63) | st.integers(0, 15).map(lambda n: n << 58), max_size=60
)


def found(hashes, distance):
    pairs = []
    for left, right, distances in near_pairs(np.array(hashes, np.uint64), distance):
        assert len(left)
        pairs += zip(left.tolist(), right.tolist(), distances.tolist(), strict=True)
    return pairs


def expected(hashes, distance):
    return {
        (left, right, (one ^ other).bit_count())
        for left, one in enumerate(hashes)
        for right, other in enumerate(hashes)
        if left < right and (one ^ other).bit_count() <= distance
    }


@given(hashes=HASHES, distance=st.sampled_from([0, 1, 4, 10]))
def test_each_pair_that_is_near_is_found_once(hashes, distance):
    pairs = found(hashes, distance)
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected(hashes, distance)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_blocks_change_nothing(monkeypatch, block):
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    hashes = [number % 7 for number in range(50)]
    assert set(found(hashes, 2)) == expected(hashes, 2)
