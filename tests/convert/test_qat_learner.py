import numpy as np
import pytest
import tf_keras as keras

from convert.fake_quant import with_rounding
from convert.fold import fold
from convert.layer_ranges import measure_ranges
from convert.qat_learner import Aim, RoundingLearner
from tests.convert.toys import CLASSES, coarsen, make_blobs, make_toy
from train.schedule import Schedule

IMAGES, LABELS = make_blobs(24, 3)
ROWS = np.eye(CLASSES, dtype=np.float32)[LABELS]


@pytest.fixture(scope="module")
def folded():
    return fold(coarsen(make_toy()))


@pytest.fixture(scope="module")
def ranges(folded):
    return measure_ranges(folded, IMAGES)


def learner_of(folded, ranges, **aim):
    chosen = {"teacher_share": 1.0, "temperature": 1.0, "features_weight": 0.0} | aim
    return RoundingLearner(folded, ranges, Aim(**chosen), Schedule("constant", 0.02, 1))


def outputs(folded, ranges):
    """Features and scores of the float model and of the one that rounds."""
    taps = keras.Model(folded.input, [folded.get_layer("features").output, folded.output])
    rounding = with_rounding(folded, ranges)
    rounding = keras.Model(rounding.input, [rounding.get_layer("quant_features").output, rounding.output])
    real = [each.numpy() for each in taps(IMAGES.astype(np.float32))]
    scaled = (IMAGES.astype(np.float32) - 127) / 128
    return real, [each.numpy() for each in rounding(scaled)]


def test_the_loss_by_hand(folded, ranges):
    (features, wanted), (rounded, scores) = outputs(folded, ranges)
    apart = (wanted * np.log(wanted / scores)).sum(axis=1).mean()
    crossed = -np.log(scores[np.arange(24), LABELS]).mean()
    error = ((rounded - features) ** 2).mean() / (features**2).mean()
    assert apart > 1e-5
    for share, weight in ((1.0, 0.0), (1.0, 10.0), (0.25, 4.0), (0.0, 10.0)):
        learner = learner_of(folded, ranges, teacher_share=share, features_weight=weight)
        expected = share * (apart + weight * error) + (1 - share) * crossed
        assert learner.step(IMAGES, ROWS, 0, 1) == pytest.approx(expected, rel=1e-2, abs=1e-5)


def test_figures_by_hand(folded, ranges):
    (_, wanted), (_, scores) = outputs(folded, ranges)
    learner = learner_of(folded, ranges)
    chosen = np.array([0, 3, 5, 22, 23])
    figures = learner.figures(IMAGES, LABELS, chosen)
    apart = (wanted * np.log(wanted / scores)).sum(axis=1)[chosen].mean()
    assert figures.loss == pytest.approx(apart, rel=1e-2, abs=1e-6)
    assert figures.accuracy == (scores.argmax(axis=1) == LABELS)[chosen].mean()
    assert figures.agreement == (scores.argmax(axis=1) == wanted.argmax(axis=1))[chosen].mean()


def test_steps_make_the_loss_smaller_and_weights_can_be_put_back(folded, ranges):
    learner = learner_of(folded, ranges, features_weight=10.0)
    before = learner.weights()
    losses = [learner.step(IMAGES, ROWS, step, 30) for step in range(30)]
    assert np.mean(losses[-5:]) < 0.7 * losses[0]
    assert not any(np.array_equal(a, b) for a, b in zip(before, learner.weights(), strict=True))
    learner.restore(before)
    assert learner.step(IMAGES, ROWS, 0, 30) == pytest.approx(losses[0], rel=1e-4)
