import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import Classifier
from edge.decisions import Judge, Vote, calibrate
from edge.errors import UserError

FRAME = np.zeros((32, 32, 3), np.uint8)


def stand_in(scores, **metadata):
    """Return what a judge needs of a classifier, with scores of our own."""
    return SimpleNamespace(
        path="m.tflite",
        metadata=metadata,
        labels=["a", "b", "c"],
        scores_of=lambda frame: np.array(scores, np.float32),
        rank=lambda values, top_k: [
            SimpleNamespace(label="abc"[i], index=i, confidence=float(values[i])) for i in np.argsort(-values)[:top_k]
        ],
    )


def test_the_threshold_is_one_of_calibrated_confidence():
    # 0.6, 0.3, 0.1 at a temperature of 0.5 are their squares over 0.46
    judged = Judge(stand_in([0.6, 0.3, 0.1], temperature=0.5, threshold=0.78))(FRAME)
    assert judged.predictions[0].confidence == pytest.approx(0.36 / 0.46, rel=1e-5)
    assert (judged.decision, judged.is_sure) == ("a", True)
    judged = Judge(stand_in([0.6, 0.3, 0.1], temperature=0.5, threshold=0.79))(FRAME)
    assert (judged.decision, judged.is_sure, judged.predictions[0].label) == (None, False, "a")


def test_it_says_what_it_tempers_by():
    assert Judge(stand_in([1, 0, 0], temperature=0.5)).temperature == 0.5
    assert Judge(stand_in([1, 0, 0])).temperature == 1


def test_a_threshold_of_ones_own_overrides_the_files():
    assert Judge(stand_in([0.6, 0.3, 0.1], threshold=0.99), threshold=0.5)(FRAME).decision == "a"
    assert Judge(stand_in([0.6, 0.3, 0.1]), threshold=0.7)(FRAME).decision is None


def test_a_file_without_a_threshold_calls_nothing_unknown_but_knows_doubt():
    judged = Judge(stand_in([0.4, 0.3, 0.3]), top_k=2)(FRAME)
    assert (judged.decision, judged.is_sure, len(judged.predictions)) == ("a", False, 2)


@pytest.mark.parametrize(
    ("key", "value"), [("temperature", 0), ("temperature", "x"), ("threshold", 2), ("threshold", True)]
)
def test_odd_metadata_is_one_line(key, value):
    with pytest.raises(UserError, match=rf"The {key} in m\.tflite is damaged"):
        Judge(stand_in([1, 0, 0], **{key: value}))


def test_it_takes_a_real_model(int8_model):
    judged = Judge(Classifier(int8_model), top_k=10)(FRAME)
    assert sum(one.confidence for one in judged.predictions) == pytest.approx(1, abs=1e-5)


def test_logits_become_a_softmax():
    logits = np.array([2.0, -1.0, 900.0, 899.0], np.float32)
    expected = np.exp(logits.astype(np.float64) - 900) / np.exp(logits.astype(np.float64) - 900).sum()
    np.testing.assert_allclose(calibrate(logits, 1), expected, atol=1e-6)


def test_broken_scores_stay_for_the_classifier_to_refuse():
    assert np.isnan(calibrate(np.array([np.nan, 1], np.float32), 1)).any()


def test_one_odd_frame_changes_nothing():
    vote = Vote(5)
    assert [vote(x) for x in [1, 1, 1, 2, 1, None, 1]] == [1] * 7


def test_a_tie_changes_nothing():
    vote = Vote(4)
    assert [vote(x) for x in [1, 1, 1, 1, 2, 2, 2]] == [1, 1, 1, 1, 1, 1, 2]


@given(votes=st.lists(st.sampled_from([None, 0, 1, 2]), min_size=1), window=st.integers(1, 6))
def test_the_decision_is_the_last_majority(votes, window):
    vote, expected = Vote(window), None
    for count in range(1, len(votes) + 1):
        seen = votes[max(0, count - window) : count]
        ((top, number),) = Counter(seen).most_common(1)
        expected = top if 2 * number > len(seen) else expected
        assert vote(votes[count - 1]) == expected


def test_a_window_of_one_follows_every_frame():
    vote = Vote(1)
    votes = [*itertools.chain.from_iterable([[0, 1], [None, 2]])]
    assert [vote(x) for x in votes] == votes
