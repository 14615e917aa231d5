import errno
import io
import os
import signal
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from sklearn.datasets import load_digits

from edge.errors import UserError
from train import device, models
from train.checkpoints import Checkpoints
from train.fit import fit, save_model
from train.history import best_epoch
from train.recipe import Recipe, image_feed
from train.stop import Stopped

IMAGE_SIZE = (16, 16)


@pytest.fixture(scope="module")
def digits():
    """Zeros, ones and twos of scikit-learn's digits, 16x16, in two parts."""
    data = load_digits(n_class=3)
    images = np.repeat((data.images * 15.9).astype(np.uint8)[..., None].repeat(2, 1).repeat(2, 2), 3, axis=3)
    return (images[:400], data.target[:400]), (images[400:], data.target[400:])


def train(digits, text=None, feed=None, **changes):
    """Train with a recipe of defaults and `changes`; `feed` may bend what it is fed."""
    given = {key: changes.pop(key) for key in ("checkpoints", "teacher", "log_folder") if key in changes}
    settings = {"epochs": 3, "batch_size": 32, "learning_rate": 1e-3, "patience": 6, "seed": 0}
    recipe = Recipe(**{**settings, **changes})
    device.prepare(recipe.seed)
    build = partial(models.build, "cnn", IMAGE_SIZE, 3)
    fed = image_feed(recipe, *digits, 3)
    return fit(build, recipe, feed(fed) if feed else fed, Console(file=text or io.StringIO(), width=200), **given)


