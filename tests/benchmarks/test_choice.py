import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.candidates import Candidate
from benchmarks.choice import Limits, choose, describe_limits, explain, find_front, nothing_fits


def candidate(accuracy=0.8, latency_ms=5.0, size_bytes=1_000_000, **values):
    plain = dict.fromkeys(Candidate.__dataclass_fields__)
    about = {"dataset": "solar", "run": "r", "architecture": "cnn", "model": "m.tflite", "scheme": "int8", "n": 100}
    figures = {"accuracy": accuracy, "frame_to_label_ms": latency_ms, "size_bytes": size_bytes, "noisy": False}
    return Candidate(**{**plain, **about, **figures, **values})


points = st.tuples(st.sampled_from([None, 0.1, 0.5, 0.6, 0.9]), st.sampled_from([None, 1.0, 2.0, 3.0, 9.0]))


@given(st.lists(points, max_size=12))
def test_the_front_is_what_none_beats(drawn):
    candidates = [candidate(accuracy, latency_ms, run=str(n)) for n, (accuracy, latency_ms) in enumerate(drawn)]
    measured = [c for c in candidates if c.accuracy is not None and c.frame_to_label_ms is not None]

    def beats(a, b):
        better = a.accuracy > b.accuracy or a.frame_to_label_ms < b.frame_to_label_ms
        return a.accuracy >= b.accuracy and a.frame_to_label_ms <= b.frame_to_label_ms and better

    expected = [c for c in measured if not any(beats(other, c) for other in measured)]
    front = find_front(candidates)
    assert sorted(c.run for c in front) == sorted(c.run for c in expected)
    assert [c.frame_to_label_ms for c in front] == sorted(c.frame_to_label_ms for c in front)


SLOW = candidate(0.9, 9.0, 4_000_000, run="slow")
QUICK = candidate(0.8, 2.0, 4_000_000, run="quick")
SMALL = candidate(0.7, 3.0, 500_000, run="small")
UNTIMED = candidate(0.95, None, 9_000_000, run="untimed")
KERAS = candidate(0.99, None, 9_000_000, run="keras", scheme="keras")
ALL = [KERAS, SLOW, QUICK, SMALL, UNTIMED]


@pytest.mark.parametrize(
    ("limits", "picked", "refused"),
    [
        (Limits(), "untimed", {}),
        (Limits(max_latency_ms=9.0), "slow", {"untimed": ["nobody measured its latency"]}),
        (
            Limits(max_latency_ms=5.0),
            "quick",
            {"slow": ["9.000 ms, limit 5"], "untimed": ["nobody measured its latency"]},
        ),
        (
            Limits(max_size_mb=1.0),
            "small",
            {"slow": ["4.00 MB, limit 1"], "quick": ["4.00 MB, limit 1"], "untimed": ["9.00 MB, limit 1"]},
        ),
        (
            Limits(max_latency_ms=10, max_size_mb=5, min_accuracy=0.85),
            "slow",
            {
                "quick": ["0.8000 right, limit 0.85"],
                "small": ["0.7000 right, limit 0.85"],
                "untimed": ["nobody measured its latency", "9.00 MB, limit 5"],
            },
        ),
    ],
)
def test_the_most_accurate_within_the_limits(limits, picked, refused):
    for candidates in itertools.permutations(ALL):
        (choice,) = choose(candidates, limits)
        assert choice.picked.run == picked
        assert {each.run: list(reasons) for each, reasons in choice.refused} == refused
        assert choice.fitting == len(ALL) - 1 - len(refused)  # a device can't run the Keras model


def test_of_equally_accurate_ones_the_fastest_then_the_smallest():
    same = [candidate(size_bytes=3), candidate(latency_ms=6.0, size_bytes=1), candidate(size_bytes=2)]
    assert choose(same, Limits())[0].picked is same[2]


@pytest.mark.parametrize(
    ("limits", "closest"),
    [
        (Limits(max_latency_ms=1.0), "quick"),
        (Limits(max_size_mb=0.1), "small"),
        (Limits(min_accuracy=0.99), "untimed"),
        (Limits(max_latency_ms=1.0, min_accuracy=0.99), "quick"),  # 2 x and 1.24 x; slow breaks 9 x
    ],
)
def test_the_closest_where_nothing_fits(limits, closest):
    (choice,) = choose(ALL, limits)
    assert choice.picked is None
    said = nothing_fits(choice, limits)
    assert f"the closest is m.tflite of {closest}" in said
    assert "\n" not in said
    assert explain(choice, limits)[0] == said


def test_nothing_to_choose_from():
    (choice,) = choose([KERAS], Limits())
    assert "convert.quantize" in nothing_fits(choice, Limits())
    (choice,) = choose([candidate(accuracy=None)], Limits())
    assert choice.picked is None
    assert "nobody measured its accuracy" in nothing_fits(choice, Limits())


def test_a_data_set_is_chosen_on_by_itself():
    other = candidate(0.99, 1.0, dataset="trash")
    assert [(choice.dataset, choice.picked) for choice in choose([SLOW, other, QUICK], Limits())] == [
        ("solar", SLOW),
        ("trash", other),
    ]


def test_a_faster_one_within_chance_is_named():
    best = candidate(0.90, 9.0, run="best", accuracy_interval=(0.83, 0.94))
    near, far, slightly = candidate(0.84, 3.0, run="near"), candidate(0.82, 1.0), candidate(0.89, 8.9)
    (choice,) = choose([best, near, far, slightly], Limits())
    assert (choice.picked, choice.quicker) == (best, near)
    assert explain(choice, Limits()) == [
        "Best: m.tflite of best: 90.0% right, 9.000 ms from frame to label, 1.00 MB; the most accurate of 4.",
        "Faster (3.00x), and 6.0 points less are within chance on 100 photos: "
        "m.tflite of near: 84.0% right, 3.000 ms from frame to label, 1.00 MB.",
    ]
    assert choose([best, far, slightly], Limits())[0].quicker is None


def test_limits_in_words():
    assert describe_limits(Limits()) == ""
    assert describe_limits(Limits(10.0, 5.0, 0.85)) == "10 ms and 5 MB and at least 0.85 right"
