import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.judging import Answers, compare, interval, judge, mean_interval

LABELS = ["cat", "dog", "owl"]


def answers(*confidences, threshold=0.0):
    scores = np.array(confidences, np.float32)
    return Answers(scores, scores, threshold)


# truth          cat              cat              dog              dog              dog
FOUR_OF_FIVE = answers(
    (0.95, 0.03, 0.02), (0.1, 0.9, 0.0), (0.2, 0.7, 0.1), (0.3, 0.6, 0.1), (0.02, 0.97, 0.01), threshold=0.65
)
TRUTH = np.array([0, 0, 1, 1, 1])
NAMES = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]


def test_hand_worked_figures():
    judged = judge(FOUR_OF_FIVE, TRUTH, LABELS, NAMES)
    assert (judged["n"], judged["accuracy"]) == (5, 0.8)
    assert judged["accuracy_interval"] == pytest.approx([0.3755, 0.9638], abs=1e-4)  # Wilson, of any calculator
    assert judged["per_class"]["cat"] == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "n": 2})
    assert judged["per_class"]["dog"] == pytest.approx({"precision": 0.75, "recall": 1.0, "f1": 6 / 7, "n": 3})
    assert judged["per_class"]["owl"] == {"precision": None, "recall": None, "f1": None, "n": 0}
    assert judged["macro_f1"] == pytest.approx((2 / 3 + 6 / 7) / 2)  # of classes that were photographed
    # Bins of 1/15: 0.95 and 0.97 share the last; the others are alone, and 0.9 is the wrong one.
    assert judged["ece"] == pytest.approx((abs(2 - 0.95 - 0.97) + 0.9 + 0.3 + 0.4) / 5, abs=1e-6)
    assert judged["nll"] == pytest.approx(-np.mean(np.log([0.95, 0.1, 0.7, 0.6, 0.97])), abs=1e-6)
    assert judged["unknown"] == {"threshold": 0.65, "rate": 0.2, "rate_of_wrong": 0.0}
    mistakes = judged["confident_mistakes"]
    assert mistakes["n"] == 1
    assert mistakes["worst"] == [{"photo": "b.jpg", "truth": "cat", "answer": "dog", "confidence": 0.9}]
    assert "top5" not in judged


def test_one_photo_divides_by_nothing_and_its_interval_says_so():
    judged = judge(answers((0.6, 0.4, 0.0)), np.array([0]), LABELS, [0])
    assert (judged["n"], judged["accuracy"], judged["ece"], judged["unknown"]) == (1, 1.0, None, None)
    low, high = judged["accuracy_interval"]
    assert low < 0.21
    assert high == 1
    compared = compare(answers((0.6, 0.4, 0.0)), answers((0.4, 0.6, 0.0)), np.array([0]), LABELS, [0])
    assert compared["agreement"] == 0
    assert compared["agreement_interval"][1] > 0.79
    assert compared["mcnemar"]["p_value"] == 1
    assert mean_interval(np.array([3.0]), widest=100) == [-100, 100]


def test_all_right_has_no_wrong_ones_to_call_unknown():
    judged = judge(answers((0.6, 0.4, 0.0), (0.4, 0.6, 0.0), threshold=0.9), np.array([0, 1]), LABELS, [0, 1])
    assert judged["unknown"] == {"threshold": 0.9, "rate": 1.0, "rate_of_wrong": None}
    assert judged["confident_mistakes"]["worst"] == []


def test_a_certain_mistake_costs_much_but_not_everything():
    judged = judge(answers((1.0, 0.0, 0.0), (1.0, 0.0, 0.0)), np.array([0, 1]), LABELS, [0, 1])
    assert judged["nll"] == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-3)


def test_a_model_of_one_class_is_judged_too():
    judged = judge(answers((1.0,), (1.0,)), np.array([0, 0]), ["cat"], [0, 1])
    assert (judged["accuracy"], judged["nll"]) == (1.0, None)


def test_the_five_likeliest_of_equal_scores_are_the_first():
    scores = np.zeros((2, 7), np.float32)
    scores[:, 6] = 1
    judged = judge(Answers(scores, scores), np.array([3, 4]), list("abcdefg"), [0, 1])
    assert judged["top5"] == 0.5  # 6, then 0 to 3


