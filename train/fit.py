"""Trains a model: Adam on cross-entropy, early stopping, the best weights at the end, whatever happens on the way."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from rich.console import Console

from edge.errors import UserError
from edge.run_folder import write_whole
from train.checkpoints import Arrays, Checkpoint, Checkpoints
from train.history import Epoch, best_epoch
from train.learner import Learner
from train.loss import Loss, Teacher, balanced_weights
from train.recipe import Feed, Recipe
from train.schedule import Schedule
from train.stop import Stopped, StopRequest, stop_requests
from train.watch import Watch
from train.workers import Workers


def fit(
    build: Callable[[], keras.Model],
    recipe: Recipe,
    feed: Feed,
    console: Console,
    *,
    checkpoints: Checkpoints | None = None,
    teacher: Teacher | None = None,
    log_folder: Path | None = None,
    workers: Workers | None = None,
) -> tuple[keras.Model, list[Epoch]]:
    """Train a model, from its last checkpoint if there is one.

    Args:
        build: Builds the model with its first weights, under whatever precision is Keras's policy.
        recipe: How.
        feed: On what.
        console: Where progress goes.
        checkpoints: What to go on from and to write; those of a finished training give its result at once. Of several
            processes the chief has them.
        teacher: Whose answers are taught along with the labels.
        log_folder: Folder of TensorBoard's logs; None for none.
        workers: Who trains together; None for this process alone.

    Returns:
        The model in float32, whatever the precision of training, with the weights of the epoch of the lowest
        validation loss; and the epochs.

    Raises:
        UserError: If the loss stops being a number.
        Stopped: If a signal asked for it, here or in another process.
    """
    workers = workers or Workers()
    weights = balanced_weights(feed.labels, feed.classes) if recipe.balance else np.ones(feed.classes, np.float32)
    learner = Learner(
        build,
        Loss(weights, recipe.label_smoothing, teacher),
        feed.validation().element_spec,
        seed=recipe.seed,
        precision=recipe.precision,
        clip_norm=recipe.clip_norm,
        xla=recipe.xla,
        workers=workers,
    )
    with stop_requests() as request:
        training = _Training(learner, recipe, feed, console, checkpoints, log_folder, request, workers)
        try:
            training.restore()
            training.run()
        except tf.errors.OpError as error:
            if request.signum is None or workers.size == 1:
                raise
            left_first = "stopped, as another worker left first; the last checkpoint stays"
            raise Stopped(request.signum, left_first) from error
    trained = build()
    trained.set_weights(training.best)
    return trained, training.history


def save_model(model: keras.Model, path: Path) -> None:
    """Save a model as .keras, whole or not at all."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        model.save(partial)
        write_whole(path, partial.read_bytes())
    finally:
        partial.unlink(missing_ok=True)


@dataclass
class _SoFar:
    """What an epoch has done: steps, and sums over its images."""

    steps: int = 0
    loss: float = 0.0
    right: float = 0.0
    images: int = 0
    seconds: float = 0.0


