from pathlib import Path

import pytest

from edge.errors import UserError
from train.grouping import group_by_name
from train.sources import Candidate, Source

NAMES = ("cat/cell7_a.png", "cat/cell7_b.png", "dog/cell8_a.png", "cell9/other.png")


def groups(pattern):
    candidates = tuple(Candidate(Path(name), name.partition("/")[0]) for name in NAMES)
    source = Source("pets", "me", "", Path("/data"), ("cat", "dog"), candidates, notes=("first",))
    found = group_by_name(source, pattern)
    return [each.group for each in found.candidates], found.notes


def test_the_first_group_of_the_pattern_names_the_group():
    assert groups(r"cell(\d+)_(.)") == (
        ["7", "7", "8", ""],
        ("first", r"Grouped by 'cell(\\d+)_(.)': 2 groups; 1 photos match nothing"),
    )


def test_a_pattern_without_a_group_names_it_by_all_that_matched():
    assert groups(r"cell\d+|other")[0] == ["cell7", "cell7", "cell8", "other"]


def test_a_group_that_took_no_part_in_the_match_is_none():
    assert groups(r"_a|_(b)")[0] == ["", "b", "", ""]


@pytest.mark.parametrize(("pattern", "reason"), [("(", "unterminated"), ("patient", "'cell7_a.png'")])
def test_what_groups_nothing_is_refused(pattern, reason):
    with pytest.raises(UserError, match=reason) as raised:
        groups(pattern)
    assert "\n" not in str(raised.value)
