import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics import METRICS, judge, judge_pairs, read_value

BY_NAME = {metric.name: metric for metric in METRICS}
shares = st.floats(0, 1)
rows = st.fixed_dictionaries({}, optional={"n": st.integers(1, 1000), "noisy": st.booleans()})


@given(st.sampled_from(METRICS), shares, rows, shares, rows, st.floats(0, 1))
def test_worse_one_way_is_better_the_other_way(metric, old, before, new, now, tolerance):
    there = judge(metric, (old, before), (new, now), tolerance)
    back = judge(metric, (new, now), (old, before), tolerance)
    assert there.change == -back.change
    assert there.rule == back.rule
    assert judge(metric, (old, before), (old, before), tolerance).change == 0


@pytest.mark.parametrize(
    ("name", "old", "new", "change"),
    [
        ("accuracy", (0.88, {"n": 656}), (0.86, {"n": 656}), 0),  # the interval is +-2.5 points
        ("accuracy", (0.88, {"n": 656}), (0.85, {"n": 656}), -1),
        ("accuracy", (0.88, {"n": 656}), (0.91, {"n": 656}), 1),
        ("accuracy", (0.88, {"n": 50}), (0.80, {"n": 50}), 0),
        ("accuracy", (0.88, {"accuracy_interval": [0.87, 0.89]}), (0.86, {"accuracy_interval": [0.85, 0.9]}), -1),
        ("accuracy", (0.88, {}), (0.84, {}), 0),
        ("accuracy", (0.88, {}), (0.82, {}), -1),
        ("ece", (0.02, {}), (0.08, {}), -1),
        ("macro_f1", (0.80, {"n": 9}), (0.90, {"n": 9}), 1),
        ("gap_points", (-1.0, {"gap_interval": [-2, 0]}), (-4.0, {"gap_interval": [-5, -3]}), -1),
        ("gap_points", (-1.0, {}), (-5.0, {}), 0),
        ("gap_points", (-1.0, {}), (-7.0, {}), -1),
        ("invoke_ms p50", (2.0, {}), (2.09, {}), 0),
        ("invoke_ms p50", (2.0, {}), (2.11, {}), -1),
        ("invoke_ms p50", (2.0, {}), (1.9, {}), 1),
        ("invoke_ms p50", (2.0, {"noisy": True}), (2.2, {}), 0),
        ("invoke_ms p50", (2.0, {}), (2.4, {"noisy": True}), -1),
        ("size_bytes", (0, {}), (1, {}), -1),
        ("fps", (30.0, {}), (20.0, {}), -1),
    ],
)
def test_rules(name, old, new, change):
    assert judge(BY_NAME[name], old, new, 0.05).change == change


def test_noise_is_said():
    assert judge(BY_NAME["size_bytes"], (1, {}), (9, {"noisy": True}), 0.05).rule == "by more than 15 %: noisy"


def test_values():
    assert read_value({"invoke_ms": {"p50": 2}}, BY_NAME["invoke_ms p50"]) == 2.0
    for row in ({}, {"accuracy": None}, {"accuracy": [0.5, 0.4]}):  # a list: robustness at each severity
        assert read_value(row, BY_NAME["accuracy"]) is None
    assert read_value({"invoke_ms": 3}, BY_NAME["invoke_ms p50"]) is None
    for value in ("0.5", True, float("nan"), float("inf"), {}):
        with pytest.raises(ValueError, match="accuracy"):
            read_value({"accuracy": value}, BY_NAME["accuracy"])


@pytest.mark.parametrize("interval", [1, [1], ["a", "b"], [0.1, None]])
def test_an_interval_of_something_else(interval):
    row = {"accuracy_interval": interval}
    with pytest.raises(ValueError, match="accuracy_interval"):
        judge(BY_NAME["accuracy"], (0.5, row), (0.5, row), 0.05)


def mcnemar(lost, won, p):
    return {"mcnemar": {"only_float32_right": lost, "only_this_right": won, "p_value": p}}


NONE, SOME, SURE = mcnemar(3, 3, 1.0), mcnemar(9, 3, 0.146), mcnemar(20, 3, 0.0005)


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (NONE, SURE, -1),
        (SURE, NONE, 1),
        (SOME, SURE, 0),
        (SURE, SURE, 0),
        (NONE, SOME, 0),
        (NONE, mcnemar(3, 20, 1e-3), 0),
    ],
)
def test_pairs_of_photos(old, new, change):
    assert judge_pairs(old, new).change == change


def test_without_a_test_nothing_is_said():
    assert judge_pairs(NONE, {}) is None
    assert judge_pairs({"mcnemar": None}, NONE) is None
    with pytest.raises(ValueError, match="mcnemar"):
        judge_pairs({"mcnemar": {}}, NONE)
