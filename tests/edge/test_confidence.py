import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from edge.confidence import temper

LOGITS = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 7)), elements=st.floats(-20, 20))


@given(LOGITS, st.floats(0.1, 10))
def test_tempered_scores_are_the_softmax_of_the_divided_logits(logits, temperature):
    assert temper(softmax(logits, axis=1), temperature) == pytest.approx(
        softmax(logits / temperature, axis=1), abs=1e-9
    )


@given(LOGITS, st.floats(0.1, 10))
def test_no_answer_changes(logits, temperature):
    scores = softmax(logits, axis=1).astype(np.float32)
    assert (temper(scores, temperature).argmax(axis=1) == scores.argmax(axis=1)).all()


def test_by_hand():
    assert temper(np.array([0.8, 0.2], np.float32), 2) == pytest.approx([2 / 3, 1 / 3])  # roots of 4 : 1
    assert temper(np.array([0.8, 0.2], np.float32), 0.5) == pytest.approx([16 / 17, 1 / 17])


def test_the_coarse_scores_of_an_int8_model():
    steps = np.array([[255, 1, 0], [0, 0, 0]]) / np.float32(256)  # of a thousand equal classes each scores below a step
    tempered = temper(steps, 1.5)
    assert tempered[0, 2] == 0
    assert tempered[1] == pytest.approx([1 / 3] * 3)
    assert tempered.sum(axis=1) == pytest.approx(1)


def test_one_row_serves_as_well_as_many():
    scores = np.array([0.1, 0.7, 0.2], np.float32)
    assert (temper(scores, 3) == temper(scores[np.newaxis], 3)[0]).all()
