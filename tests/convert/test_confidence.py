import numpy as np
import pytest

from convert import confidence
from edge.confidence import temper
from train.evaluate import expected_calibration_error


def overconfident(n, seed):
    """Scores of a model of 10 classes whose logits are twice too large, and the truth."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 10, n)
    logits = random.normal(size=(n, 10))
    logits[np.arange(n), truth] += 3
    logits *= 2 * 3  # times 3 they would be calibrated: the classes' densities are 3 apart
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32), truth


def quantize(scores):
    return (np.minimum(np.round(scores * 256), 255) / 256).astype(np.float32)


def test_a_temperature_fits_the_coarse_scores_as_well_as_the_fine_ones():
    scores, truth = overconfident(4000, 0)
    temperature = confidence.fit_temperature(quantize(scores), truth)
    assert temperature == pytest.approx(2, abs=0.4)
    scores, truth = overconfident(4000, 1)
    before, after = (expected_calibration_error(temper(quantize(scores), t), truth) for t in (1.0, temperature))
    assert after < before / 2
    assert after < 0.03


def test_scores_of_0_at_the_truth_alone_say_nothing():
    assert confidence.fit_temperature(np.array([[1, 0], [1, 0]], np.float32), np.array([1, 1])) == 1.0


def test_threshold_and_temperature_come_from_validation_alone():
    scores, truth = overconfident(500, 2)
    other, its = overconfident(300, 3)
    first = confidence.refit({"validation": scores, "test": other}, {"validation": truth, "test": its}, 0.05)
    second = confidence.refit({"validation": scores, "test": scores}, {"validation": truth, "test": truth}, 0.05)
    assert (
        first.metadata == second.metadata == {"temperature": first.temperature, "threshold": first.threshold["value"]}
    )
    sure = temper(other, first.temperature).max(axis=1) >= first.threshold["value"]
    assert first.threshold["test"]["accepted"] == sure.mean()
    assert first.threshold["test"]["accuracy_of_accepted"] == (other.argmax(axis=1) == its)[sure].mean()
    assert first.threshold["false_accept_rate"] == 0.05
