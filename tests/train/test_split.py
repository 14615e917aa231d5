import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UserError
from train.split import deal

PARTS = {"train": 70, "validation": 15, "test": 15}


def photos(label, count):
    return {hashlib.sha256(f"{label}{number}".encode()).hexdigest(): label for number in range(count)}


@given(cats=st.integers(3, 200), dogs=st.integers(3, 200), seed=st.integers(0, 2**32 - 1))
def test_each_class_is_dealt_by_the_ratios(cats, dogs, seed):
    labels = photos("cat", cats) | photos("dog", dogs)
    dealt = deal(labels, PARTS, seed)
    assert dealt.keys() == labels.keys()
    for label, total in (("cat", cats), ("dog", dogs)):
        counts = Counter(part for sha256, part in dealt.items() if labels[sha256] == label)
        assert min(counts[part] for part in PARTS) >= 1
        assert all(abs(counts[part] - total * PARTS[part] / 100) <= 1 for part in ("validation", "test"))


@given(order=st.permutations(sorted(photos("cat", 12) | photos("dog", 9))))
def test_the_order_in_which_photos_are_found_does_not_matter(order):
    labels = photos("cat", 12) | photos("dog", 9)
    assert deal({sha256: labels[sha256] for sha256 in order}, PARTS, 7) == deal(labels, PARTS, 7)


def test_another_seed_deals_otherwise():
    labels = photos("cat", 100)
    assert deal(labels, PARTS, 0) != deal(labels, PARTS, 1)


def test_a_hundred_photos_by_hand():
    assert Counter(deal(photos("cat", 100), {"train": 85, "test": 15}, 0).values()) == {"train": 85, "test": 15}


def test_train_keeps_a_photo_where_rounding_would_take_all():
    assert Counter(deal(photos("cat", 3), {"train": 2, "validation": 49, "test": 49}, 0).values()) == {
        "train": 1,
        "validation": 1,
        "test": 1,
    }


def test_too_few_photos_name_the_class():
    with pytest.raises(UserError, match=r"at least 3 different usable photos .*'dog' has 2"):
        deal(photos("cat", 9) | photos("dog", 2), PARTS, 0)
