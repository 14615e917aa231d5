import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss

from edge.confidence import temper
from train.confidence import apply_threshold, choose_threshold, fit_temperature, negative_log_likelihood


def answers_of(temperature, photos=20_000, classes=4, seed=0):
    """Return scores that are too sure by `temperature`, and classes drawn as the model should have said."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (photos, classes))
    truth = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((photos, 1))).argmax(axis=1)
    return softmax(logits * temperature, axis=1).astype(np.float32), truth


@st.composite
def splits(draw):
    photos, classes = draw(st.integers(1, 40)), draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    scores = softmax(rng.normal(0, draw(st.sampled_from([0.01, 1, 10, 100])), (photos, classes)), axis=1)
    truth = rng.integers(0, classes, photos) if draw(st.booleans()) else scores.argmax(axis=1)
    return scores.astype(np.float32), truth


def test_surprise_is_sklearns_log_loss():
    scores, truth = answers_of(1.5, photos=100)
    assert negative_log_likelihood(scores, truth) == pytest.approx(log_loss(truth, temper(scores, 1)), rel=1e-6)
    tempered = temper(scores, 1.7)
    assert negative_log_likelihood(scores, truth, 1.7) == pytest.approx(log_loss(truth, tempered), rel=1e-6)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_the_scores_were_made_with_is_found(temperature):
    assert fit_temperature(*answers_of(temperature)) == pytest.approx(temperature, rel=0.03)


def test_the_temperature_is_that_of_the_lowest_surprise_where_there_are_photos_enough():
    scores, truth = answers_of(1.8, photos=2000)
    grid = np.arange(0.5, 4, 0.01)
    best = grid[np.argmin([log_loss(truth, temper(scores, each)) for each in grid])]
    assert fit_temperature(scores, truth) == pytest.approx(best, abs=0.03)


@given(splits())
def test_the_surprise_on_the_fitting_split_never_grows(split):
    temperature = fit_temperature(*split)
    assert 0.1 <= temperature <= 10.0000001
    assert negative_log_likelihood(*split, temperature) <= negative_log_likelihood(*split) + 1e-12


@given(splits())
def test_accuracy_is_the_same_at_every_temperature(split):
    scores, truth = split
    tempered = temper(scores, fit_temperature(scores, truth))
    assert (tempered.argmax(axis=1) == scores.argmax(axis=1)).all()


@pytest.mark.parametrize(("right", "low", "high"), [(True, 0.3, 1), (False, 1, 4)])
def test_one_photo_moves_the_temperature_but_a_little(right, low, high):
    scores = np.array([[0.9, 0.1]], np.float32)
    assert low < fit_temperature(scores, np.array([0 if right else 1])) < high


def test_a_split_without_a_mistake_asks_for_no_infinite_confidence():
    scores = np.tile(np.array([[0.95, 0.05]], np.float32), (300, 1))
    assert 0.3 < fit_temperature(scores, np.zeros(300, np.int64)) < 1  # without the pull: 0.1, the bound


def test_a_score_of_zero_for_the_truth_is_borne():
    scores, truth = np.array([[1, 0], [0.5, 0.5]], np.float32), np.array([1, 0])
    assert np.isfinite(negative_log_likelihood(scores, truth))
    assert fit_temperature(scores, truth) > 3


def ladder(*rungs):
    """Return confidences and whether they are right: rungs of (confidence, right answers, wrong answers)."""
    confidence = np.concatenate([np.full(good + bad, each) for each, good, bad in rungs])
    right = np.concatenate([np.repeat([True, False], [good, bad]) for _, good, bad in rungs])
    shuffled = np.random.default_rng(0).permutation(len(right))
    return confidence[shuffled], right[shuffled]


def test_the_threshold_by_hand():
    rungs = ladder((0.9, 58, 2), (0.8, 18, 2), (0.7, 9, 1), (0.6, 10, 10))
    # From the top, one more wrong than there is: 3 of 61 (4.9 %), 5 of 81 (6.2 %), 6 of 91 (6.6 %), 16 of 111.
    assert choose_threshold(*rungs, 0.05) == (pytest.approx((0.9 + 0.8) / 2), True)
    assert choose_threshold(*rungs, 0.2) == (0.6, True)
    threshold, reached = choose_threshold(*rungs, 0.065)
    assert reached
    assert threshold == pytest.approx((0.8 + 0.7) / 2)
    assert apply_threshold(*rungs, threshold) == {
        "n": 110,
        "accepted": 80 / 110,
        "false_accept_rate": 4 / 80,
        "accuracy_of_accepted": 76 / 80,
        "wrong_rejected": 11 / 15,
    }


def test_a_dip_further_down_accepts_more():
    rungs = ladder((0.9, 18, 2), (0.8, 80, 0), (0.7, 0, 50))  # 10 % wrong at the top, 2 % with the next rung
    assert choose_threshold(*rungs, 0.05) == (pytest.approx(0.75), True)


def test_a_rate_that_no_threshold_keeps_gives_the_nearest():
    rungs = ladder((0.9, 15, 15), (0.8, 20, 10), (0.7, 0, 50))  # 16 of 31, 26 of 61, 76 of 111
    threshold, reached = choose_threshold(*rungs, 0.05)
    assert not reached
    assert threshold == pytest.approx(0.75)
    assert apply_threshold(*rungs, threshold)["false_accept_rate"] == 25 / 60


@pytest.mark.parametrize(("at_the_top", "shown"), [(18, False), (19, True)])
def test_a_handful_at_the_top_shows_no_rate(at_the_top, shown):
    rungs = ladder((0.99, at_the_top, 0), (0.9, 30, 20))  # 1 of 19 isn't one in twenty, 1 of 20 is
    assert choose_threshold(*rungs, 0.05) == (pytest.approx(0.945), shown)


def test_without_a_mistake_the_least_sure_hundredth_is_the_price():
    confidence, right = np.linspace(0.5, 1, 1000), np.ones(1000, bool)
    threshold, reached = choose_threshold(confidence, right, 0.05)
    assert reached
    assert apply_threshold(confidence, right, threshold)["accepted"] == 0.99


@pytest.mark.parametrize("right", [True, False])
def test_one_photo_has_a_threshold_that_shows_nothing(right):
    confidence, its = np.array([0.7]), np.array([right])
    assert choose_threshold(confidence, its, 0.05) == (0.7, False)
    figures = apply_threshold(confidence, its, 0.7)
    assert figures["accuracy_of_accepted"] == float(right)
    assert figures["wrong_rejected"] == (None if right else 0)


def test_nothing_accepted_has_no_accuracy():
    figures = apply_threshold(np.array([0.5, 0.6]), np.array([True, False]), 0.9)
    assert (figures["accepted"], figures["accuracy_of_accepted"], figures["false_accept_rate"]) == (0, None, None)
    assert figures["wrong_rejected"] == 1


def tried_out(confidence, right, rate):
    """Choose by trying every confidence as the threshold; return it and whether it keeps the rate."""
    accepted = {each: right[confidence >= each] for each in sorted(set(confidence))}
    bound = max(each for each in accepted if right[confidence < each].sum() <= 0.01 * right.sum())
    rates = {each: ((~its).sum() + 1) / (len(its) + 1) for each, its in accepted.items() if each >= bound}
    keep = [each for each, its in rates.items() if its <= rate]
    return (min(keep), True) if keep else (min(rates, key=lambda each: (rates[each], each)), False)


@given(st.lists(st.tuples(st.integers(50, 100), st.booleans()), min_size=1, max_size=300), st.floats(0.01, 0.5))
def test_the_threshold_is_the_one_that_trying_all_of_them_finds(answers, rate):
    confidence, right = np.array([each / 100 for each, _ in answers]), np.array([each for _, each in answers])
    threshold, reached = choose_threshold(confidence, right, rate)
    expected, kept = tried_out(confidence, right, rate)
    assert reached == kept
    assert ((confidence >= threshold) == (confidence >= expected)).all()
