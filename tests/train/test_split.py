import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UserError
from train.split import Unit, deal, deal_groups

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


def units(sizes):
    return [Unit(hashlib.sha256(f"{number}".encode()).hexdigest(), labels) for number, labels in enumerate(sizes)]


@given(
    cats=st.lists(st.integers(1, 20), min_size=3, max_size=60),
    dogs=st.lists(st.integers(1, 20), min_size=3, max_size=60),
    seed=st.integers(0, 2**32 - 1),
)
def test_groups_are_dealt_whole_and_each_part_has_each_class(cats, dogs, seed):
    groups = units([{"cat": size} for size in cats] + [{"dog": size} for size in dogs])
    dealt = deal_groups(groups, PARTS, seed)
    assert dealt.keys() == {group.lot for group in groups}
    for label in ("cat", "dog"):
        assert {dealt[group.lot] for group in groups if label in group.labels} == {*PARTS}


def test_small_groups_come_near_to_the_ratios():
    groups = units([{"cat": 3 + number % 3, "dog": number % 4} for number in range(100)])
    dealt = deal_groups(groups, PARTS, 0)
    for label in ("cat", "dog"):
        total = sum(group.labels[label] for group in groups)
        for part, percent in PARTS.items():
            got = sum(group.labels[label] for group in groups if dealt[group.lot] == part)
            assert got / total == pytest.approx(percent / 100, abs=0.03)


def test_groups_are_dealt_by_the_seed_not_by_their_order():
    groups = units([{"cat": 2, "dog": 1}] * 40)
    assert deal_groups(groups, PARTS, 5) == deal_groups(groups[::-1], PARTS, 5)
    assert deal_groups(groups, PARTS, 5) != deal_groups(groups, PARTS, 6)


def test_three_groups_by_hand():
    groups = units([{"cat": 90}, {"cat": 5}, {"cat": 5}])
    dealt = deal_groups(groups, PARTS, 0)
    assert dealt[groups[0].lot] == "train"
    assert {dealt[group.lot] for group in groups[1:]} == {"validation", "test"}


def test_too_few_groups_name_the_class():
    with pytest.raises(UserError, match=r"at least 3 groups with usable photos .*'dog' has 2"):
        deal_groups(units([{"cat": 9, "dog": 1}, {"cat": 9, "dog": 1}, {"cat": 9}]), PARTS, 0)
