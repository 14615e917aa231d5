import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.schedule import SCHEDULES, Schedule, count_plateaus


def rates(schedule, steps_per_epoch=4, val_losses=()):
    return [schedule.rate(step, steps_per_epoch, val_losses) for step in range(schedule.epochs * steps_per_epoch)]


def test_constant_stays():
    assert rates(Schedule("constant", 0.1, 3)) == [0.1] * 12


def test_warmup_rises_evenly_to_the_peak():
    assert rates(Schedule("constant", 0.8, 3, warmup=1)) == pytest.approx([0.2, 0.4, 0.6] + [0.8] * 9)
    assert rates(Schedule("constant", 0.8, 3, warmup=0.5)) == pytest.approx([0.4] + [0.8] * 11)


def test_cosine_by_hand():
    # 8 steps: cos(0), cos(pi/8), ... of a rate of 2
    expected = [1 + math.cos(math.pi * step / 8) for step in range(8)]
    assert rates(Schedule("cosine", 2.0, 2)) == pytest.approx(expected)
    assert expected[4] == pytest.approx(1)


def test_cosine_after_warmup_starts_at_the_peak_and_sinks_to_nearly_0():
    found = rates(Schedule("cosine", 1.0, 10, warmup=2), steps_per_epoch=10)
    assert found[19] == found[20] == 1
    assert np.all(np.diff(found[20:]) < 0)
    assert 0 < found[-1] < 0.001


def test_plateau_takes_a_fifth_each_time():
    schedule = Schedule("plateau", 1.0, 9, patience=2)
    losses = [3.0, 2.0, 2.5, 2.0, 1.0, 1.5, 1.5, 1.5, 1.5]
    found = [schedule.rate(0, 5, losses[:epochs]) for epochs in range(10)]
    assert found == pytest.approx([1, 1, 1, 1, 0.2, 0.2, 0.2, 0.04, 0.04, 0.008])


@pytest.fixture(scope="module")
def model():
    import tf_keras as keras

    model = keras.Sequential([keras.layers.Dense(1, input_shape=(1,))])
    model.optimizer = keras.optimizers.SGD()
    return model


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 10), max_size=30), st.integers(1, 5))
def test_plateaus_are_those_of_keras(model, val_losses, patience):
    import tf_keras as keras

    callback = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=patience, min_delta=0, min_lr=0)
    callback.set_model(model)
    model.optimizer.learning_rate.assign(1.0)
    callback.on_train_begin()
    for epoch, loss in enumerate(val_losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
    assert float(model.optimizer.learning_rate) == 0.5 ** count_plateaus(val_losses, patience)


def test_every_schedule_is_positive_and_at_most_the_peak():
    for name in SCHEDULES:
        found = rates(Schedule(name, 0.3, 5, warmup=1.5), steps_per_epoch=7, val_losses=[1.0] * 4)
        assert all(0 < rate <= 0.3 for rate in found)
