import json

import pytest

from convert.ladder import Judged, Rung, climb, describe_attempt
from edge.errors import UserError


def judged(drop, agreement=0.99):
    return Judged(n=200, accuracy=0.9 - drop / 100, drop_points=drop, agreement=agreement, latency_ratio=0.5)


def rungs(made, *drops):
    """Rungs whose file's content is their number; `made` lists those that were made."""

    def make(number):
        made.append(number)
        return bytes([number])

    return [Rung(f"rung {number}", lambda number=number: make(number)) for number in range(len(drops))]


def go(max_drop, *drops, agreements=None):
    made, told = [], []
    agreements = agreements or [0.99] * len(drops)
    found = climb(
        rungs(made, *drops),
        lambda content: judged(drops[content[0]], agreements[content[0]]),
        max_drop,
        told.append,
    )
    return found, made, told


def test_the_first_that_holds_is_kept_and_no_more_is_tried():
    found, made, told = go(0.5, 2.0, 0.5, 0.0)
    assert (found.kept, found.content, found.holds) == ("rung 1", b"\x01", True)
    assert made == [0, 1]
    assert len(told) == 2
    assert [each.holds for each in found.attempts] == [False, True]


def test_a_gain_holds_and_a_budget_of_nothing_means_nothing():
    assert go(0.0, -0.4)[0].holds
    assert go(0.0, 0.0)[0].holds
    assert not go(0.0, 0.1)[0].holds


def test_where_nothing_holds_the_best_is_kept_and_called_so():
    found, made, _ = go(0.2, 2.0, 0.5, 0.7)
    assert (found.kept, found.content, found.holds) == ("rung 1", b"\x01", False)
    assert made == [0, 1, 2]


def test_between_equal_drops_agreement_decides_then_the_cheaper():
    assert go(0.2, 1.0, 1.0, agreements=[0.97, 0.98])[0].kept == "rung 1"
    assert go(0.2, 1.0, 1.0, agreements=[0.98, 0.98])[0].kept == "rung 0"


def test_a_rung_that_is_none_for_this_model_is_told_and_climbed_past():
    def nested():
        raise UserError("The model is nested")

    told = []
    found = climb([Rung("qat", nested), Rung("ptq", lambda: b"x")], lambda _: judged(0.1), 0.5, told.append)
    assert found.kept == "ptq"
    assert told[0] == "qat: not possible here. The model is nested"
    assert found.describe()["rungs"][0] == {"name": "qat", "holds": False, "reason": "The model is nested"}


def test_no_file_at_all_is_an_error_of_one_line():
    def nested():
        raise UserError("The model is nested")

    with pytest.raises(UserError, match="none works \\(qat: The model is nested\\)") as error:
        climb([Rung("qat", nested)], lambda _: judged(0.1), 0.5, lambda _: None)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="there is none"):
        climb([], lambda _: judged(0.1), 0.5, lambda _: None)


def test_rungs_may_be_put_together_on_the_way():
    seen = []

    def growing():
        yield Rung("first", lambda: b"\x00")
        seen.append("asked for more")
        yield Rung("second", lambda: b"\x01")

    assert climb(growing(), lambda content: judged([0.0, 0.0][content[0]]), 0.5, lambda _: None).kept == "first"
    assert seen == []


def test_a_line_says_what_a_rung_does():
    found, _, told = go(0.5, 0.25)
    line = "rung 0: holds. Validation 89.75%, 0.25 points lost, agrees 99.00%, 0.00 MB, x 0.50 of float32's latency"
    assert told == [line] == [describe_attempt(found.attempts[0])]


def test_the_record_is_json_with_all_that_was_tried():
    found, _, _ = go(0.5, 2.0, 0.25)
    record = json.loads(json.dumps(found.describe()))
    assert {key: record[key] for key in ("max_drop", "judged_on", "holds", "kept")} == {
        "max_drop": 0.5,
        "judged_on": "validation",
        "holds": True,
        "kept": "rung 1",
    }
    assert [each["drop_points"] for each in record["rungs"]] == [2.0, 0.25]
    assert record["rungs"][1]["size_bytes"] == 1