def equal(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def test_training_learns_and_tells_a_line_an_epoch(digits):
    text = io.StringIO()
    _model, epochs = train(digits, text)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert epochs[-1].val_loss < epochs[0].val_loss
    assert epochs[-1].val_accuracy > 0.8
    assert [line.split("  ")[0] for line in text.getvalue().splitlines()] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_the_same_seed_gives_the_same_weights(digits):
    (first, _), (second, _) = train(digits, epochs=1), train(digits, epochs=1)
    assert equal(first, second)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_leaves_a_float32_model(digits, precision):
    model, _epochs = train(digits, epochs=1, precision=precision)
    assert {layer.dtype_policy.name for layer in model.layers if hasattr(layer, "dtype_policy")} == {"float32"}
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert all(weights.dtype == np.float32 for weights in model.get_weights())


def test_the_best_weights_are_kept_and_training_stops_by_patience(digits):
    # So high a rate that the loss soon rises.
    model, epochs = train(digits, epochs=12, patience=2, learning_rate=0.02)
    best = best_epoch(epochs)
    assert len(epochs) < 12
    assert len(epochs) == best.epoch + 2
    images, labels = digits[1]
    scores = model(images).numpy()
    loss = -np.log(np.clip(scores[np.arange(len(labels)), labels], 1e-7, 1)).mean()
    assert loss == pytest.approx(best.val_loss, rel=1e-3)


def test_a_loss_that_is_no_number_ends_in_advice(digits):
    with pytest.raises(UserError, match="lower --learning-rate than 1e\\+30"):
        train(digits, learning_rate=1e30)


def test_a_saved_model_is_whole_and_alone(digits, tmp_path):
    import tf_keras as keras

    model, _epochs = train(digits, epochs=1)
    save_model(model, tmp_path / "model.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(again(digits[1][0][:5]), model(digits[1][0][:5]))
    assert {type(layer).__module__.split(".")[0] for layer in again.layers} == {"tf_keras"}


class Died(Exception):
    pass


@dataclass
class DyingBatches:
    """Batches that end in an exception after some of them, as abruptly as a kill."""

    batches: Any
    alive: int

    def __iter__(self):
        for number, batch in enumerate(self.batches):
            if number == self.alive:
                raise Died
            yield batch


@dataclass
class SignallingBatches:
    """Batches of which the fourth comes with a signal."""

    batches: Any
    signum: int

    def __iter__(self):
        for number, batch in enumerate(self.batches, 1):
            if number == 4:
                os.kill(os.getpid(), self.signum)
            yield batch


def dying(alive):
    """Return what makes a feed die after some batches."""
    return lambda feed: replace(feed, training=lambda *start: DyingBatches(feed.training(*start), alive))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_after_any_deaths_the_weights_are_the_same_to_the_bit(digits, tmp_path, precision):
    # All that could be forgotten is there: dropout, augmentation, mixup, schedule, loss scale, sums of the epoch.
    how = {"precision": precision, "schedule": "cosine", "warmup": 1.5, "mixup": 0.2, "balance": True, "clip_norm": 1.0}
    whole, epochs = train(digits, **how)
    folder = tmp_path / "checkpoints"
    for alive in (5, 8, 1, 12):  # 13 steps an epoch
        with pytest.raises(Died):
            train(digits, feed=dying(alive), checkpoints=Checkpoints(folder, "run", every=0), **how)
    text = io.StringIO()
    model, epochs_again = train(digits, text, checkpoints=Checkpoints(folder, "run", every=0), **how)
    assert text.getvalue().startswith("going on from the checkpoint in epoch 3, after 0 of 13 steps\n")
    assert equal(model, whole)
    assert [replace(epoch, seconds=0) for epoch in epochs_again] == [replace(epoch, seconds=0) for epoch in epochs]


def test_a_finished_trainings_checkpoint_is_its_result(digits, tmp_path):
    kept = Checkpoints(tmp_path / "checkpoints", "run")
    model, epochs = train(digits, epochs=2, checkpoints=kept)
    again, epochs_again = train(digits, epochs=2, checkpoints=kept, feed=dying(0))
    assert equal(model, again)
    assert epochs == epochs_again


def test_with_all_checkpoints_damaged_it_begins_anew_and_says_so(digits, tmp_path):
    kept = Checkpoints(tmp_path / "checkpoints", "run")
    model, _epochs = train(digits, epochs=1, checkpoints=kept)
    for path in kept.folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    text = io.StringIO()
    again, _epochs = train(digits, text, epochs=1, checkpoints=kept)
    assert equal(model, again)
    assert text.getvalue().splitlines()[-2] == "no checkpoint is left; training begins anew"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves(digits, tmp_path, signum):
    kept = Checkpoints(tmp_path / "checkpoints", "run")

    def signalling(feed):
        return replace(feed, training=lambda *start: SignallingBatches(feed.training(*start), signum))

    with pytest.raises(Stopped, match=r"^stopped in epoch 1, after 4 of 13 steps; saved$") as stopped:
        train(digits, epochs=2, checkpoints=kept, feed=signalling)
    assert stopped.value.signum == signum
    again, _epochs = train(digits, epochs=2, checkpoints=kept)
    assert equal(again, train(digits, epochs=2)[0])


def test_a_full_disk_is_told_once_and_training_goes_on(digits, tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path / "checkpoints", "run", every=0)
    with pytest.raises(Died):
        train(digits, checkpoints=kept, feed=dying(6))
    before = sorted(path.name for path in kept.folder.iterdir())

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    text = io.StringIO()
    model, _epochs = train(digits, text, checkpoints=kept)
    lines = [line for line in text.getvalue().splitlines() if not line.startswith("epoch")]
    assert lines == [
        "going on from the checkpoint in epoch 1, after 6 of 13 steps",
        "can't write a checkpoint (No space left on device); the last one stays, training goes on",
    ]
    assert sorted(path.name for path in kept.folder.iterdir()) == before
    assert equal(model, train(digits)[0])


def test_a_schedule_is_followed(digits):
    # A rate of nearly nothing after warming up to it changes nearly nothing.
    still, _ = train(digits, epochs=1, learning_rate=1e-9)
    rising, _ = train(digits, epochs=1, learning_rate=1e-3, warmup=1e7)
    learnt, _ = train(digits, epochs=1, learning_rate=1e-3, warmup=0.1)
    weights = [model.get_weights()[0] for model in (still, rising, learnt)]
    assert weights[1] == pytest.approx(weights[0], abs=1e-5)
    assert np.abs(weights[2] - weights[0]).max() > 1e-3


def test_balance_lifts_a_rare_class(digits):
    (images, labels), validation = digits
    keep = np.flatnonzero((labels != 2) | (np.cumsum(labels == 2) <= 6))  # 6 twos among 270 zeros and ones
    recall = {}
    for balance in (False, True):
        model, _epochs = train(((images[keep], labels[keep]), validation), balance=balance, epochs=4)
        answers = model(validation[0]).numpy().argmax(axis=1)
        recall[balance] = (answers[validation[1] == 2] == 2).mean()
    assert recall[True] > recall[False]


def test_clipped_gradients_take_another_way(digits):
    first, clipped = train(digits, epochs=1)[0], train(digits, epochs=1, clip_norm=1e-3)[0]
    assert not equal(first, clipped)


def test_a_teacher_alone_teaches(digits):
    from train.loss import Teacher

    teacher, _epochs = train(digits)
    (images, labels), validation = digits
    wrong = (images, np.zeros_like(labels))  # labels that say nothing; all is learnt from the teacher
    (pupil, _epochs) = train((wrong, validation), teacher=Teacher(teacher, share=0.999))
    answers, taught = (model(validation[0]).numpy().argmax(axis=1) for model in (pupil, teacher))
    assert (answers == taught).mean() > 0.8
    assert equal(teacher, train(digits)[0])  # and isn't changed by it


def test_curves_for_tensorboard(digits, tmp_path):
    import tensorflow as tf

    _model, epochs = train(digits, epochs=2, log_folder=tmp_path)
    points = {}
    for file in tmp_path.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                points.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    assert [point for _step, point in points["loss/validation"]] == pytest.approx([epoch.val_loss for epoch in epochs])
    assert [step for step, _point in points["accuracy/training"]] == [1, 2]
    assert points["learning rate"][1][1] == pytest.approx(1e-3)
    assert points["images per second"][0][1] > 0
