import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

LABELS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]], np.float32)
SCORES = np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.25, 0.25, 0.5]], np.float32)


def loss(**changes):
    from train.loss import Loss

    return Loss(**{"class_weights": np.ones(3, np.float32), **changes})


def of_training(**changes):
    return loss(**changes).of_training(None, LABELS, SCORES).numpy()


def test_cross_entropy_by_hand():
    assert of_training() == pytest.approx(-np.log([0.7, 0.25, 0.8, 0.25]), rel=1e-5)


def test_label_smoothing_by_hand():
    # a tenth of the label is shared among three classes
    smooth = 0.9 * LABELS + 0.1 / 3
    assert of_training(label_smoothing=0.1) == pytest.approx(-(smooth * np.log(SCORES)).sum(axis=1), rel=1e-5)


def test_validation_is_not_smoothed():
    found = loss(label_smoothing=0.1).of_validation(LABELS, SCORES).numpy()
    assert found == pytest.approx(of_training(), rel=1e-6)


def test_class_weights_weigh_training_and_validation():
    weighted = loss(class_weights=np.array([1, 2, 4], np.float32))
    expected = of_training() * [1, 2, 4, 1.5]
    assert weighted.weigh(LABELS).numpy() == pytest.approx([1, 2, 4, 1.5])
    assert weighted.of_training(None, LABELS, SCORES).numpy() == pytest.approx(expected, rel=1e-6)
    assert weighted.of_validation(LABELS, SCORES).numpy() == pytest.approx(expected, rel=1e-6)


def test_balanced_weights_are_scikit_learns():
    from train.loss import balanced_weights

    labels = np.array([0] * 6 + [1] * 3 + [2] * 1)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    found = balanced_weights(labels, 3)
    assert found == pytest.approx(expected)
    assert found[labels].mean() == pytest.approx(1)
    assert balanced_weights(labels, 4).tolist() == [*found.tolist(), 0]


def teacher(**settings):
    """A teacher that always gives the same scores."""
    from train.loss import Teacher

    scores = np.array([[0.6, 0.3, 0.1]] * 4, np.float32)
    return Teacher(lambda images, training: scores, **settings)


def test_a_teachers_loss_is_the_divergence_from_it():
    found = teacher(share=1, temperature=1).loss(None, SCORES).numpy()
    wanted = np.array([0.6, 0.3, 0.1])
    assert found == pytest.approx((wanted * np.log(wanted / SCORES)).sum(axis=1), rel=1e-4)


def test_a_temperature_softens_both_by_hand():
    # at 2 scores become their square roots, made to sum to 1; times 2 squared
    wanted, given = np.sqrt([[0.6, 0.3, 0.1]]), np.sqrt(SCORES)
    wanted, given = wanted / wanted.sum(), given / given.sum(axis=1, keepdims=True)
    expected = 4 * (wanted * np.log(wanted / given)).sum(axis=1)
    assert teacher(temperature=2).loss(None, SCORES).numpy() == pytest.approx(expected, rel=1e-4)


def test_labels_and_teacher_share_the_loss():
    taught = of_training(teacher=teacher(share=0.25, temperature=2))
    expected = 0.75 * of_training() + 0.25 * teacher(temperature=2).loss(None, SCORES).numpy()
    assert taught == pytest.approx(expected, rel=1e-5)


def test_a_score_of_0_costs_much_but_not_everything():
    from train.loss import Teacher

    sure = Teacher(lambda images, training: np.array([[1, 0]], np.float32), temperature=1)
    assert np.isfinite(sure.loss(None, np.array([[0, 1]], np.float32)).numpy()).all()