def test_classes_of_equal_names_stay_two():
    judged = judge(FOUR_OF_FIVE, TRUTH, ["crane", "dog", "crane"], NAMES)
    assert {name: each["n"] for name, each in judged["per_class"].items()} == {"crane (0)": 2, "dog": 3, "crane (2)": 0}


def test_what_changed_against_float32():
    # float32 is right about all but the last two; this file flips one of each and one between wrong answers
    truth = np.array([0, 0, 1, 1])
    float32 = answers((1, 0, 0), (1, 0, 0), (1, 0, 0), (1, 0, 0))
    this = answers((1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1))
    compared = compare(this, float32, truth, LABELS, [10, 11, 12, 13])
    assert compared["agreement"] == 0.25
    assert compared["flipped"]["n"] == 3
    assert compared["flipped"]["photos"][0] == {"photo": 11, "truth": "cat", "float32": "cat", "answer": "dog"}
    assert [each["photo"] for each in compared["flipped"]["photos"]] == [11, 12, 13]
    assert compared["mcnemar"] == {"only_float32_right": 1, "only_this_right": 1, "p_value": 1.0}


def test_mcnemars_test_is_the_exact_one():
    # 9 against 1 of 10: twice the binomial tail (1 + 10) / 1024
    truth = np.zeros(30, np.int64)
    float32, this = np.tile([1.0, 0, 0], (30, 1)), np.tile([1.0, 0, 0], (30, 1))
    float32[0], this[1:10] = (0, 1, 0), (0, 1, 0)
    compared = compare(answers(*this), answers(*float32), truth, LABELS, range(30))
    assert compared["mcnemar"]["only_float32_right"] == 9
    assert compared["mcnemar"]["only_this_right"] == 1
    assert compared["mcnemar"]["p_value"] == pytest.approx(22 / 1024)


def test_lists_are_bounded():
    wrong = answers(*[(0.0, 1.0, 0.0)] * 50)
    right = answers(*[(1.0, 0.0, 0.0)] * 50)
    truth = np.zeros(50, np.int64)
    mistakes = judge(wrong, truth, LABELS, range(50))["confident_mistakes"]
    assert (mistakes["n"], len(mistakes["worst"])) == (50, 5)
    flipped = compare(wrong, right, truth, LABELS, range(50))["flipped"]
    assert (flipped["n"], len(flipped["photos"])) == (50, 20)


def test_students_interval_of_a_mean():
    # 1, 2, 3, 4: mean 2.5, deviation 1.29, t(3) = 3.182
    assert mean_interval(np.array([1.0, 2, 3, 4]), 100) == pytest.approx([2.5 - 2.0543, 2.5 + 2.0543], abs=1e-3)


def test_photos_that_all_say_the_same_leave_room_for_some_that_do_not():
    assert mean_interval(np.zeros(100), widest=100) == pytest.approx([-3.70, 3.70], abs=0.01)
    assert interval(0, 100)[1] == pytest.approx(1.96**2 / (100 + 1.96**2), abs=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_any_answers_are_judged(data):
    n, classes = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 8))
    raw = data.draw(arrays(np.float32, (n, classes), elements=st.floats(0, 1, width=32)))
    truth = data.draw(arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    raw[raw.sum(axis=1) == 0] = 1
    scores = raw / raw.sum(axis=1, keepdims=True)
    labels = [str(index) for index in range(classes)]
    judged = judge(Answers(scores, scores, 0.5), truth, labels, range(n))
    low, high = judged["accuracy_interval"]
    assert 0 <= low <= judged["accuracy"] <= high <= 1
    assert judged["accuracy"] * n == sum(int(scores[i].argmax()) == truth[i] for i in range(n))
    assert sum(each["n"] for each in judged["per_class"].values()) == n
    assert 0 <= judged["macro_f1"] <= 1
    assert judged["nll"] >= 0
    same = compare(Answers(scores, scores), Answers(scores, scores), truth, labels, range(n))
    assert (same["agreement"], same["flipped"]["n"], same["mcnemar"]["p_value"]) == (1, 0, 1)