class _Training:
    """A training on its way: the epochs that are done, the best weights of them, and how far the next one is."""

    def __init__(
        self,
        learner: Learner,
        recipe: Recipe,
        feed: Feed,
        console: Console,
        checkpoints: Checkpoints | None,
        log_folder: Path | None,
        request: StopRequest,
        workers: Workers,
    ) -> None:
        self.history: list[Epoch] = []
        self.best: Arrays = []
        self._so_far = _SoFar()
        self._learner, self._recipe, self._feed, self._console = learner, recipe, feed, console
        self._checkpoints, self._request, self._workers = checkpoints, request, workers
        self._warned = False
        self._steps = math.ceil(len(feed.labels) / recipe.batch_size)
        self._watch = Watch(console, len(feed.labels), self._steps, recipe.epochs, log_folder)
        plateau = max(1, recipe.patience // 2)
        self._schedule = Schedule(recipe.schedule, recipe.learning_rate, recipe.epochs, recipe.warmup, plateau)

    def restore(self) -> None:
        """Go to where the last checkpoint was written, if there is one."""
        checkpoint, notes = (None, []) if self._checkpoints is None else self._checkpoints.read()
        for note in notes:
            self._console.print(note)
        if checkpoint is None and notes:
            self._console.print("no checkpoint is left; training begins anew")
        if self._workers.size > 1:
            data = self._workers.broadcast(b"" if checkpoint is None else checkpoint.to_bytes())
            checkpoint = Checkpoint.from_bytes(data) if data else None
        if checkpoint is None:
            return
        arrays = dict(checkpoint.arrays)
        self.best = list(arrays.pop("best"))
        self._learner.restore(arrays)
        self.history = [Epoch(**epoch) for epoch in checkpoint.state["history"]]
        self._so_far = _SoFar(**checkpoint.state["so_far"])
        self._console.print(f"going on from the checkpoint {self._where()}")

    def run(self) -> None:
        """Train until all epochs are done or the last ones were no better."""
        batches = iter(self._feed.training(len(self.history), self._so_far.steps))
        with self._watch.bar:
            while not self._finished():
                rate = self._train_epoch(batches)
                val_loss, val_accuracy, wishes = self._judge()
                self._end_epoch(val_loss, val_accuracy, rate)
                if self._workers.size > 1:
                    self._between_steps(wishes)

    def _finished(self) -> bool:
        """Tell whether no epoch is to follow."""
        done = len(self.history)
        return done > 0 and (
            done >= self._recipe.epochs or done - best_epoch(self.history).epoch >= self._recipe.patience
        )

    def _train_epoch(self, batches: Iterator[Any]) -> float:
        """Do the steps of an epoch that are left; return the last one's learning rate."""
        so_far, first = self._so_far, len(self.history) * self._steps
        val_losses = [epoch.val_loss for epoch in self.history]
        self._watch.begin_epoch(len(self.history), so_far.steps)
        while so_far.steps < self._steps:
            started = time.perf_counter()
            images, labels = next(batches)
            rate = self._schedule.rate(first + so_far.steps, self._steps, val_losses)
            step = self._learner.step(images, labels, rate, self._wishes())
            self._check(step.loss)
            so_far.steps += 1
            so_far.loss += step.loss
            so_far.right += step.right
            so_far.images += step.images
            so_far.seconds += time.perf_counter() - started
            self._watch.end_step(so_far.steps, so_far.loss / so_far.images)
            self._between_steps(step.wishes if self._workers.size > 1 else self._wishes())
        return self._schedule.rate(first + self._steps - 1, self._steps, val_losses)

    def _judge(self) -> tuple[float, float, Sequence[float]]:
        """Return loss and accuracy on the validation split, and what the processes wished meanwhile."""
        started = time.perf_counter()
        self._learner.average_statistics()
        sums = np.zeros(4)
        for batch in self._learner.judge(self._feed.validation()):
            sums += batch
            if self._workers.size == 1:  # others would not know
                self._between_steps(self._wishes())
        loss, weight, right, images, *wishes = self._workers.sum([*sums.tolist(), *self._wishes()])
        self._check(loss)
        self._so_far.seconds += time.perf_counter() - started
        return loss / weight, right / images, wishes

    def _end_epoch(self, val_loss: float, val_accuracy: float, rate: float) -> None:
        """Take the epoch into the history, its weights if they are the best, and save."""
        so_far = self._so_far
        loss, accuracy = so_far.loss / so_far.images, so_far.right / so_far.images
        self.history.append(Epoch(len(self.history) + 1, loss, accuracy, val_loss, val_accuracy, so_far.seconds))
        if best_epoch(self.history) is self.history[-1]:
            self.best = self._learner.arrays()["weights"]
        self._so_far = _SoFar()
        self._save()
        self._watch.end_epoch(self.history, rate)

    def _wishes(self) -> tuple[float, float]:
        """Return whether this process wants to stop, and to save; all of them have to do it at the same step."""
        due = self._checkpoints is not None and self._checkpoints.due()
        return float(self._request.signum is not None), float(due)

    def _between_steps(self, wishes: Sequence[float]) -> None:
        """Save where one of the processes wants it; save and leave where a signal asked one of them for it."""
        stop, save = wishes
        if stop:
            kept = "saved" if self._save() else "could not be saved"
            raise Stopped(self._request.signum or signal.SIGTERM, f"stopped {self._where()}; {kept}")
        if save:
            self._save()

    def _save(self) -> bool:
        """Write a checkpoint; return whether there is one now. A full disk doesn't end the training."""
        if self._checkpoints is None and self._workers.size == 1:
            return False
        arrays = self._learner.arrays()  # moving statistics are asked of all processes
        if self._checkpoints is None:
            return self._workers.size > 1  # the chief's
        state = {"history": [asdict(epoch) for epoch in self.history], "so_far": asdict(self._so_far)}
        try:
            self._checkpoints.write(Checkpoint(state, {**arrays, "best": self.best}))
        except OSError as error:
            if not self._warned:
                self._console.print(
                    f"can't write a checkpoint ({error.strerror}); the last one stays, training goes on"
                )
            self._warned = True
            return False
        self._warned = False
        return True

    def _check(self, loss: float) -> None:
        """Refuse a loss that is no number."""
        if not math.isfinite(loss):
            raise UserError(
                f"Expected a finite loss, got {loss} in epoch {len(self.history) + 1}; "
                f"train with a lower --learning-rate than {self._recipe.learning_rate:g}, or --precision float32"
            )

    def _where(self) -> str:
        """Say how far training has come."""
        if self._finished():
            return f"at the end, after {len(self.history)} epochs"
        return f"in epoch {len(self.history) + 1}, after {self._so_far.steps} of {self._steps} steps"
